/**
 * Makes room when the quota is reached, from what was never sent and holds nothing anomalous: first resolution, from
 * the oldest to the newest and again, until that yields next to nothing; then whole blocks, the oldest first. With
 * neither left, nothing is given up: sources wait.
 */
import { deviceRows } from '@edgeward/shared/batch';
import { RangeSet } from '@edgeward/shared/ranges';
import type { Core } from './core.js';
import { countLost } from './damage.js';
import type { Epoch } from './epochs.js';
import { Losses } from './losses.js';
import { chunkBlocks, readChunk, type StoredBlock, sizeOf } from './reader.js';
import { batchOf, type Rewritten, rewritten } from './rewrite.js';
import { Flag } from './stored-value.js';
import { thin } from './thin.js';
import type { Writer } from './writer.js';

/** Freed at a time, of the quota. */
const share = 0.01;
/** A thinning pass that yields less, of the quota, is the last until as much again was stored. */
const worthwhile = 0.02;

export class Relief {
  readonly #core: Core;
  readonly #writer: Writer;
  readonly #losses: Losses;
  #running: Promise<boolean> | undefined;
  /** Where the thinning pass stands. */
  #at = { counter: 0, seq: 0 };
  #passFreed = 0;

  constructor(core: Core, writer: Writer) {
    this.#core = core;
    this.#writer = writer;
    this.#losses = new Losses(core);
  }

  /** Tells what has been given up, if that was not done lately. */
  tell(): void {
    this.#losses.tell();
  }

  /** @returns false if nothing can be given up */
  free(): Promise<boolean> {
    this.#running ??= this.#free().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #free(): Promise<boolean> {
    const { options, epochs } = this.#core;
    const target = epochs.bytes - Math.max(1, share * options.maxBytes);
    let any = false;
    while (epochs.bytes > target && !this.#core.closing) {
      const freed = await this.#core.exclusive.run(() => this.#slice());
      if (freed === undefined) return any;
      any ||= freed > 0;
      this.#core.changed.open();
    }
    return true;
  }

  /** @returns bytes freed; undefined if there is nothing to take from */
  async #slice(): Promise<number | undefined> {
    if (this.#core.options.whenFull === 'thin') {
      const freed = await this.#thinOn();
      if (freed !== undefined) return freed;
    }
    return this.#drop();
  }

  /** Undefined at the end of a last pass. */
  async #thinOn(): Promise<number | undefined> {
    const next = this.#candidatesAfter(this.#at);
    if (!next) return this.#endPass();
    const blocks = await readChunk(this.#core, next.epoch, next.seqs);
    await countLost(this.#core);
    this.#at = { counter: next.epoch.counter, seq: blocks.at(-1)?.seq ?? next.seqs.at(-1)! };
    const freed = await this.#thinBlocks(next.epoch, blocks);
    this.#passFreed += freed;
    return freed;
  }

  #endPass(): number | undefined {
    const { maxBytes } = this.#core.options;
    const again = this.#passFreed >= worthwhile * maxBytes;
    this.#passFreed = 0;
    if (!again) return undefined; // it goes on from here with what is stored later
    this.#at = { counter: 0, seq: 0 };
    return 0;
  }

  async #thinBlocks(epoch: Epoch, blocks: readonly StoredBlock[]): Promise<number> {
    const changed = runsOf(blocks).flatMap(run => this.#thinRun(run));
    if (!changed.length) return 0;
    let freed = 0;
    for (const { block, bySize, devices } of changed) {
      freed -= bySize;
      this.#losses.add('thinned', rowsIn(block.devices) - rowsIn(devices));
      this.#core.ledger.thin(epoch.counter, block.devices, devices);
      if (devices.length) this.#replace(epoch, block, bySize);
      else this.#delete(epoch, block);
    }
    await this.#writer.flush(changed.flatMap(({ devices, put }) => (devices.length ? [put] : [])));
    for (const { block, devices } of changed) {
      epoch.busy.remove(block.seq);
      const offered = epoch.journaled.has(block.seq) || epoch.stamped.has(block.seq);
      if (devices.length && epoch.stored.has(block.seq) && !offered) epoch.due.add(block.seq);
    }
    return freed;
  }

  #thinRun(run: readonly StoredBlock[]): Rewritten[] {
    const batches = run.map(block => batchOf(this.#core, block));
    const thinned = thin(batches) ?? batches;
    return run.flatMap((block, i) => {
      const batch = thinned[i];
      if (batch === batches[i]) return [];
      if (!batch)
        return [
          {
            block,
            devices: [],
            bySize: -sizeOf(block),
            put: { key: Buffer.alloc(0), value: Buffer.alloc(0) },
          },
        ];
      const flags = (block.flags | Flag.thinned) & ~Flag.noted;
      const smaller = rewritten(block, batch, deviceRows(batch), flags, true);
      return smaller.bySize < 0 ? [smaller] : [];
    });
  }

  #replace(epoch: Epoch, { seq }: StoredBlock, bySize: number): void {
    epoch.due.remove(seq);
    epoch.busy.add(seq);
    epoch.resize(bySize);
  }

  #delete(epoch: Epoch, block: StoredBlock): void {
    epoch.delete(block.seq, sizeOf(block));
    if (epoch === this.#core.live) this.#core.voids.add(block.seq, block.seq, this.#core.nextSeq);
  }

  async #drop(): Promise<number | undefined> {
    const next = this.#candidatesAfter({ counter: 0, seq: 0 });
    if (!next) return undefined;
    const blocks = await readChunk(this.#core, next.epoch, next.seqs);
    await countLost(this.#core);
    let left = Math.max(1, share * this.#core.options.maxBytes);
    let freed = 0;
    for (const block of blocks) {
      if (left <= 0) break;
      left -= sizeOf(block);
      freed += sizeOf(block);
      this.#losses.add('dropped', rowsIn(block.devices));
      this.#core.ledger.settle(next.epoch.counter, block.devices, 'dropped', true);
      this.#delete(next.epoch, block);
    }
    await this.#writer.flush();
    return freed;
  }

  /** On disk, never sent, nothing anomalous in them; the lowest behind that place. */
  #candidatesAfter({ counter, seq }: { counter: number; seq: number }) {
    for (const epoch of this.#core.epochs.all()) {
      if (epoch.counter < counter) continue;
      const open = new RangeSet(epoch.due.toJSON());
      open.addAll(epoch.stamped);
      for (const set of [epoch.sent, epoch.anomalous, epoch.busy]) open.removeAll(set);
      if (epoch.counter === counter) open.remove(0, seq);
      if (!open.isEmpty) return { epoch, seqs: open.lowest(chunkBlocks) };
    }
    return undefined;
  }
}

/** Neighbours of one schema and model. */
function runsOf(blocks: readonly StoredBlock[]): StoredBlock[][] {
  const runs: StoredBlock[][] = [];
  for (const block of blocks) {
    const run = runs.at(-1);
    if (run && run[0]!.described === block.described) run.push(block);
    else runs.push([block]);
  }
  return runs;
}

function rowsIn(devices: readonly { readonly count: number }[]): number {
  return devices.reduce((sum, { count }) => sum + count, 0);
}
