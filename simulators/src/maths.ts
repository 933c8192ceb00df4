/**
 * Elementary functions from + − × ÷ alone. Those four (and `Math.sqrt`) are rounded the same everywhere by
 * IEEE 754; `Math.exp`, `log` and `sin` are left to the engine and have changed between releases, and one last
 * bit that differs would in time grow into another simulation.
 */

const ln2High = 0.6931471803691238;
const ln2Low = 1.9082149292705877e-10;

/** e^x, relative error below 1e-15 for |x| < 700. */
export function exp(x: number): number {
  const power = Math.round(x / Math.LN2);
  const rest = x - power * ln2High - power * ln2Low;
  let sum = 1;
  for (let n = 13; n >= 1; n--) sum = 1 + (rest * sum) / n;
  return sum * powerOfTwo(power);
}

/** 2^n for whole n of −1022…1023; every product is exact. */
function powerOfTwo(n: number): number {
  let result = 1;
  let base = n < 0 ? 0.5 : 2;
  for (let rest = Math.abs(n); rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= base;
    base *= base;
  }
  return result;
}

/** Natural logarithm of x > 0; absolute error below 1e-15 for the x of a random number. */
export function log(x: number): number {
  let mantissa = x;
  let power = 0;
  for (; mantissa < Math.SQRT1_2; power--) mantissa *= 2;
  for (; mantissa > Math.SQRT2; power++) mantissa /= 2;
  // ln m = 2 artanh((m − 1) / (m + 1)); |t| < 0.172, so 11 terms suffice.
  const t = (mantissa - 1) / (mantissa + 1);
  const square = t * t;
  let sum = 0;
  for (let n = 21; n >= 1; n -= 2) sum = sum * square + 1 / n;
  return 2 * t * sum + power * ln2High + power * ln2Low;
}

/** Sine of a whole turn: `sinTurns(0.25)` is 1. Error below 1e-14. */
export function sinTurns(turns: number): number {
  let part = turns - Math.round(turns);
  if (part > 0.25) part = 0.5 - part;
  else if (part < -0.25) part = -0.5 - part;
  const x = part * 2 * Math.PI;
  const square = x * x;
  let sum = 1;
  for (let n = 18; n >= 2; n -= 2) sum = 1 - (square * sum) / (n * (n + 1));
  return x * sum;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** One step of a first-order lag (implicit Euler: stable for any step). */
export function lag(value: number, target: number, dtS: number, timeConstantS: number): number {
  return value + ((target - value) * dtS) / (timeConstantS + dtS);
}
