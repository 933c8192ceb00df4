import type { Bytes } from './bytes.js';

const powers = [1, 10, 100, 1e3, 1e4, 1e5, 1e6];
const mostPlaces = 6;
/** Above it a value times the largest power is no longer exact. */
const largest = 1e9;
/** For a column whose values have more places than are worth trying for. */
export const noPlaces = -1;

/**
 * Writes a finite number as JSON, with the very text that `String` gives, but for −0, which stays −0.
 * Sensors mostly give a few decimal places, and those are written from whole numbers: n / 10^k is the nearest double
 * of that decimal, and with at most 15 digits no shorter one has the same double.
 * @param places  decimal places to try first: what the call for the value before returned
 * @returns       the places that were needed; `noPlaces` = too many
 */
export function writeNumber(out: Bytes, value: number, places: number): number {
  const size = Math.abs(value);
  if (size < largest) {
    if (value < 0 || (value === 0 && Object.is(value, -0))) out.byte(0x2d);
    if (size === Math.trunc(size)) {
      writeWhole(out, size);
      return places;
    }
    if (places !== noPlaces) {
      let whole = Math.round(size * powers[places]!);
      if (whole / powers[places]! === size) {
        writeDecimal(out, whole, places);
        return places;
      }
      for (let more = 1; more <= mostPlaces; more++) {
        whole = Math.round(size * powers[more]!);
        if (whole / powers[more]! !== size) continue;
        writeDecimal(out, whole, more);
        return more;
      }
    }
    out.ascii(String(size));
    return noPlaces;
  }
  if (size < Number.MAX_SAFE_INTEGER && size === Math.trunc(size)) {
    if (value < 0) out.byte(0x2d);
    writeWhole(out, size);
  } else out.ascii(String(value));
  return places;
}

/** Decimal digits of a whole number from 0 to 2^53 − 1. */
export function writeWhole(out: Bytes, value: number): void {
  if (value >= 1e9) {
    const high = Math.floor(value / 1e9);
    writeWhole(out, high);
    writeDigits(out, value - high * 1e9, 9);
    return;
  }
  writeDigits(out, value, digitsOf(value));
}

function writeDecimal(out: Bytes, whole: number, places: number): void {
  const power = powers[places]!;
  const before = Math.floor(whole / power);
  let after = whole - before * power;
  let n = places;
  while (n > 1 && after % 10 === 0) {
    after = (after / 10) | 0;
    n -= 1;
  }
  writeWhole(out, before);
  out.byte(0x2e);
  writeDigits(out, after, n);
}

function digitsOf(value: number): number {
  if (value < 1e4) return value < 100 ? (value < 10 ? 1 : 2) : value < 1e3 ? 3 : 4;
  if (value < 1e6) return value < 1e5 ? 5 : 6;
  return value < 1e8 ? (value < 1e7 ? 7 : 8) : 9;
}

/** The last n digits, with zeros in front. */
function writeDigits(out: Bytes, value: number, n: number): void {
  out.room(n);
  const { data } = out;
  let rest = value | 0;
  for (let at = out.length + n - 1; at >= out.length; at--) {
    const quotient = (rest / 10) | 0;
    data[at] = 0x30 + rest - quotient * 10;
    rest = quotient;
  }
  out.length += n;
}
