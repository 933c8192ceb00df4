/** Puts the times of held blocks right, durably, before they are offered for the first time. */
import { deviceRows } from '@edgeward/shared/batch';
import { messageOf } from '@edgeward/shared/errors';
import type { Core, OutboxTime } from './core.js';
import { countLost } from './damage.js';
import type { Epoch } from './epochs.js';
import { chunkBlocks, readChunk, type StoredBlock } from './reader.js';
import { batchOf, type Rewritten, rewritten } from './rewrite.js';
import { Flag } from './stored-value.js';
import type { Writer } from './writer.js';

export class TimeCorrection {
  readonly #core: Core;
  readonly #writer: Writer;
  readonly #time: OutboxTime;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(core: Core, writer: Writer, time: OutboxTime) {
    this.#core = core;
    this.#writer = writer;
    this.#time = time;
    time.onChange(() => this.look());
  }

  /** There are blocks that will be offered soon, though they are not yet. */
  get unfinished(): boolean {
    if (this.#running) return true;
    for (const { id } of this.#core.fresh.volatile())
      if (id.clock && this.#time.correctionFor(id.clock, id.atMs) !== 'wait') return true;
    return false;
  }

  /** Blocks were stored, or more is known of the time. */
  look(): void {
    this.#again = true;
    this.#running ??= this.#run()
      .catch(error => this.#core.options.log.warn({ error: messageOf(error) }, 'times not yet corrected'))
      .finally(() => {
        this.#running = undefined;
        this.#core.changed.open();
      });
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#core.closing) {
      this.#again = false;
      for (const epoch of this.#core.epochs.all()) await this.#correct(epoch);
    }
  }

  async #correct(epoch: Epoch): Promise<void> {
    let from = 0;
    while (!this.#core.closing) {
      const seqs = epoch.stamped.within(from, Number.MAX_SAFE_INTEGER);
      if (!seqs.length) return;
      from = await this.#core.exclusive.run(() => this.#slice(epoch, seqs[0]![0]));
    }
  }

  /** @returns where to go on */
  async #slice(epoch: Epoch, from: number): Promise<number> {
    const rest = epoch.stamped.clone();
    rest.remove(0, from - 1);
    const seqs = rest.lowest(chunkBlocks);
    const blocks = await readChunk(this.#core, epoch, seqs);
    await countLost(this.#core);
    const done = blocks.flatMap(block => this.#corrected(block) ?? []);
    const last = blocks.at(-1)?.seq ?? seqs.at(-1) ?? from;
    if (!done.length) return last + 1;
    for (const { block } of done) epoch.busy.add(block.seq);
    await this.#writer.flush(done.map(({ put }) => put));
    for (const { block, bySize } of done) {
      epoch.busy.remove(block.seq);
      if (!epoch.stored.has(block.seq)) continue;
      epoch.stamped.remove(block.seq);
      epoch.resize(bySize);
      if (!epoch.journaled.has(block.seq)) epoch.due.add(block.seq);
    }
    this.#core.changed.open();
    return last + 1;
  }

  /** Undefined while nothing is known. */
  #corrected(block: StoredBlock): Rewritten | undefined {
    const { clock, atMs } = block.header;
    if (!clock) return undefined;
    const known = this.#time.correctionFor(clock, atMs);
    if (known === 'wait') return undefined;
    const { offsetMs, unsure } = known === 'unknown-boot' ? { offsetMs: 0, unsure: true } : known;
    const batch = this.#time.correct(batchOf(this.#core, block), offsetMs, unsure, atMs);
    return rewritten(block, batch, deviceRows(batch), block.flags & ~Flag.noted, false);
  }
}
