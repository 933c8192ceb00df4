/** Values and times of Influx line protocol, from their text. */
import type { CellValue } from './http-devices.js';

export const precisions = ['ns', 'us', 'ms', 's'] as const;
export type Precision = (typeof precisions)[number];

/** As version 1 of InfluxDB spells them. */
const olderNames: Readonly<Record<string, Precision>> = { n: 'ns', u: 'us', µ: 'us' };

/** Undefined for what is none. */
export function precisionNamed(name: string): Precision | undefined {
  return precisions.find(precision => precision === name) ?? olderNames[name];
}

/** How many digits are below a millisecond; negative: zeros to append. */
export const digitsBelowMs: Readonly<Record<Precision, number>> = { ns: 6, us: 3, ms: 0, s: -3 };

/** Up to here, ms, a time keeps its microseconds in a double: the year 2255. */
export const latestMs = Number.MAX_SAFE_INTEGER / 1000;

/** @returns ms since Unix epoch, exact to the microsecond; NaN = none, or out of reach */
export function readTimestamp(token: string, precision: Precision): number {
  if (!/^-?\d{1,19}$/.test(token)) return Number.NaN;
  const below = digitsBelowMs[precision];
  let timeMs: number;
  if (below <= 0) timeMs = Number(token) * 10 ** -below;
  else {
    // In two parts, because 19 digits are more than a double has.
    const negative = token.charCodeAt(0) === 0x2d;
    const digits = (negative ? token.slice(1) : token).padStart(below + 1, '0');
    const us = Number(digits.slice(0, -below)) * 1000 + Number(digits.slice(-below)) / 10 ** (below - 3);
    timeMs = Math.round(negative ? -us : us) / 1000;
  }
  return Math.abs(timeMs) <= latestMs ? timeMs : Number.NaN;
}

const truths: Readonly<Record<string, boolean>> = {
  t: true,
  T: true,
  true: true,
  True: true,
  TRUE: true,
  f: false,
  F: false,
  false: false,
  False: false,
  FALSE: false,
};

/** A number (`1.5`, `-2e3`), a whole one (`3i`, `3u`) or a truth (`t`, `true` …); undefined = none of these. */
export function readFieldValue(token: string): CellValue | undefined {
  const last = token.charCodeAt(token.length - 1);
  if (last >= 0x30 && last <= 0x39) return readNumber(token);
  if (last === 0x69 || last === 0x75) return readWhole(token.slice(0, -1), last === 0x75);
  return Object.hasOwn(truths, token) ? truths[token] : readNumber(token);
}

function readNumber(token: string): number | undefined {
  // Without this, Number would take "0x1f" and "".
  if (!/^[-+.\deE]+$/.test(token)) return undefined;
  const value = Number(token);
  return Number.isFinite(value) ? value : undefined;
}

function readWhole(digits: string, unsigned: boolean): bigint | undefined {
  if (!(unsigned ? /^\d{1,20}$/ : /^[-+]?\d{1,19}$/).test(digits)) return undefined;
  const value = BigInt(digits.startsWith('+') ? digits.slice(1) : digits);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}
