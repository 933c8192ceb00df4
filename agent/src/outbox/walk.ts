/**
 * One walk over all that waits, from one link to the next: the live lane from memory, the backlog beside it from disk.
 * Offers each block once. Order per device holds within each lane, since each follows the order of seqs.
 */
import type { DeviceRows } from '@edgeward/shared/batch';
import type { Entry, Mark } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { Asking, type Question } from './asking.js';
import type { Core } from './core.js';
import { countLost } from './damage.js';
import type { Epoch } from './epochs.js';
import type { FreshBlock } from './fresh.js';
import { chunkBlocks, chunkBytes, readChunk, type StoredBlock, sizeOf } from './reader.js';
import type { Writer } from './writer.js';

/** What is known of a block that was offered, until it is received. */
export interface Offered {
  readonly devices: readonly DeviceRows[];
  readonly size: number;
}

/** Fresh blocks of this age that are on disk give way to fresher ones and go with the backlog. */
const liveAgeMs = 1000;
/** After so many of the live lane in a row one of the backlog goes, should both always have something. */
const liveInARow = 3;
/** So many blocks are marked as perhaps sent at a time. */
const markAhead = 256;
const retryMs = 1000;
const never = new AbortController().signal;

export class Walk {
  readonly #core: Core;
  readonly #writer: Writer;
  readonly #offered = new Map<Epoch, Map<number, Offered>>();
  readonly #asking: Asking;
  /** Journaled blocks that are offered again, for the collector to say whether they are released. No trace tells of it. */
  #asks: (Entry & { readonly of: Epoch })[] = [];
  #ready: StoredBlock[] = [];
  #readyBytes = 0;
  #loading: Promise<void> | undefined;
  #sinceBacklog = 0;
  #over = false;

  constructor(core: Core, writer: Writer) {
    this.#core = core;
    this.#writer = writer;
    this.#asking = new Asking(core);
    core.fresh.requeueAll();
    for (const epoch of core.epochs.all()) dueAgain(core, epoch);
  }

  /** Another walk has begun. */
  end(): void {
    this.#over = true;
    this.#ready = [];
    this.#readyBytes = 0;
    this.#asks = [];
    this.#offered.clear();
  }

  get over(): boolean {
    return this.#over;
  }

  offered(epoch: Epoch, seq: number): Offered | undefined {
    return this.#offered.get(epoch)?.get(seq);
  }

  /** It was received. */
  settle(epoch: Epoch, seq: number, mark: Mark): void {
    this.#offered.get(epoch)?.delete(seq);
    this.#asking.answered(epoch, seq, mark);
  }

  /** What was known of it as received holds no more. */
  forget(epoch: Epoch, seq: number): void {
    this.#offered.get(epoch)?.delete(seq);
    this.#asking.drop(epoch, seq);
  }

  /** Nothing waits to be offered, in memory or on disk. */
  get isEmpty(): boolean {
    if (this.#core.fresh.peek() || this.#ready.length || this.#loading) return false;
    return this.#core.epochs.all().every(({ due }) => due.isEmpty);
  }

  /**
   * Undefined when nothing can be offered right now; `core.changed` opens when that may have changed.
   * @param last  the end is near: only what has to go
   */
  next(last: boolean): Entry | undefined {
    if (this.#over) return undefined;
    this.#load();
    return this.#inTurn() ?? (last ? undefined : this.#ask());
  }

  #inTurn(): Entry | undefined {
    if (this.#core.options.replay === 'inOrder') return this.#inOrder();
    if (this.#sinceBacklog >= liveInARow) return this.#backlog() ?? this.#live();
    return this.#live() ?? this.#backlog();
  }

  /** Nothing before all that comes before it has been offered. */
  #inOrder(): Entry | undefined {
    const { epochs, fresh, live } = this.#core;
    const seq = fresh.peek()?.id.seq ?? Number.POSITIVE_INFINITY;
    const isBefore = (epoch: Epoch, other: number | undefined) =>
      other !== undefined && (epoch !== live || other < seq);
    const [ready] = this.#ready;
    if (ready && isBefore(ready.epoch, ready.seq)) return this.#backlog();
    const open = epochs
      .all()
      .some(epoch => [epoch.due, epoch.stamped, epoch.busy].some(({ first }) => isBefore(epoch, first)));
    return open || isBefore(live, fresh.firstUnready()) ? undefined : this.#live();
  }

  #ask(): Entry | undefined {
    for (let ask = this.#asks.shift(); ask; ask = this.#asks.shift()) {
      const { of, ...entry } = ask;
      if (of.journaled.has(entry.seq)) return entry;
      this.#asking.drop(of, entry.seq);
    }
    return undefined;
  }

  #live(): Entry | undefined {
    const { fresh, live } = this.#core;
    for (let block = fresh.peek(); block; block = fresh.peek()) {
      fresh.take(block);
      if (block.place === 'kept') continue;
      if (this.#isStale(block)) {
        fresh.move(block, 'gone');
        live.due.add(block.id.seq);
        this.#load();
        continue;
      }
      this.#sinceBacklog += 1;
      block.sent = true;
      this.#note(live, block.id.seq, { devices: block.devices, size: sizeOf(block) });
      if (block.place === 'cached') {
        live.sent.add(block.id.seq);
        fresh.move(block, 'gone');
      }
      const { id, bytes, described, trace } = block;
      return { epoch: id.epoch, seq: id.seq, lane: 'live', bytes, described, ...(trace && { trace }) };
    }
    return undefined;
  }

  #isStale({ place, bornMs }: FreshBlock): boolean {
    const { clock, replay } = this.#core.options;
    return place === 'cached' && replay !== 'inOrder' && clock.monotonic() - bornMs > liveAgeMs;
  }

  #backlog(): Entry | undefined {
    for (let block = this.#ready.shift(); block; block = this.#ready.shift()) {
      const { epoch, seq, bytes, described, devices, trace } = block;
      this.#readyBytes -= bytes.length;
      if (!epoch.stored.has(seq) || epoch.journaled.has(seq)) continue;
      this.#sinceBacklog = 0;
      this.#note(epoch, seq, { devices, size: sizeOf(block) });
      this.#load();
      return { epoch: epoch.name, seq, lane: 'backlog', bytes, described, ...(trace && { trace }) };
    }
    return undefined;
  }

  #note(epoch: Epoch, seq: number, offered: Offered): void {
    let seqs = this.#offered.get(epoch);
    if (!seqs) {
      seqs = new Map();
      this.#offered.set(epoch, seqs);
    }
    seqs.set(seq, offered);
  }

  /** The next chunk is read while the one before it is sent. */
  #load(): void {
    if (this.#loading || this.#over || this.#readyBytes > chunkBytes / 2 || this.#core.closing) return;
    const epoch = this.#core.epochs.all().find(({ due }) => !due.isEmpty);
    const question = epoch || this.#asks.length ? undefined : this.#asking.next();
    if (!epoch && !question) return;
    this.#loading = (epoch ? this.#loadChunk(epoch) : this.#loadAsks(question!))
      .catch(error => this.#waitAfter(error))
      .finally(() => {
        this.#loading = undefined;
        this.#core.changed.open();
      });
  }

  /** A store that is being opened again, or a read error, may be over soon. */
  async #waitAfter(error: unknown): Promise<void> {
    const { options, closing } = this.#core;
    options.log.warn({ error: messageOf(error) }, 'outbox cannot be read; trying again');
    if (!closing) await options.clock.sleep(retryMs, never);
  }

  async #loadChunk(epoch: Epoch): Promise<void> {
    await this.#mark(epoch);
    await this.#core.exclusive.run(async () => {
      if (this.#over) return;
      const may = (seq: number) => epoch.maySend(seq) || this.#writer.failing;
      const lowest = epoch.due.lowest(chunkBlocks);
      // What is not yet marked is not passed over: the lane would lose its order.
      const barred = lowest.findIndex(seq => !may(seq));
      const seqs = barred < 0 ? lowest : lowest.slice(0, barred);
      const blocks = await readChunk(this.#core, epoch, seqs);
      if (!this.#over) this.#take(epoch, blocks);
      await countLost(this.#core);
    });
  }

  async #loadAsks({ epoch, kept, stored }: Question): Promise<void> {
    const asks = kept.map(({ id, bytes, described }) => ({ seq: id.seq, bytes, described }));
    if (stored.length)
      await this.#core.exclusive.run(async () => {
        const blocks = await readChunk(this.#core, epoch, stored);
        asks.push(...blocks);
        await countLost(this.#core);
      });
    const found = new Set(asks.map(({ seq }) => seq));
    for (const seq of stored) if (!found.has(seq)) this.#asking.drop(epoch, seq);
    if (this.#over) return;
    for (const { seq, bytes, described } of asks)
      this.#asks.push({ of: epoch, epoch: epoch.name, seq, lane: 'backlog', bytes, described });
  }

  #take(epoch: Epoch, blocks: readonly StoredBlock[]): void {
    for (const block of blocks) {
      const { seq, bytes } = block;
      if (!epoch.due.has(seq)) continue;
      epoch.due.remove(seq);
      epoch.sent.add(seq);
      if (this.offered(epoch, seq)) continue;
      this.#ready.push(block);
      this.#readyBytes += bytes.length;
    }
  }

  /**
   * No block is sent before the disk says that it may have been: what was never sent may be thinned or dropped. A disk
   * that cannot be written now, or never again, does not keep the data from leaving: the mark follows if it ever can.
   */
  async #mark(epoch: Epoch): Promise<void> {
    const { first } = epoch.due;
    if (first === undefined || epoch.maySend(first)) return;
    const through = epoch.due.lowest(markAhead).at(-1)!;
    let over = false;
    void this.#writer
      .flush([this.#core.records.sentPut(epoch, through)])
      .then(() => {
        epoch.sentThrough = Math.max(epoch.sentThrough, through);
      })
      .catch(() => undefined)
      .finally(() => {
        over = true;
        this.#core.changed.open();
      });
    while (!over && !this.#writer.failing) await this.#core.changed.wait();
  }
}

/** All that is on disk and not journaled is to be offered, but for what is in the live lane or may not go yet. */
function dueAgain({ fresh, live }: Core, epoch: Epoch): void {
  epoch.due.addAll(epoch.stored);
  for (const set of [epoch.journaled, epoch.stamped, epoch.busy]) epoch.due.removeAll(set);
  if (epoch === live) for (const block of fresh.cached()) if (block.queued) epoch.due.remove(block.id.seq);
}
