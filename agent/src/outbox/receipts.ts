/** What a receipt ends: resending, waiting, holding. */
import type { DeviceRows } from '@edgeward/shared/batch';
import type { Mark, Receipt } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Core } from './core.js';
import { countLost } from './damage.js';
import type { Epoch } from './epochs.js';
import type { FreshBlock } from './fresh.js';
import { chunkBlocks, readChunk, sizeOf } from './reader.js';
import type { Walk } from './walk.js';

/** Notes that range of blocks as journaled or released. Those that nothing is known of are read back, in chunks. */
export async function receive(core: Core, walk: Walk | undefined, receipt: Receipt): Promise<void> {
  const epoch = core.epochs.get(receipt.epoch);
  if (!epoch) return;
  // While rows are counted after damage, nothing of them may end.
  if (core.auditing) await core.exclusive.run(async () => undefined);
  const ends = new Ends(core, walk, epoch, receipt);
  if (epoch === core.live) ends.fresh();
  ends.known();
  if (ends.areUnknown()) await core.exclusive.run(() => ends.readBack());
  core.changed.open();
}

class Ends {
  constructor(
    private readonly core: Core,
    private readonly walk: Walk | undefined,
    private readonly epoch: Epoch,
    private readonly receipt: Receipt,
  ) {}

  /** Blocks in memory. */
  fresh(): void {
    const { from, through, mark } = this.receipt;
    for (const block of this.core.fresh.within(from, through)) this.#endFresh(block, mark);
  }

  /** Blocks on disk that were offered on this link, and released ones that were journaled before. */
  known(): void {
    const { from, through, mark } = this.receipt;
    const { stored, journaled } = this.epoch;
    for (const [low, high] of stored.within(from, through)) {
      for (let seq = low; seq <= high; seq++) {
        if (journaled.has(seq)) {
          if (mark === 'released') this.#release(seq, 0);
          else this.walk?.settle(this.epoch, seq, mark);
          continue;
        }
        const offered = this.walk?.offered(this.epoch, seq);
        if (offered) this.#end(seq, offered.devices, offered.size);
      }
    }
  }

  areUnknown(): boolean {
    return this.#unknown(1).length > 0;
  }

  async readBack(): Promise<void> {
    for (let seqs = this.#unknown(chunkBlocks); seqs.length; seqs = this.#unknown(chunkBlocks)) {
      for (const block of await readChunk(this.core, this.epoch, seqs)) {
        const { seq, devices } = block;
        const over = this.epoch.journaled.has(seq) || !this.epoch.stored.has(seq);
        if (!over) this.#end(seq, devices, sizeOf(block));
      }
      await countLost(this.core);
    }
  }

  /** Within the receipt, on disk and not yet journaled. */
  #unknown(most: number): number[] {
    const { from, through } = this.receipt;
    const { stored, journaled } = this.epoch;
    const seqs: number[] = [];
    for (const [low, high] of stored.within(from, through)) {
      for (let seq = low; seq <= high; seq++) {
        if (seqs.length === most) return seqs;
        if (!journaled.has(seq)) seqs.push(seq);
      }
    }
    return seqs;
  }

  #endFresh(block: FreshBlock, mark: Mark): void {
    const { fresh, ledger, live } = this.core;
    const { seq } = block.id;
    if (block.place === 'cached') {
      this.#endCached(block);
      return;
    }
    if (block.place === 'volatile') {
      ledger.settle(live.counter, block.devices, 'delivered', false);
      this.core.voids.journaled(seq);
      live.journal(seq, undefined);
      if (!block.urgent) block.resolve('journal');
    }
    block.queued = false;
    this.walk?.settle(live, seq, mark);
    if (mark === 'journaled') fresh.move(block, 'kept');
    else {
      live.journaled.remove(seq);
      fresh.move(block, 'gone');
    }
  }

  /** On disk, not offered on this link, and yet it is there. */
  #endCached(block: FreshBlock): void {
    this.core.fresh.move(block, 'gone');
    this.#end(block.id.seq, block.devices, sizeOf(block));
  }

  #end(seq: number, devices: readonly DeviceRows[], size: number): void {
    const { ledger, live, voids } = this.core;
    ledger.settle(this.epoch.counter, devices, 'delivered', true);
    if (this.epoch === live) voids.journaled(seq);
    if (this.receipt.mark === 'journaled') {
      this.epoch.journal(seq, size);
      this.walk?.settle(this.epoch, seq, 'journaled');
    } else this.#release(seq, size);
  }

  #release(seq: number, size: number): void {
    this.epoch.delete(seq, size);
    this.walk?.settle(this.epoch, seq, 'released');
  }
}

/** Another journal: what the former had journaled and not released is held and offered again. */
export function forgetJournaled(core: Core, walk: Walk | undefined): void {
  const { exclusive, options } = core;
  void exclusive
    .run(() => forgetAll(core, walk))
    .catch(error =>
      options.log.warn({ error: messageOf(error) }, 'what is to be sent again could not be read'),
    );
}

async function forgetAll(core: Core, walk: Walk | undefined): Promise<void> {
  const { fresh, ledger, live } = core;
  for (const block of [...fresh.kept()]) {
    ledger.unsettle(live.counter, block.devices);
    live.journaled.remove(block.id.seq);
    fresh.move(block, 'volatile');
    walk?.forget(live, block.id.seq);
    fresh.requeue([block]);
  }
  for (const epoch of core.epochs.all()) await forgetStored(core, walk, epoch);
  core.changed.open();
}

async function forgetStored(core: Core, walk: Walk | undefined, epoch: Epoch): Promise<void> {
  for (
    let seqs = epoch.journaled.lowest(chunkBlocks);
    seqs.length;
    seqs = epoch.journaled.lowest(chunkBlocks)
  ) {
    const blocks = await readChunk(core, epoch, seqs);
    for (const block of blocks) {
      const { seq, devices } = block;
      if (!epoch.journaled.has(seq) || !epoch.stored.has(seq)) continue;
      core.ledger.unsettle(epoch.counter, devices);
      epoch.unjournal(seq, sizeOf(block));
      walk?.forget(epoch, seq);
      epoch.due.add(seq);
    }
    for (const seq of seqs) if (!epoch.stored.has(seq)) epoch.journaled.remove(seq);
    await countLost(core);
  }
}
