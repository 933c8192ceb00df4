/**
 * A block as the store holds it: one byte of flags, perhaps notes, the block's own bytes.
 *
 * Notes are records that would otherwise be written beside the block. LevelDB moves tables down for nothing as long as
 * their keys only ever rise; a record rewritten under a fixed key in every commit makes it merge them instead, which
 * costs half as much again. So while blocks are only put, as in an outage, records travel within them.
 */
import { crc32c } from '@edgeward/shared/crc32c';
import type { Put } from './layout.js';

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
  return { flags, notes: parseNotes(packed), bytes: value.subarray(end) };
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

function parseNotes(json: Buffer): Put[] {
  const list = JSON.parse(json.toString('utf8')) as [string, string][];
  return list.map(([key, value]) => ({
    key: Buffer.from(key, 'base64'),
    value: Buffer.from(value, 'latin1'),
  }));
}
