/** Numbers as JSON, into bytes that have room for them. */

/** The longest text of a number: −1.2345678901234567e−300. */
export const longestNumber = 25;
/** For a column whose values have more decimal places than are worth trying for. */
export const noPlaces = -1;

const powers = Float64Array.of(1, 10, 100, 1e3, 1e4, 1e5, 1e6);
const mostPlaces = 6;
/** Above it a value times the largest power is no longer exact. */
const largest = 1e9;
/** What an int32 holds. */
const small = 2 ** 31;
const [zero, minus, dot] = [0x30, 0x2d, 0x2e];
/** "00" to "99". */
const pairs = new Uint8Array(200);
for (let n = 0; n < 100; n++) {
  pairs[2 * n] = zero + Math.floor(n / 10);
  pairs[2 * n + 1] = zero + (n % 10);
}

/**
 * The decimal places that all of these values need at most; `noPlaces` = more than six, or too large. NaN and
 * infinities count for nothing.
 */
export function placesOf(values: Float64Array): number {
  let places = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!);
    if (!(size < largest)) {
      if (size < Number.POSITIVE_INFINITY) return noPlaces;
      continue;
    }
    while (Math.round(size * powers[places]!) / powers[places]! !== size) {
      places += 1;
      if (places > mostPlaces) return noPlaces;
    }
  }
  return places;
}

/**
 * Writes a finite number with the very text that `String` gives, but for −0, which stays −0. Sensors mostly give a few
 * decimal places, and those are written from whole numbers: n / 10^k is the nearest double of that decimal, and with at
 * most 15 digits no shorter one has the same double.
 * @param places  as `placesOf` has it for this value among others
 * @returns       where it ends
 */
export function numberAt(data: Uint8Array, at: number, value: number, places: number): number {
  if (places === noPlaces) return textAt(data, at, Object.is(value, -0) ? '-0' : String(value));
  let to = at;
  let size = value;
  if (value < 0 || (value === 0 && 1 / value < 0)) {
    data[to++] = minus;
    size = -value;
  }
  if (places === 0) return wholeAt(data, to, size);
  const whole = Math.round(size * powers[places]!);
  return whole < small ? smallDecimalAt(data, to, whole | 0, places) : decimalAt(data, to, whole, places);
}

/** Decimal digits of a whole number from 0 to 2^53 − 1. */
export function wholeAt(data: Uint8Array, at: number, value: number): number {
  if (value < 1e9) return digitsAt(data, at, value | 0, digitsOf(value | 0));
  const high = Math.floor(value / 1e9);
  return digitsAt(data, wholeAt(data, at, high), (value - high * 1e9) | 0, 9);
}

/** ASCII. */
export function textAt(data: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) data[at + i] = text.charCodeAt(i);
  return at + text.length;
}

const intPowers = Int32Array.of(1, 10, 100, 1e3, 1e4, 1e5, 1e6);

function smallDecimalAt(data: Uint8Array, at: number, whole: number, places: number): number {
  const power = intPowers[places]!;
  const before = (whole / power) | 0;
  return fractionAt(data, digitsAt(data, at, before, digitsOf(before)), whole - before * power, places);
}

function decimalAt(data: Uint8Array, at: number, whole: number, places: number): number {
  const before = Math.floor(whole / powers[places]!);
  return fractionAt(data, wholeAt(data, at, before), (whole - before * powers[places]!) | 0, places);
}

/** The dot and what stands behind it, without zeros at the end; nothing for 0. */
function fractionAt(data: Uint8Array, at: number, fraction: number, places: number): number {
  if (fraction === 0) return at;
  let rest = fraction;
  let n = places;
  for (let tenth = (rest / 10) | 0; tenth * 10 === rest; tenth = (rest / 10) | 0) {
    rest = tenth;
    n -= 1;
  }
  data[at] = dot;
  return digitsAt(data, at + 1, rest, n);
}

function digitsOf(value: number): number {
  if (value < 1e4) return value < 100 ? (value < 10 ? 1 : 2) : value < 1e3 ? 3 : 4;
  if (value < 1e6) return value < 1e5 ? 5 : 6;
  if (value < 1e8) return value < 1e7 ? 7 : 8;
  return value < 1e9 ? 9 : 10;
}

/** The last n digits, with zeros in front. */
function digitsAt(data: Uint8Array, at: number, value: number, n: number): number {
  let rest = value;
  let to = at + n;
  while (to - at >= 2) {
    const hundredth = (rest / 100) | 0;
    const pair = (rest - hundredth * 100) << 1;
    data[--to] = pairs[pair + 1]!;
    data[--to] = pairs[pair]!;
    rest = hundredth;
  }
  if (to > at) data[at] = zero + (rest % 10);
  return at + n;
}
