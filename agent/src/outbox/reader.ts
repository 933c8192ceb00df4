/** Reads stored blocks back, in chunks, and counts what is no longer readable as damaged. */
import type { DeviceRows } from '@edgeward/shared/batch';
import type { Described, TraceContext } from '@edgeward/shared/contracts';
import { type BlockHeader, namedRows, readHeader } from '@edgeward/shared/wire';
import type { Core } from './core.js';
import type { Epoch } from './epochs.js';
import { blockKey } from './layout.js';
import { type StoredValue, unpackValue } from './stored-value.js';

export const chunkBytes = 256 * 1024;
export const chunkBlocks = 256;
/** Seqs that are passed over rather than begin another search. */
const maxSkip = 64;

export interface StoredBlock {
  readonly epoch: Epoch;
  readonly seq: number;
  readonly flags: number;
  readonly bytes: Buffer;
  readonly header: BlockHeader;
  readonly described: Described;
  readonly devices: readonly DeviceRows[];
  readonly trace?: TraceContext;
}

/** As the quota counts it. */
export function sizeOf({ bytes }: { readonly bytes: Uint8Array }): number {
  return bytes.length + 1;
}

/** What a value holds, if all of it is whole and its schema known. */
export function openValue(
  value: Buffer,
  describedOf: (id: string) => Described | undefined,
): (Pick<StoredBlock, 'header' | 'described' | 'devices'> & StoredValue) | undefined {
  try {
    const stored = unpackValue(value);
    if (!stored) return undefined;
    const header = readHeader(stored.bytes);
    const described = describedOf(header.schemaId);
    return described && { ...stored, header, described, devices: namedRows(header.devices, described) };
  } catch {
    return undefined;
  }
}

/**
 * The blocks with the lowest of these seqs, as many as make a chunk. Those that cannot be read any more are noted as
 * lost. Throws what the store throws: a read that fails may succeed later.
 * @param seqs  of stored blocks, sorted
 */
export async function readChunk(core: Core, epoch: Epoch, seqs: readonly number[]): Promise<StoredBlock[]> {
  const blocks: StoredBlock[] = [];
  let bytes = 0;
  for (let at = 0; at < seqs.length && bytes < chunkBytes; ) {
    const run = runFrom(seqs, at);
    at += run.length;
    const values = await valuesOf(core, epoch, run, chunkBytes - bytes);
    for (const [i, seq] of run.entries()) {
      if (i >= values.length) return blocks; // the chunk is full
      if (!epoch.stored.has(seq)) continue; // released meanwhile
      const block = await blockOf(core, epoch, seq, values[i]);
      if (!block) continue;
      blocks.push(block);
      bytes += block.bytes.length;
    }
  }
  return blocks;
}

/** Seqs that lie near enough for one iterator. */
function runFrom(seqs: readonly number[], at: number): number[] {
  let end = at + 1;
  while (end < seqs.length && end - at < chunkBlocks && seqs[end]! - seqs[end - 1]! <= maxSkip) end += 1;
  return seqs.slice(at, end);
}

/** One value a seq, undefined where there is none; fewer once they come to `maxBytes`. */
async function valuesOf(
  { store }: Core,
  { counter }: Epoch,
  run: readonly number[],
  maxBytes: number,
): Promise<(Buffer | undefined)[]> {
  const values: (Buffer | undefined)[] = [];
  let bytes = 0;
  const [gte, lte] = [blockKey(counter, run[0]!), blockKey(counter, run.at(-1)!)];
  for await (const [key, value] of store.db.iterator({ gte, lte, fillCache: false })) {
    const seq = Number(key.readBigUInt64BE(9));
    while (values.length < run.length && run[values.length]! < seq) values.push(undefined);
    if (run[values.length] !== seq) continue;
    values.push(value);
    bytes += value.length;
    if (bytes >= maxBytes) return values;
  }
  while (values.length < run.length) values.push(undefined);
  return values;
}

async function blockOf(
  core: Core,
  epoch: Epoch,
  seq: number,
  value: Buffer | undefined,
): Promise<StoredBlock | undefined> {
  const found = value ?? (await core.store.db.get(blockKey(epoch.counter, seq)));
  const block = found && openValue(found, id => core.schemas.get(id));
  if (block && block.header.seq === seq && block.header.epoch === epoch.name) return { epoch, seq, ...block };
  if (epoch.stored.has(seq)) lose(core, epoch, seq);
  return undefined;
}

/** Its rows are not known any more: damage.ts finds out which are missing. */
function lose(core: Core, epoch: Epoch, seq: number): void {
  epoch.delete(seq, epoch.bytes / Math.max(1, epoch.blocks));
  if (epoch === core.live) core.voids.add(seq, seq, core.nextSeq);
  core.lose(epoch, seq);
}
