/** Reads values straight from the bytes of a cell; NaN or undefined = it is not one. */
import { Buffer, isUtf8 } from 'node:buffer';

const [zero, nine, plus, minus, point, colon, quote] = [0x30, 0x39, 0x2b, 0x2d, 0x2e, 0x3a, 0x22];

/** 10^0 to 10^22 are exact in a double. */
const powersOfTen = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

export type TimeFormat = 'auto' | 'iso' | 'epochMs' | 'epochS';

/** Up to here, ms, a time keeps its microseconds in a double: the year 2255. */
const latestMs = Number.MAX_SAFE_INTEGER / 1000;

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= nine;
}

/** The start of a cell without blanks before it. */
export function trimStart(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) at += 1;
  return at;
}

/** The end of a cell without blanks after it. */
export function trimEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && (bytes[at - 1] === 0x20 || bytes[at - 1] === 0x09)) at -= 1;
  return at;
}

/**
 * A decimal number: sign, digits with an optional point, optional exponent; nothing else, no thousands
 * separators, no hexadecimal, no words. Correctly rounded (Clinger 1990: digits and power both exact).
 */
export function parseDecimal(bytes: Uint8Array, start: number, end: number): number {
  const negative = bytes[start] === minus;
  let at = negative || bytes[start] === plus ? start + 1 : start;
  let digits = 0;
  let significant = 0;
  let mantissa = 0;
  let fraction = 0;
  let afterPoint = false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (isDigit(byte)) {
      digits += 1;
      if (mantissa !== 0 || byte !== zero) significant += 1;
      mantissa = mantissa * 10 + (byte - zero);
      if (afterPoint) fraction += 1;
    } else if (byte === point && !afterPoint) afterPoint = true;
    else break;
  }
  if (digits === 0) return Number.NaN;
  const exponent = at < end ? parseExponent(bytes, at, end) : 0;
  const scale = exponent - fraction;
  if (significant <= 15 && Math.abs(scale) <= 22) {
    const size = scale < 0 ? mantissa / powersOfTen[-scale]! : mantissa * powersOfTen[scale]!;
    return negative ? -size : size;
  }
  if (Number.isNaN(exponent)) return Number.NaN;
  const value = Number(latin1(bytes, start, end));
  return Number.isFinite(value) ? value : Number.NaN;
}

function parseExponent(bytes: Uint8Array, at: number, end: number): number {
  if ((bytes[at]! | 0x20) !== 0x65) return Number.NaN;
  const negative = bytes[at + 1] === minus;
  const first = negative || bytes[at + 1] === plus ? at + 2 : at + 1;
  if (first >= end) return Number.NaN;
  let value = 0;
  for (let i = first; i < end; i++) {
    if (!isDigit(bytes[i])) return Number.NaN;
    value = Math.min(99_999, value * 10 + (bytes[i]! - zero));
  }
  return negative ? -value : value;
}

/** A whole number that fits 64 bits with sign. */
export function parseWhole(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  const signed = bytes[start] === minus || bytes[start] === plus;
  const first = signed ? start + 1 : start;
  if (first >= end || end - first > 40) return undefined;
  for (let i = first; i < end; i++) if (!isDigit(bytes[i])) return undefined;
  const size = BigInt(latin1(bytes, first, end));
  const value = bytes[start] === minus ? -size : size;
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

const truth = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

export function parseTruth(bytes: Uint8Array, start: number, end: number): boolean | undefined {
  return end - start > 5 ? undefined : truth.get(latin1(bytes, start, end).toLowerCase());
}

/** The text of a cell, doubled quotes undone; undefined if it is not UTF-8. */
export function parseText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const cell = bytes.subarray(start, end);
  if (!isUtf8(cell)) return undefined;
  const text = Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength).toString('utf8');
  const quoted = start > 0 && bytes[start - 1] === quote;
  return quoted ? text.replaceAll('""', '"') : text;
}

/** @returns ms since Unix epoch, exact to the microsecond, up to the year 2255 */
export function parseTime(bytes: Uint8Array, start: number, end: number, format: TimeFormat): number {
  let timeMs: number;
  if (format === 'iso') timeMs = parseIso(bytes, start, end);
  else {
    const value = parseDecimal(bytes, start, end);
    // In seconds 1e11 is the year 5138, in milliseconds it is 1973: nothing is ambiguous in between.
    const seconds = format === 'epochS' || (format === 'auto' && Math.abs(value) < 1e11);
    timeMs = seconds ? value * 1000 : value;
    if (format === 'auto' && Number.isNaN(value)) timeMs = parseIso(bytes, start, end);
  }
  return Math.abs(timeMs) <= latestMs ? Math.round(timeMs * 1000) / 1000 : Number.NaN;
}

/**
 * ISO 8601: `2026-11-21`, `2026-11-21T10:15`, `2026-11-21 10:15:30.123456`, with `Z` or an offset such as
 * `+01:00`. Without either it is UTC.
 */
export function parseIso(bytes: Uint8Array, start: number, end: number): number {
  const dayMs = parseDay(bytes, start, end);
  if (end - start === 10) return dayMs;
  const separator = bytes[start + 10];
  if (separator !== 0x20 && separator !== 0x54 && separator !== 0x74) return Number.NaN;
  const hour = twoDigits(bytes, start + 11, end, 23);
  const minute = bytes[start + 13] === colon ? twoDigits(bytes, start + 14, end, 59) : Number.NaN;
  let at = start + 16;
  let second = 0;
  if (bytes[at] === colon && at < end) {
    second = twoDigits(bytes, at + 1, end, 59);
    at += 3;
    if (at < end && bytes[at] === point) {
      const first = at + 1;
      at = first;
      while (at < end && isDigit(bytes[at])) at += 1;
      if (at === first || at - first > 15) return Number.NaN;
      second += Number(`0.${latin1(bytes, first, at)}`);
    }
  }
  return dayMs + (hour * 60 + minute) * 60_000 + second * 1000 - zoneMs(bytes, at, end);
}

function parseDay(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 10 || bytes[start + 4] !== minus || bytes[start + 7] !== minus) return Number.NaN;
  const year = twoDigits(bytes, start, end, 99) * 100 + twoDigits(bytes, start + 2, end, 99);
  const month = twoDigits(bytes, start + 5, end, 12);
  const day = twoDigits(bytes, start + 8, end, 31);
  if (Number.isNaN(year + month + day) || year < 100) return Number.NaN;
  const timeMs = Date.UTC(year, month - 1, day);
  // 31 April becomes 1 May, and month 0 December: not what stands there.
  const date = new Date(timeMs);
  return date.getUTCDate() === day && date.getUTCMonth() === month - 1 ? timeMs : Number.NaN;
}

function zoneMs(bytes: Uint8Array, at: number, end: number): number {
  if (at === end) return 0;
  const sign = bytes[at]!;
  if ((sign | 0x20) === 0x7a && at + 1 === end) return 0;
  if (sign !== plus && sign !== minus) return Number.NaN;
  const hours = twoDigits(bytes, at + 1, end, 23);
  const withColon = bytes[at + 3] === colon ? 1 : 0;
  const minutes = at + 3 === end ? 0 : twoDigits(bytes, at + 3 + withColon, end, 59);
  if (at + 3 !== end && at + 5 + withColon !== end) return Number.NaN;
  const offsetMs = (hours * 60 + minutes) * 60_000;
  return sign === plus ? offsetMs : -offsetMs;
}

function twoDigits(bytes: Uint8Array, at: number, end: number, largest: number): number {
  if (at + 2 > end || !isDigit(bytes[at]) || !isDigit(bytes[at + 1])) return Number.NaN;
  const value = (bytes[at]! - zero) * 10 + (bytes[at + 1]! - zero);
  return value <= largest ? value : Number.NaN;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
