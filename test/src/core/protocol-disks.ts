/** What really is on the disks, read without the processes that use them. */
import { unpackValue } from '@edgeward/agent/outbox/stored-value';
import { blockKey, storedBlock, storedHeader } from '@edgeward/collector/journal/layout';
import type { Described, RangeList, RecordBatch } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import type { MemoryDisk } from '@edgeward/shared/testing/memory-disk';
import { decodeBlock, parseDescribed } from '@edgeward/shared/wire';
import type { Found } from './protocol-oracle.js';

/** Positions of blocks begin with this on the collector's disk. */
const journalPrefix = blockKey(0).toString('latin1', 0, 1);
const outboxPrefix = 'z';
const schemaPrefix = 'q';

export class JournalReader {
  /** By the disk's own value, so that each is read once. */
  readonly #headers = new WeakMap<Buffer, { key: string; seq: number; voids: RangeList }>();

  /** What the disk would still have after a power cut, in the order of the journal. */
  found({ synced }: MemoryDisk): Found[] {
    const blocks = [...synced].filter(([key]) => key.startsWith(journalPrefix));
    blocks.sort(([a], [b]) => (a < b ? -1 : 1));
    const schemas = schemasIn(synced);
    return blocks.flatMap(([, value]) => {
      const { gateway, header, batch } = storedBlock(value, id => schemas.get(id));
      return foundIn(gateway, header.epoch, batch);
    });
  }

  safeSeqs({ synced }: MemoryDisk, gateway: string) {
    const [seqs, voids] = [new Map<string, RangeSet>(), new Map<string, RangeSet>()];
    for (const [key, value] of synced) {
      if (!key.startsWith(journalPrefix)) continue;
      const header = this.#headerOf(value);
      if (!header.key.startsWith(`${gateway}/`)) continue;
      const epoch = header.key.slice(gateway.length + 1);
      addTo(seqs, epoch, [[header.seq, header.seq]]);
      addTo(voids, epoch, header.voids);
    }
    return { seqs, voids };
  }

  #headerOf(value: Buffer) {
    const known = this.#headers.get(value);
    if (known) return known;
    const { gateway, header: read } = storedHeader(value);
    const { epoch, seq, voids = [] } = read;
    const header = { key: `${gateway}/${epoch}`, seq, voids };
    this.#headers.set(value, header);
    return header;
  }
}

/** Readings that an agent would find in its outbox if it started now. */
export function idsInOutbox({ entries }: MemoryDisk): Set<number> {
  const ids = new Set<number>();
  const schemas = schemasIn(entries);
  for (const [key, value] of entries) {
    const stored = key.startsWith(outboxPrefix) ? unpackValue(value) : undefined;
    if (!stored) continue;
    const { values } = decodeBlock(stored.bytes, id => schemas.get(id)).batch;
    for (const id of values[0]!) ids.add(Number(id));
  }
  return ids;
}

export function foundIn(gateway: string, epoch: string, batch: RecordBatch): Found[] {
  return [...batch.row].map((row, i) => ({
    id: Number(batch.values[0]![i]),
    gateway,
    device: batch.schema.devices[batch.device[i]!]!,
    epoch,
    row,
  }));
}

function schemasIn(entries: ReadonlyMap<string, Buffer>): Map<string, Described> {
  const schemas = new Map<string, Described>();
  for (const [key, value] of entries) {
    const described = key.startsWith(schemaPrefix) ? parseDescribed(JSON.parse(value.toString())) : undefined;
    if (described) schemas.set(described.id, described);
  }
  return schemas;
}

function addTo(sets: Map<string, RangeSet>, epoch: string, ranges: RangeList): void {
  const set = sets.get(epoch) ?? new RangeSet();
  sets.set(epoch, set);
  for (const [from, through] of ranges) set.add(from, through);
}
