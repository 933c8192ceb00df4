/**
 * What an earlier start left: one pass over all blocks, each checked, held against what was saved of them.
 *
 * - A block whose rows the saved ledger does not have was stored after the last save: its rows are added.
 * - One that the saved record of its epoch does not have, though the ledger has its rows, had ended already: its
 *   delete was still to come.
 * - Rows that should be held and are not found are damaged.
 */
import type { DeviceRows } from '@edgeward/shared/batch';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { numberInKey, type StoreDatabase } from '@edgeward/shared/store';
import { addRows } from './damage.js';
import { Epoch, Epochs } from './epochs.js';
import type { HeldRowSpans } from './held-rows.js';
import { blockKey, endOfBlocks, lastCommitKey } from './layout.js';
import { heldBy, Ledger } from './ledger.js';
import { openValue, sizeOf } from './reader.js';
import { SavedRecords } from './saved-records.js';
import { Schemas } from './schemas.js';
import { Flag, unpackValue } from './stored-value.js';

export interface Recovered {
  readonly epochs: Epochs;
  readonly ledger: Ledger;
  readonly schemas: Schemas;
  readonly saved: SavedRecords;
  /** Lost blocks by epoch, as far as their seqs are known. */
  readonly lost: ReadonlyMap<Epoch, RangeSet>;
  /** Lost rows by device. */
  readonly damaged: ReadonlyMap<string, number>;
  /** To be deleted: damaged, over, or of no use. */
  readonly deletes: readonly Buffer[];
  /** Blocks that could not be read. */
  readonly unreadable: number;
  /** Wall time of the last commit, ms. */
  readonly lastCommitMs: number | undefined;
}

/** @param closedCleanly  then no record is only a note within a block */
export async function recover(db: StoreDatabase, closedCleanly: boolean): Promise<Recovered> {
  const schemas = await Schemas.load(db);
  const saved = await SavedRecords.load(db);
  if (!closedCleanly) await addNotes(db, saved);
  const recovery = new Recovery(saved, schemas);
  for await (const [key, value] of blocksOf(db)) recovery.add(key, value);
  const lastCommit = await db.get(lastCommitKey);
  return recovery.finish(lastCommit?.length === 8 ? lastCommit.readDoubleLE(0) : undefined);
}

function blocksOf(db: StoreDatabase) {
  return db.iterator({ gte: blockKey(0, 0), lt: endOfBlocks, fillCache: false });
}

/** Notes come first: what they say decides how the blocks are taken. */
async function addNotes(db: StoreDatabase, saved: SavedRecords): Promise<void> {
  for await (const [, value] of blocksOf(db)) {
    if (!((value[0] ?? 0) & Flag.noted)) continue;
    for (const { key, value: record } of unpackValue(value)?.notes ?? []) saved.add(key, record, true);
  }
}

class Recovery {
  readonly #saved: SavedRecords;
  readonly #schemas: Schemas;
  readonly #epochs = new Epochs();
  readonly #ledger = new Ledger();
  readonly #found = new Map<Epoch, Map<string, HeldRowSpans>>();
  /** Rows of blocks that the saved ledger counts as held, by device. */
  readonly #foundSaved = new Map<string, number>();
  readonly #lost = new Map<Epoch, RangeSet>();
  readonly #deletes: Buffer[] = [];
  readonly #schemaIds = new Set<string>();
  #newestMs: number | undefined;
  #unreadable = 0;

  constructor(saved: SavedRecords, schemas: Schemas) {
    this.#saved = saved;
    this.#schemas = schemas;
    this.#ledger.condensedThrough = saved.condensedThrough;
    for (const [device, record] of saved.devices) this.#ledger.load(device, record);
    for (const [counter, { epoch }] of saved.epochs) this.#add(counter, epoch);
    for (const { counter, device, rows } of saved.rows())
      for (const [from, through] of rows) this.#ledger.rowsOf(counter, device).add(from, through);
    this.#ledger.dirty.clear();
  }

  add(key: Buffer, value: Buffer): void {
    const [counter, seq] = [numberInKey(key, 0), numberInKey(key, 1)];
    const block = openValue(value, id => this.#schemas.get(id));
    if (!block || block.header.seq !== seq || !this.#belongs(counter, block.header.epoch)) {
      this.#lose(counter, seq, key);
      return;
    }
    const { header, devices, flags } = block;
    const epoch = this.#epochs.get(header.epoch) ?? this.#add(counter, header.epoch);
    if (this.#isOver(epoch, seq, devices)) {
      this.#deletes.push(key);
      return;
    }
    this.#schemaIds.add(header.schemaId);
    this.#newestMs = Math.max(this.#newestMs ?? header.atMs, header.atMs);
    const journaled = this.#saved.isJournaled(counter, seq);
    epoch.store(seq, sizeOf(block));
    if (flags & Flag.sent) epoch.flagged.add(seq);
    if (flags & Flag.sent || seq <= epoch.sentThrough) epoch.sent.add(seq);
    if (flags & Flag.anomalous) epoch.anomalous.add(seq);
    if (header.clock) epoch.stamped.add(seq);
    if (journaled) epoch.journal(seq, sizeOf(block));
    this.#countRows(epoch, devices, journaled);
    epoch.dirty = epoch.rowsChanged; // else all is as it was saved
  }

  finish(savedCommitMs: number | undefined): Recovered {
    const damaged = this.#countDamaged();
    for (const [counter, record] of this.#saved.epochs) this.#findMissing(counter, record.stored);
    for (const [{ counter }, devices] of this.#found) this.#ledger.adopt(counter, devices);
    this.#deletes.push(...this.#schemas.dropUnused(this.#schemaIds));
    return {
      epochs: this.#epochs,
      ledger: this.#ledger,
      schemas: this.#schemas,
      saved: this.#saved,
      lost: this.#lost,
      damaged,
      deletes: this.#deletes,
      unreadable: this.#unreadable,
      lastCommitMs: latest(savedCommitMs, this.#newestMs),
    };
  }

  #add(counter: number, name: string): Epoch {
    const epoch = this.#epochs.add(new Epoch(counter, name));
    epoch.sentThrough = this.#saved.sentThrough(counter);
    return epoch;
  }

  /** A start has one epoch: a block under another's key is not what was put there. */
  #belongs(counter: number, name: string): boolean {
    if (Number.parseInt(name, 10) !== counter) return false;
    return this.#epochs.all().every(epoch => epoch.counter !== counter || epoch.name === name);
  }

  #isOver({ counter }: Epoch, seq: number, devices: readonly DeviceRows[]): boolean {
    const stored = this.#saved.storedOf(counter);
    if (!stored || stored.has(seq)) return false;
    return devices.every(({ device, first }) => this.#isSaved(counter, device, first));
  }

  #isSaved(counter: number, device: string, first: number): boolean {
    return this.#saved.rowsHave(counter, device, first);
  }

  #countRows(epoch: Epoch, devices: readonly DeviceRows[], journaled: boolean): void {
    const { counter } = epoch;
    for (const rows of devices) {
      const { device, first, last, count } = rows;
      if (this.#isSaved(counter, device, first)) {
        if (!journaled) this.#foundSaved.set(device, (this.#foundSaved.get(device) ?? 0) + count);
      } else {
        this.#ledger.add(device, 'read', count);
        if (journaled) this.#ledger.add(device, 'delivered', count);
        this.#ledger.rowsOf(counter, device).add(first, last);
        epoch.rowsChanged = true;
      }
    }
    if (!journaled)
      addRows(
        getOrMake(this.#found, epoch, () => new Map<string, HeldRowSpans>()),
        devices,
      );
  }

  #lose(counter: number, seq: number, key: Buffer): void {
    this.#deletes.push(key);
    this.#unreadable += 1;
    const epoch = this.#epochs.all().find(known => known.counter === counter);
    if (epoch) getOrMake(this.#lost, epoch, () => new RangeSet()).add(seq);
  }

  #findMissing(counter: number, saved: readonly (readonly [number, number])[] | null): void {
    const epoch = this.#epochs.all().find(known => known.counter === counter);
    if (!epoch || !saved) return;
    const missing = new RangeSet(saved);
    missing.removeAll(epoch.stored);
    if (missing.isEmpty) return;
    getOrMake(this.#lost, epoch, () => new RangeSet()).addAll(missing);
    epoch.dirty = true;
  }

  #countDamaged(): Map<string, number> {
    const damaged = new Map<string, number>();
    for (const [device, record] of this.#saved.devices) {
      const gone = heldBy(record) - (this.#foundSaved.get(device) ?? 0);
      if (gone > 0) {
        damaged.set(device, gone);
        this.#ledger.add(device, 'damaged', gone);
      } else if (gone < 0) this.#takeBack(device, -gone);
    }
    for (const [device, found] of this.#foundSaved)
      if (!this.#saved.devices.has(device)) this.#ledger.add(device, 'read', found);
    return damaged;
  }

  /** More is here than the counts leave over: a record of them was lost, and what is here was not delivered. */
  #takeBack(device: string, rows: number): void {
    const delivered = Math.min(rows, this.#ledger.counts(device).delivered);
    this.#ledger.add(device, 'delivered', -delivered);
    this.#ledger.add(device, 'read', rows - delivered);
  }
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
