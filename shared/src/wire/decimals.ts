/**
 * Sensors speak decimal: 21.37 is 2137 hundredths. A column is whole numbers where one power of ten, dividing them,
 * gives back every value to the bit (after Afroozeh, Kuffó, Boncz 2023, "ALP"); the few it does not are exceptions.
 */
import { exceptions, wholes } from './scratch.js';

export const powersOfTen = Float64Array.from({ length: 16 }, (_, e) => Number(`1e${e}`));
/** The largest whole number used: differences of two are still exact. */
export const largestWhole = 2 ** 52;
const sampled = 16;

/** `single`: the quotient is rounded to float32, as values that once were one are. */
export interface Decimal {
  readonly exponent: number;
  readonly single: boolean;
}

/** Bits that a value costs for each digit more, and that an exception costs, about. */
const digitBits = 3.3;
const exceptionBits = 75;

/**
 * The power that suits a sample best; undefined = none does.
 * @param order  [n] of the values; undefined = their own
 * @param wereSingle  the values come from a Float32Array
 */
export function findDecimal(
  values: Float64Array,
  n: number,
  order: Uint16Array | undefined,
  wereSingle: boolean,
): Decimal | undefined {
  const double = wereSingle ? undefined : bestFitting(values, n, order, false);
  if (double !== undefined) return { exponent: double, single: false };
  const single = bestFitting(values, n, order, true);
  return single === undefined ? undefined : { exponent: single, single: true };
}

const needed = new Uint8Array(powersOfTen.length + 1);

function bestFitting(
  values: Float64Array,
  n: number,
  order: Uint16Array | undefined,
  single: boolean,
): number | undefined {
  const at = (i: number) => values[order ? order[i]! : i]!;
  const stride = Math.ceil(n / sampled);
  needed.fill(0);
  let seen = 0;
  for (let i = 0; i < n; i += stride) {
    // Where most are missing, the few that are there are looked at.
    while (i < n && !Number.isFinite(at(i))) i++;
    if (i === n) break;
    const exponent = exponentOf(at(i), single);
    needed[exponent]! += 1;
    seen += 1;
    // Most columns are clear-cut, and so are those that are no decimals at all.
    if (exponent === powersOfTen.length && needed[exponent]! > sampled / 8) return undefined;
  }
  return cheapest(seen);
}

function cheapest(seen: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  let exceptional = seen;
  for (let e = 0; e < powersOfTen.length; e++) {
    exceptional -= needed[e]!;
    const cost = e * seen * digitBits + exceptional * exceptionBits;
    if (cost < least) {
      least = cost;
      best = e;
    }
    if (exceptional === 0) break;
  }
  return best;
}

function exponentOf(value: number, single: boolean): number {
  for (let e = 0; e < powersOfTen.length; e++) {
    const power = powersOfTen[e]!;
    const whole = Math.round(value * power);
    const back = whole / power;
    if ((single ? Math.fround(back) : back) === value && Math.abs(whole) <= largestWhole) return e;
  }
  return powersOfTen.length;
}

/**
 * Fills `exceptions` with the places of values that the power does not give back, and `wholes` with all others.
 * @returns how many those are; −1 = too many, not counting NaN and −0
 */
export function toWholes(values: Float64Array, n: number, { exponent, single }: Decimal): number {
  const power = powersOfTen[exponent]!;
  const most = n >> 2;
  let found = 0;
  let raw = 0;
  for (let i = 0; i < n; i++) {
    const value = values[i]!;
    const whole = Math.round(value * power);
    const quotient = whole / power;
    const back = single ? Math.fround(quotient) : quotient;
    if (back === value && whole <= largestWhole && whole >= -largestWhole && (whole !== 0 || 1 / value > 0)) {
      wholes[i - found] = whole;
      continue;
    }
    exceptions[found++] = i;
    if (value === 0 || Number.isNaN(value)) continue;
    raw += 1;
    if (raw > most) return -1;
  }
  return found;
}
