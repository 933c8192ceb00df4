/** What simple publishers send on `json`, and what is refused in it: never silently, and never half of a message. */
import { namePattern } from '@edgeward/shared/topics';

export type JsonValue = number | boolean | string | null;

export interface JsonRow {
  readonly device: string;
  /** ms since Unix epoch; undefined = when it arrived. */
  readonly timeMs: number | undefined;
  readonly values: ReadonlyMap<string, JsonValue>;
}

export interface JsonMessage {
  readonly id: string | undefined;
  readonly rows: readonly JsonRow[];
}

/** Which field has which value and what is wrong with it. */
export class JsonFault extends Error {
  constructor(
    readonly field: string,
    readonly value: unknown,
    readonly reason: string,
    /** Of the message, if that much was understood. */
    readonly id?: string,
  ) {
    super(`${field}: ${reason}`);
  }
}

const maxRows = 10_000;
const maxFields = 256;
const maxName = 128;
const maxText = 4096;
const maxId = 128;
/** The year 2248: what is beyond was meant in another unit, and its microseconds would not be exact in a double. */
const maxTimeMs = 2 ** 43;

/** @throws JsonFault */
export function parseJsonMessage(payload: Uint8Array): JsonMessage {
  const json = parsed(payload);
  if (Array.isArray(json)) return { id: undefined, rows: rowsOf(json, '') };
  const message = objectOf(json, 'message');
  const id = idOf(message.id);
  try {
    if (message.rows === undefined) return { id, rows: [rowOf(message, '')] };
    if (!Array.isArray(message.rows)) throw new JsonFault('rows', message.rows, 'must be a list of rows');
    refuseOthers(message, ['id', 'rows'], '');
    return { id, rows: rowsOf(message.rows, 'rows') };
  } catch (error) {
    if (error instanceof JsonFault) throw new JsonFault(error.field, error.value, error.reason, id);
    throw error;
  }
}

function parsed(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString('utf8'));
  } catch {
    const text = Buffer.from(payload.subarray(0, 80)).toString('utf8');
    throw new JsonFault('message', text, 'is not JSON; send {"device":"…","values":{"…":1}}');
  }
}

function rowsOf(list: readonly unknown[], at: string): JsonRow[] {
  if (list.length === 0 || list.length > maxRows)
    throw new JsonFault(at || 'message', list.length, `must have 1 to ${maxRows} rows`);
  return list.map((row, i) => rowOf(objectOf(row, `${at}[${i}]`), `${at}[${i}].`));
}

function rowOf(row: Readonly<Record<string, unknown>>, at: string): JsonRow {
  refuseOthers(row, ['id', 'device', 'time', 'values'], at);
  const { device, time } = row;
  if (typeof device !== 'string' || !namePattern.test(device))
    throw new JsonFault(
      `${at}device`,
      device,
      'must be a name: letters, digits, _ . - only, beginning with a letter or digit, at most 64',
    );
  return { device, timeMs: timeOf(time, `${at}time`), values: valuesOf(row.values, `${at}values`) };
}

function timeOf(time: unknown, field: string): number | undefined {
  if (time === undefined || time === null) return undefined;
  const ms = typeof time === 'string' ? Date.parse(time) : time;
  if (typeof ms === 'number' && Number.isFinite(ms) && ms >= 0 && ms < maxTimeMs) return ms;
  throw new JsonFault(field, time, 'must be ms since 1970 or a text like 2026-01-31T12:00:00Z');
}

function valuesOf(json: unknown, field: string): Map<string, JsonValue> {
  const entries = Object.entries(objectOf(json, field));
  if (entries.length === 0 || entries.length > maxFields)
    throw new JsonFault(field, entries.length, `must have 1 to ${maxFields} fields`);
  return new Map(
    entries.map(([name, value]) => [name, cellOf(name, value, `${field}.${name.slice(0, maxName)}`)]),
  );
}

function cellOf(name: string, value: unknown, field: string): JsonValue {
  if (name.length === 0 || name.length > maxName)
    throw new JsonFault(field, name.slice(0, maxName), `must be named with 1 to ${maxName} characters`);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'string' && value.length <= maxText) return value;
  throw new JsonFault(
    field,
    value,
    `must be a number, true or false, null, or a text of at most ${maxText} characters`,
  );
}

function idOf(id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined;
  if (typeof id === 'string' && id.length > 0 && id.length <= maxId) return id;
  throw new JsonFault('id', id, `must be a text of 1 to ${maxId} characters`);
}

function objectOf(json: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json))
    return json as Readonly<Record<string, unknown>>;
  throw new JsonFault(field, json, 'must be an object');
}

function refuseOthers(json: Readonly<Record<string, unknown>>, known: readonly string[], at: string): void {
  for (const key of Object.keys(json))
    if (!known.includes(key))
      throw new JsonFault(`${at}${key}`, json[key], `is unknown; known are ${known.join(', ')}`);
}
