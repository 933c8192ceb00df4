/**
 * The short way for most columns, decimals of few digits without exceptions: one pass makes of them differences in 32
 * bits. What is written is what the long way would write.
 */
import type { BitWriter } from './bit-writer.js';
import { type Decimal, powersOfTen } from './decimals.js';
import { type Grouping, greatestDivisor } from './integers.js';
import { writeLane, writeLane32 } from './lane.js';
import { wireLimits } from './limits.js';
import { differences32, lane } from './scratch.js';

/** Differences of two numbers below this fit into 32 bits. */
const limit = 2 ** 30;
/** The first number of each device. */
const firsts = new Int32Array(wireLimits.maxDevices);

/**
 * @param order  [n] index of each value, device after device; undefined = the values' own order
 * @returns false, and nothing is written, for a column that needs the long way
 */
export function writeSmallDecimals(
  out: BitWriter,
  values: Float64Array,
  order: Uint16Array | undefined,
  groups: Grouping,
  decimal: Decimal,
): boolean {
  const { devices, laterEnds, firstEnds } = groups;
  const later = groups.rows - devices;
  const magnitudes = differencesOf(values, order, groups, decimal);
  if (magnitudes < 0) return false;
  const base = firsts[0]!;
  const step = commonStep(devices, later);
  out.put(decimal.exponent << 1, 5);
  out.flag(decimal.single);
  out.put(step !== 1 ? 2 : 0, 2);
  if (step !== 1) out.count(step);
  out.signed(base);
  if (devices > 1) {
    for (let d = 1; d < devices; d++) lane[d - 1] = (firsts[d]! - base) / step;
    writeLane(out, lane, devices - 1, firstEnds);
  }
  if (later === 0) return true;
  writeLane32(out, differences32, later, laterEnds, step === 1 ? magnitudes : divide(later, step));
  return true;
}

/**
 * Fills `firsts` and, with the differences to them, `differences32`.
 * @returns all magnitudes of those, bit by bit; −1 if there is an exception or a number too large
 */
function differencesOf(
  values: Float64Array,
  order: Uint16Array | undefined,
  { devices, starts }: Grouping,
  { exponent, single }: Decimal,
): number {
  const power = powersOfTen[exponent]!;
  let magnitudes = 0;
  let wide = 0;
  for (let d = 0, at = 0; d < devices; d++) {
    const end = starts[d + 1]!;
    let first = 0;
    for (let i = starts[d]!, begins = true; i < end; i++) {
      const value = values[order ? order[i]! : i]!;
      const scaled = value * power;
      const whole = (scaled < 0 ? scaled - 0.5 : scaled + 0.5) | 0;
      const quotient = whole / power;
      if ((single ? Math.fround(quotient) : quotient) !== value) return -1;
      if (whole === 0 && 1 / value < 0) return -1;
      wide |= whole ^ (whole >> 31);
      if (begins) {
        begins = false;
        first = whole;
        firsts[d] = whole;
        continue;
      }
      const difference = (whole - first) | 0;
      const sign = difference >> 31;
      magnitudes |= (difference ^ sign) - sign;
      differences32[at++] = difference;
    }
  }
  return wide < limit ? magnitudes : -1;
}

/** Of all differences; 1 where there are none. */
function commonStep(devices: number, later: number): number {
  let step = 0;
  for (let d = 1; d < devices && step !== 1; d++)
    step = greatestDivisor(Math.abs(firsts[d]! - firsts[0]!), step);
  for (let i = 0; i < later && step !== 1; i++) {
    const difference = Math.abs(differences32[i]!);
    if (step === 0 || difference % step !== 0) step = greatestDivisor(difference, step);
  }
  return step || 1;
}

/** @returns all magnitudes, bit by bit */
function divide(n: number, step: number): number {
  let magnitudes = 0;
  for (let i = 0; i < n; i++) {
    differences32[i]! /= step;
    magnitudes |= Math.abs(differences32[i]!);
  }
  return magnitudes;
}
