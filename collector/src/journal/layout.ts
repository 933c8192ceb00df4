/**
 * Keys and values of the journal. One letter tells what a record is:
 *   d position → block     r gateway/epoch → received    c consumer → cursor       q id → schema
 *   p 3 → positions of those that no block ever had      p 4 → where the clock was set back
 *   p 2 → checkpoint: what was received through that position is in the r records
 *   g gateway/outbox → last report    a gateway/outbox → account    i gateway → identity
 *   n number → event       x id → dead letter            l sink → what it lost     p 1 → positions that are gone
 *   f id → dead letter of a sink      k sink → such letters that were given up      w → dead letters that were
 *   o sink → how it is followed         b sink → rows that are not for it    t sink → the same, of one that left
 *   j gateway → fields of JSON publishers                y gateway, number → id of a JSON message     s marker
 */
import type { Delivery, Described, TraceContext } from '@edgeward/shared/contracts';
import { jsonValue, numberKey, type Store, type StoreDatabase, textKey } from '@edgeward/shared/store';
import {
  type Block,
  type BlockHeader,
  decodeBlock,
  describedToJson,
  readHeader,
} from '@edgeward/shared/wire';

export const journalStoreVersion = 1;

export const blockKey = (position: number) => numberKey('d', position);
export const blockEnd = Buffer.from('e');
export const goneKey = numberKey('p', 1);
export const checkpointKey = numberKey('p', 2);
export const unusedKey = numberKey('p', 3);
export const clockStepsKey = numberKey('p', 4);
export const markerKey = Buffer.from('s');

export type Write =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

export function put(key: Buffer, value: unknown): Write {
  return { type: 'put', key, value: Buffer.isBuffer(value) ? value : jsonValue(value) };
}

export function del(key: Buffer): Write {
  return { type: 'del', key };
}

export function schemaPut(described: Described): Write {
  return put(textKey('q', described.id), describedToJson(described));
}

/** What a block does not say itself. */
export interface BlockFacts {
  readonly gateway: string;
  /** Whose epoch it is; '' = unknown. */
  readonly outbox: string;
  /** When it came, ms since Unix epoch by the collector's clock. */
  readonly ingestedMs: number;
  readonly late: boolean;
  /** Of the gateway, as known then. */
  readonly site?: string;
}

/** In front of each stored block, before the names of gateway, outbox and site: time, flags, lengths of the names. */
const prefixBytes = 16;
const lateFlag = 1;
const maxNameBytes = 255;

export function blockValue(
  { gateway, outbox, ingestedMs, late, site = '' }: BlockFacts,
  bytes: Uint8Array,
): Buffer {
  const [first, second, third] = [nameBytes(gateway), nameBytes(outbox), nameBytes(site)];
  const siteAt = prefixBytes + first + second;
  const blockAt = siteAt + third;
  const value = Buffer.allocUnsafe(blockAt + bytes.length);
  value.fill(0, 0, blockAt);
  value.writeDoubleLE(ingestedMs, 0);
  value[8] = late ? lateFlag : 0;
  value[9] = first;
  value[10] = second;
  value[11] = third;
  value.write(gateway, prefixBytes, first);
  value.write(outbox, prefixBytes + first, second);
  value.write(site, siteAt, third);
  value.set(bytes, blockAt);
  return value;
}

function nameBytes(name: string): number {
  return Math.min(Buffer.byteLength(name), maxNameBytes);
}

/** @throws what `decodeBlock` throws */
export function storedBlock(
  value: Buffer,
  describedOf: (id: string) => Described | undefined,
): BlockFacts & Block {
  const { facts, bytes } = split(value);
  return { ...facts, ...decodeBlock(bytes, describedOf) };
}

/** Without the columns. @throws what `readHeader` throws */
export function storedHeader(value: Buffer): BlockFacts & { header: BlockHeader } {
  const { facts, bytes } = split(value);
  return { ...facts, header: readHeader(bytes) };
}

/** As it lies there, for whoever decodes it elsewhere. @throws what `readHeader` throws */
export function storedBytes(value: Buffer): Pick<BlockFacts, 'gateway' | 'ingestedMs'> & {
  schemaId: string;
  bytes: Uint8Array;
} {
  const { facts, bytes } = split(value);
  return {
    gateway: facts.gateway,
    ingestedMs: facts.ingestedMs,
    schemaId: readHeader(bytes).schemaId,
    bytes,
  };
}

/** When a stored block came. */
export function ingestedMsOf(value: Buffer): number | undefined {
  return value.length < prefixBytes ? undefined : value.readDoubleLE(0);
}

function split(value: Buffer): { facts: BlockFacts; bytes: Uint8Array } {
  const outboxAt = prefixBytes + (value[9] ?? 0);
  const siteAt = outboxAt + (value[10] ?? 0);
  const blockAt = siteAt + (value[11] ?? 0);
  const facts = {
    gateway: value.toString('utf8', prefixBytes, outboxAt),
    outbox: value.toString('utf8', outboxAt, siteAt),
    late: ((value[8] ?? 0) & lateFlag) !== 0,
    ingestedMs: value.readDoubleLE(0),
    ...(blockAt > siteAt && { site: value.toString('utf8', siteAt, blockAt) }),
  };
  return { facts, bytes: value.subarray(blockAt) };
}

/** Of the trace that a block carries, where the next span hangs. */
export type NextTrace = (carried: TraceContext) => TraceContext;

/** @param next  absent = nothing was put between: where the block says */
export function toDelivery(
  position: number,
  { gateway, ingestedMs, late, site, header, batch }: Omit<BlockFacts, 'outbox'> & Block,
  next?: NextTrace,
): Delivery {
  const { epoch, seq, trace } = header;
  const delivery = { gateway, epoch, seq, position, ingestedMs, late, batch };
  if (trace) Object.assign(delivery, { trace: next ? next(trace) : trace });
  return site === undefined ? delivery : { ...delivery, site };
}

/** Values under a prefix as JSON, with the rest of the key; undefined where they are none. */
export async function* jsonRecords(
  { db }: Pick<Store, 'db'>,
  prefix: string,
): AsyncGenerator<[string, unknown]> {
  for await (const [key, value] of db.iterator(rangeOf(prefix))) {
    yield [key.toString('utf8', prefix.length), parseJson(value)];
  }
}

export function rangeOf(prefix: string): { gte: Buffer; lt: Buffer } {
  return { gte: Buffer.from(prefix), lt: Buffer.from(String.fromCharCode(prefix.charCodeAt(0) + 1)) };
}

export function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The number of the last key under a prefix; 0 = none. */
export function lastNumber(db: StoreDatabase, prefix: string): Promise<number> {
  return endNumber(db, prefix, true);
}

/** Of the first; 0 = none. */
export function firstNumber(db: StoreDatabase, prefix: string): Promise<number> {
  return endNumber(db, prefix, false);
}

async function endNumber(db: StoreDatabase, prefix: string, reverse: boolean): Promise<number> {
  for await (const key of db.keys({ ...rangeOf(prefix), reverse, limit: 1 }))
    return Number(key.readBigUInt64BE(prefix.length));
  return 0;
}
