/**
 * A block as the store holds it: one byte of flags, perhaps notes, the block's own bytes.
 *
 * Notes are records that would otherwise be written beside the block. LevelDB moves tables down for nothing as long as
 * their keys only ever rise; a record rewritten under a fixed key in every commit makes it merge them instead, which
 * costs half as much again. So while blocks are only put, as in an outage, records travel within them.
 */
import type { TraceContext } from '@edgeward/shared/contracts';
import { crc32c } from '@edgeward/shared/crc32c';
import { parseTrace } from '@edgeward/shared/trace/context';
import { keptKey, type Put, packRecord, parseRecord } from './layout.js';

export const Flag = {
  /** It may have been sent: only a receipt may end its life. */
  sent: 1 << 0,
  thinned: 1 << 1,
  /** Holds rows that a model or a rule flagged. */
  anomalous: 1 << 2,
  noted: 1 << 3,
} as const;

const allFlags = 0xf;

export interface StoredValue {
  readonly flags: number;
  readonly notes: readonly Put[];
  readonly trace?: TraceContext;
  readonly bytes: Buffer;
}

export function packValue(flags: number, bytes: Uint8Array, notes: readonly Put[] = []): Buffer {
  const all = flags | (notes.length ? Flag.noted : 0);
  // The upper half repeats the lower one inverted: a flipped bit must not call a sent block unsent.
  const head = Buffer.of(all | ((~all & allFlags) << 4));
  return Buffer.concat(notes.length ? [head, packNotes(notes), bytes] : [head, bytes]);
}

/** Undefined if its own part of the value is damaged; the block's bytes are for their reader to check. */
export function unpackValue(value: Buffer): StoredValue | undefined {
  const head = value[0] ?? 0;
  const flags = head & allFlags;
  if (head >> 4 !== (~flags & allFlags)) return undefined;
  if (!(flags & Flag.noted)) return { flags, notes: [], bytes: value.subarray(1) };
  if (value.length < 9) return undefined;
  const end = 9 + value.readUInt32LE(1);
  const packed = value.subarray(9, end);
  if (end > value.length || crc32c(packed) !== value.readUInt32LE(5)) return undefined;
  return { flags, ...parseNotes(packed), bytes: value.subarray(end) };
}

/**
 * The context of a trace goes beside its block and not within: a release that knows no traces still reads the block,
 * and takes this note for something that somebody else has saved.
 */
const traceKey = keptKey('trace');

export function traceNotes(trace: TraceContext | undefined): Put[] {
  return trace ? [{ key: traceKey, value: packRecord({ n: 0, state: trace }) }] : [];
}

/** Length, checksum, then keys and values as base64 in JSON. */
function packNotes(notes: readonly Put[]): Buffer {
  const json = Buffer.from(
    JSON.stringify(notes.map(({ key, value }) => [key.toString('base64'), value.toString('latin1')])),
  );
  const head = Buffer.alloc(8);
  head.writeUInt32LE(json.length, 0);
  head.writeUInt32LE(crc32c(json), 4);
  return Buffer.concat([head, json]);
}

function parseNotes(json: Buffer): Pick<StoredValue, 'notes' | 'trace'> {
  const list = JSON.parse(json.toString('utf8')) as [string, string][];
  const all = list.map(([key, value]) => ({
    key: Buffer.from(key, 'base64'),
    value: Buffer.from(value, 'latin1'),
  }));
  const traced = all.find(({ key }) => key.equals(traceKey));
  if (!traced) return { notes: all };
  const trace = parseTrace(parseRecord('k', traced.value)?.state);
  return { notes: all.filter(note => note !== traced), ...(trace && { trace }) };
}
