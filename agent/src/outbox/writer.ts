/** Group commit: whatever arrived during the last write goes down together in the next, synced. */

import { isDiskFull } from '@edgeward/shared/disk-full';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { failpoint } from '@edgeward/shared/failpoint';
import { Histogram, shortBounds } from '@edgeward/shared/metrics/histogram';
import { buildCommit, type Commit, type Item } from './commit.js';
import type { Core } from './core.js';
import type { FreshBlock } from './fresh.js';
import type { Put } from './layout.js';
import type { Rejects } from './rejects.js';
import { SaveTimes } from './save-times.js';
import { maxCommitBytes } from './spill.js';

/** Deletes and what they change in the ledger wait this long for a commit of new blocks to travel with. */
const lingerMs = 1000;
const retryMs = 1000;
const never = new AbortController().signal;

export class Writer {
  readonly #core: Core;
  readonly #rejects: Rejects;
  #items: Item[] = [];
  readonly #saves: SaveTimes;
  /** How long commits took. */
  readonly commitSeconds = new Histogram(shortBounds);
  /** Since the start. */
  readonly writtenBytes = { blocks: 0, records: 0 };
  #pressingSinceMs: number | undefined;
  #failing = false;
  #gaveUp = false;
  #over = false;
  readonly #ended: Promise<void>;

  constructor(core: Core, rejects: Rejects) {
    this.#core = core;
    this.#rejects = rejects;
    this.#saves = new SaveTimes(core.options.clock);
    this.#ended = this.#loop().finally(() => {
      this.#over = true;
    });
  }

  /** Rows that were read could not be kept at the end. */
  get gaveUp(): boolean {
    return this.#gaveUp;
  }

  /** The last try failed. */
  get failing(): boolean {
    return this.#failing;
  }

  /** Something waits to be written, or is being written, for somebody who asked for it. */
  get busy(): boolean {
    return this.#items.length > 0;
  }

  /** So much more would be new to the ledger that a save leaves. */
  read(readings: number): void {
    this.#saves.read(readings);
  }

  add(item: Item): void {
    if (this.#over) item.reject(new EdgewardError('EW_STOPPED', 'The outbox is closed.'));
    else this.#items.push(item);
    this.#core.changed.open();
  }

  /** Resolves once all that is to be deleted or saved now, and these puts, are down. */
  flush(puts: readonly Put[] = []): Promise<void> {
    return new Promise((resolve, reject) => this.add({ puts, resolve, reject }));
  }

  /** Resolves after the last commit; call once `core.closing` is set. */
  ended(): Promise<void> {
    return this.#ended;
  }

  async #loop(): Promise<void> {
    while (await this.#somethingToDo()) {
      try {
        await this.#commit();
        await this.#recovered();
      } catch (error) {
        await this.#failed(error);
        if (this.#gaveUp) return; // whoever comes from here on is refused
      }
    }
  }

  /** False at the end. */
  async #somethingToDo(): Promise<boolean> {
    const core = this.#core;
    for (;;) {
      if (core.closing) {
        // In the same breath: what is added from here on nobody would write any more.
        this.#over = !this.#isAnythingLeft();
        return !this.#over;
      }
      const waitMs = this.#dueMs() - core.options.clock.monotonic();
      if (waitMs <= 0) return true;
      await core.changed.wait(undefined, waitMs);
    }
  }

  #isAnythingLeft(): boolean {
    const { fresh, records } = this.#core;
    return this.#items.length > 0 || fresh.unstored > 0 || records.pressing || records.dirty || records.noted;
  }

  #dueMs(): number {
    if (this.#items.length) return Number.NEGATIVE_INFINITY;
    const { spill, records, options } = this.#core;
    if (!records.pressing) this.#pressingSinceMs = undefined;
    else this.#pressingSinceMs ??= options.clock.monotonic();
    const pressing = (this.#pressingSinceMs ?? Number.POSITIVE_INFINITY) + lingerMs;
    const save = records.dirty ? this.#saves.dueMs : Number.POSITIVE_INFINITY;
    return Math.min(spill.dueMs(), pressing, save);
  }

  async #commit(): Promise<void> {
    const core = this.#core;
    const items = this.#nextItems();
    const spills = core.closing ? this.#allUnstored() : core.spill.take();
    const commit = buildCommit(core, {
      items,
      spills,
      rejected: this.#waitingRejects(items.length),
      saveAll: pure => core.closing || this.#saves.isDue(pure),
    });
    this.#pressingSinceMs = undefined;
    try {
      if (spills.length) failpoint('outbox.before-spill');
      failpoint('outbox.before-commit');
      await this.#write(commit);
    } catch (error) {
      commit.failed();
      throw error;
    }
    failpoint('outbox.after-commit');
    this.#items = this.#items.slice(items.length);
    commit.done();
    this.#note(commit);
    for (const item of items) item.resolve();
    core.changed.open();
  }

  #nextItems(): Item[] {
    let [count, bytes] = [0, 0];
    while (count < this.#items.length && bytes < maxCommitBytes) {
      bytes += this.#items[count]!.block?.bytes.length ?? 0;
      count += 1;
    }
    return this.#items.slice(0, count);
  }

  /** Those whose source's position is not in this commit. */
  #waitingRejects(items: number): Map<string, number> {
    const sum = this.#rejects.waiting();
    for (const { rejected } of this.#items.slice(items))
      for (const [device, rows] of rejected ?? []) sum.set(device, (sum.get(device) ?? 0) + rows);
    return sum;
  }

  async #write({ puts, deletes }: Commit): Promise<void> {
    const operations = [
      ...puts.map(put => ({ type: 'put' as const, ...put })),
      ...deletes.map(key => ({ type: 'del' as const, key })),
    ];
    if (!operations.length) return;
    const begunMs = performance.now();
    await this.#core.store.db.batch(operations, { sync: true });
    this.commitSeconds.observe((performance.now() - begunMs) / 1000);
  }

  /** But for those that somebody waits for: they go with their positions. */
  #allUnstored(): FreshBlock[] {
    const { fresh } = this.#core;
    return [...fresh.volatile(), ...fresh.kept()]
      .filter(({ urgent }) => !urgent)
      .sort((a, b) => a.id.seq - b.id.seq);
  }

  #note({ blockBytes, savedBytes, savedAll }: Commit): void {
    this.writtenBytes.blocks += blockBytes;
    this.writtenBytes.records += savedBytes;
    this.#saves.stored(blockBytes);
    if (savedAll) this.#saves.saved(savedBytes);
  }

  async #recovered(): Promise<void> {
    if (!this.#failing) return;
    this.#failing = false;
    this.#core.options.log.info('outbox can be written again');
    if (await this.#core.options.ballast?.hold())
      this.#core.notice({ kind: 'disk', text: 'The outbox can be written again.', details: {} });
  }

  /** A failed LevelDB refuses all further writes until it is opened again. */
  async #failed(error: unknown): Promise<void> {
    const { options, store, closing } = this.#core;
    if (!this.#failing) this.#tell(error);
    const again = this.#failing;
    this.#failing = true;
    this.#core.changed.open();
    const freed = isDiskFull(error) && (await options.ballast?.free().catch(() => false));
    if (closing && !freed && (again || !isDiskFull(error))) return this.#giveUp(error);
    if (!freed) await options.clock.sleep(retryMs, never);
    await store.reopen().catch(() => undefined);
  }

  #tell(error: unknown): void {
    const text = messageOf(error);
    this.#core.options.log.error({ error: text }, 'outbox cannot be written; trying again');
    this.#core.notice({
      kind: 'disk',
      text: `The outbox cannot be written; trying again: ${text}`.slice(0, 900),
      details: { full: isDiskFull(error) ? 1 : 0 },
    });
  }

  #giveUp(error: unknown): void {
    this.#gaveUp = true;
    this.#over = true;
    const failed = new EdgewardError('EW_STORE_WRITE', messageOf(error), { cause: error });
    for (const item of this.#items) item.reject(failed);
    for (const block of this.#core.fresh.volatile()) block.reject(failed);
  }
}
