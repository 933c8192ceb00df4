/** Payloads of messages to values. A payload that is none is told by a reason, never by an exception. */
import { Buffer, isUtf8 } from 'node:buffer';
import type { Value } from '@edgeward/shared/batch';
import type { FieldKind } from '@edgeward/shared/contracts';
import { namePattern } from '@edgeward/shared/topics';
import { parseDecimal, parseTime, type TimeFormat } from '../csv-values.js';
import type { Message } from './frames.js';

/** Why a message cannot become a row. Few and fixed, because they are counted. */
export class Unreadable {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

const longestText = 1024;
/** Space; below it are line ends and tabs. */
const blank = 0x20;
/** Deeper objects are no readings. */
const deepest = 4;
const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['true', '1', 'on', 'yes'].map(text => [text, true] as const),
  ...['false', '0', 'off', 'no'].map(text => [text, false] as const),
]);

const none = {
  number: new Unreadable('the payload is not a number'),
  bool: new Unreadable('the payload is not true or false'),
  text: new Unreadable('the payload is not UTF-8 text of at most 1024 bytes'),
  json: new Unreadable('the payload is not a JSON object'),
} as const;

/** One plain value. */
export function readPlain(
  kind: 'number' | 'bool' | 'text',
  { bytes, payloadAt, end }: Message,
): number | boolean | string | Unreadable {
  if (kind === 'text') {
    const text = bytes.subarray(payloadAt, end);
    return text.length > longestText || !isUtf8(text) ? none.text : text.toString('utf8');
  }
  let [from, to] = [payloadAt, end];
  while (to > from && bytes[to - 1]! <= blank) to -= 1;
  while (from < to && bytes[from]! <= blank) from += 1;
  if (kind === 'bool') return booleans.get(bytes.toString('latin1', from, to).toLowerCase()) ?? none.bool;
  const value = parseDecimal(bytes, from, to);
  return Number.isNaN(value) ? none.number : value;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function readJson({ bytes, payloadAt, end }: Message): JsonObject | Unreadable {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8', payloadAt, end));
    return isObject(value) ? value : none.json;
  } catch {
    return none.json;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands at a path; undefined if nothing does. */
export function valueAt(object: JsonObject, path: readonly string[]): unknown {
  let at: unknown = object;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as JsonObject)[key];
  }
  return at;
}

/** A number may be written as text; undefined = nothing there. What else there is the column will mark invalid. */
export function asValue(found: unknown, kind: FieldKind): Value {
  if (typeof found === 'string' && (kind === 'float' || kind === 'int')) {
    const text = Buffer.from(found.trim());
    const value = parseDecimal(text, 0, text.length);
    return Number.isNaN(value) ? found : value;
  }
  const plain = typeof found === 'number' || typeof found === 'boolean' || typeof found === 'string';
  return plain ? found : found === undefined || found === null ? undefined : '';
}

/** Every number and boolean of an object, by its path as a field name, but for what stands at `except`. */
export function* readings(
  object: JsonObject,
  except: string | undefined,
  prefix = '',
  depth = 1,
): Generator<[name: string, value: number | boolean]> {
  for (const [key, value] of Object.entries(object)) {
    const path = prefix + key;
    if (path === except) continue;
    if (typeof value === 'number' || typeof value === 'boolean') {
      const name = fieldName(path);
      if (name !== undefined) yield [name, value];
    } else if (isObject(value) && depth < deepest) yield* readings(value, except, `${path}.`, depth + 1);
  }
}

/** A field name may hold less than a JSON key. */
export function fieldName(text: string): string | undefined {
  const name = text.replace(/[^A-Za-z0-9_.-]/g, '_');
  return namePattern.test(name) ? name : undefined;
}

/** ms since Unix epoch; NaN if it is no time. */
export function readTime(found: unknown, format: TimeFormat): number {
  if (typeof found !== 'number' && typeof found !== 'string') return Number.NaN;
  const text = Buffer.from(String(found).trim());
  return parseTime(text, 0, text.length, format);
}
