/**
 * What lies where in the outbox's store.
 *
 * | key | value |
 * |---|---|
 * | `z` start counter, seq | a block, see stored-value.ts |
 * | `e` start counter | EpochRecord |
 * | `o` start counter | SentRecord |
 * | `r` start counter, device | RowsRecord |
 * | `l` device | DeviceRecord |
 * | `p` source | PositionRecord |
 * | `k` name | KeptRecord |
 * | `c` | CondensedRecord |
 * | `q` schema id | a schema, JSON |
 * | `t` | time of the last commit, ms, double |
 * | `s` | copy of the marker |
 *
 * Blocks sort behind all else: what is written during an outage lies behind whatever was written before it, so that
 * LevelDB moves its tables from level to level as they are. Records behind the blocks would make it merge them.
 *
 * Records carry a checksum and the number of the commit that wrote them. The newest one under a key holds, whether it
 * was written there or as a note within a block.
 */
import { crc32c } from '@edgeward/shared/crc32c';
import { numberKey, textKey } from '@edgeward/shared/store';
import { epochPattern } from '@edgeward/shared/wire';
import { z } from 'zod';

export const outboxStoreVersion = 2;
export const markerKey = Buffer.from('s');
export const lastCommitKey = Buffer.from('t');
export const condensedKey = Buffer.from('c');

export const blockKey = (counter: number, seq: number) => numberKey('z', counter, seq);
export const endOfBlocks = Buffer.from('{');
export const epochKey = (counter: number) => numberKey('e', counter);
export const sentKey = (counter: number) => numberKey('o', counter);
export const rowsKey = (counter: number, device: string) =>
  Buffer.concat([numberKey('r', counter), Buffer.from(device)]);
export const deviceKey = (device: string) => textKey('l', device);
export const positionKey = (source: string) => textKey('p', source);
export const keptKey = (name: string) => textKey('k', name);

const count = z.int().min(0);
const n = count;
const ranges = z.array(z.tuple([count, count]));

export const recordSchemas = {
  e: z.object({
    n,
    epoch: z.string().regex(epochPattern),
    /** Seqs on disk; null = too many pieces to say. */
    stored: ranges.nullable(),
    /** Seqs of those that the collector has journaled and not released. */
    journaled: ranges,
  }),
  /** Up to this seq, blocks may have been sent. */
  o: z.object({ n, through: count }),
  /** Row numbers that the device's `read` counts. */
  r: z.object({ n, rows: ranges }),
  l: z.object({
    n,
    read: count,
    delivered: count,
    rejected: count,
    thinned: count,
    dropped: count,
    damaged: count,
  }),
  p: z.object({
    n,
    position: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  }),
  k: z.object({ n, state: z.unknown() }),
  c: z.object({ n, through: count }),
} as const;

export type RecordKind = keyof typeof recordSchemas;
export type EpochRecord = z.infer<typeof recordSchemas.e>;
export type DeviceRecord = z.infer<typeof recordSchemas.l>;

/** Checksum, then JSON. */
export function packRecord<T extends { readonly n: number }>(record: T): Buffer {
  const json = Buffer.from(JSON.stringify(record), 'utf8');
  const value = Buffer.allocUnsafe(4 + json.length);
  value.writeUInt32LE(crc32c(json), 0);
  json.copy(value, 4);
  return value;
}

/** Undefined for anything that is no whole record of that kind. */
export function parseRecord<K extends RecordKind>(
  kind: K,
  value: Buffer,
): z.infer<(typeof recordSchemas)[K]> | undefined {
  const json = value.subarray(4);
  if (value.length < 4 || crc32c(json) !== value.readUInt32LE(0)) return undefined;
  try {
    return recordSchemas[kind].safeParse(JSON.parse(json.toString('utf8'))).data as
      | z.infer<(typeof recordSchemas)[K]>
      | undefined;
  } catch {
    return undefined;
  }
}

export function timePut(nowMs: number): Put {
  const value = Buffer.alloc(8);
  value.writeDoubleLE(nowMs, 0);
  return { key: lastCommitKey, value };
}

/** One put of a record. */
export interface Put {
  readonly key: Buffer;
  readonly value: Buffer;
}
