/**
 * The blocks of this start that are in memory: not yet on disk, or on disk and not yet offered.
 *
 * volatile: nowhere but here. kept: journaled there, not released. cached: on disk too, its bytes spare a read.
 */
import type { DeviceRows } from '@edgeward/shared/batch';
import type { Described, Safe, TraceContext } from '@edgeward/shared/contracts';
import type { BlockId } from '@edgeward/shared/wire';

export interface FreshBlock {
  readonly id: BlockId;
  readonly described: Described;
  readonly devices: readonly DeviceRows[];
  readonly bytes: Uint8Array;
  readonly trace?: TraceContext | undefined;
  /** Monotonic, ms. */
  readonly bornMs: number;
  readonly anomalous: boolean;
  /** To be written at once, and offered only then. */
  readonly urgent: boolean;
  place: 'volatile' | 'kept' | 'cached' | 'gone';
  /** Waits in the live lane. */
  queued: boolean;
  /** Handed to an uplink at least once. */
  sent: boolean;
  /** On its way to the disk as one that was never sent: not to be sent meanwhile. */
  writing: boolean;
  readonly resolve: (safe: Safe) => void;
  readonly reject: (error: Error) => void;
}

/** Blocks of few bytes must not fill the memory by their number. */
const overheadBytes = 1024;

export class Fresh {
  readonly #blocks = new Map<number, FreshBlock>();
  readonly #volatile = new Map<number, FreshBlock>();
  readonly #kept = new Map<number, FreshBlock>();
  readonly #bytes = { volatile: 0, kept: 0, cached: 0, gone: 0 };
  /** Seqs of the live lane; of those that left it, only the number stays for a while. */
  #queue: number[] = [];
  #head = 0;
  #sweepAt = 1024;

  add(block: FreshBlock): void {
    this.#blocks.set(block.id.seq, block);
    this.#volatile.set(block.id.seq, block);
    this.#bytes.volatile += costOf(block);
  }

  get(seq: number): FreshBlock | undefined {
    return this.#blocks.get(seq);
  }

  get size(): number {
    return this.#blocks.size;
  }

  bytes(place: FreshBlock['place']): number {
    return this.#bytes[place];
  }

  /** In memory and nowhere on our disk. */
  get unstoredBytes(): number {
    return this.#bytes.volatile + this.#bytes.kept;
  }

  get unstored(): number {
    return this.#volatile.size + this.#kept.size;
  }

  /** In the order of their seqs. */
  volatile(): IterableIterator<FreshBlock> {
    return this.#volatile.values();
  }

  kept(): IterableIterator<FreshBlock> {
    return this.#kept.values();
  }

  move(block: FreshBlock, place: FreshBlock['place']): void {
    if (block.place === place) return;
    this.#bytes[block.place] -= costOf(block);
    this.#bytes[place] += costOf(block);
    this.#volatile.delete(block.id.seq);
    this.#kept.delete(block.id.seq);
    if (place === 'volatile') this.#volatile.set(block.id.seq, block);
    if (place === 'kept') this.#kept.set(block.id.seq, block);
    if (place === 'gone') {
      this.#blocks.delete(block.id.seq);
      block.queued = false;
    }
    block.place = place;
  }

  /** To the end of the live lane. */
  enqueue(block: FreshBlock): void {
    if (block.queued) return;
    block.queued = true;
    this.#queue.push(block.id.seq);
    if (this.#queue.length > this.#sweepAt) this.#sweep();
  }

  #queuedAt(seq: number): FreshBlock | undefined {
    const block = this.#blocks.get(seq);
    return block?.queued ? block : undefined;
  }

  #isQueued(seq: number): boolean {
    return this.#blocks.get(seq)?.queued ?? false;
  }

  /** In an outage nobody takes from the queue, and what has left it must not stay in memory. */
  #sweep(): void {
    this.#queue = this.#queue.slice(this.#head).filter(seq => this.#isQueued(seq));
    this.#head = 0;
    this.#sweepAt = 2 * this.#queue.length + 1024;
  }

  /** The next of the live lane; stays there until it is taken. */
  peek(): FreshBlock | undefined {
    while (this.#head < this.#queue.length && !this.#isQueued(this.#queue[this.#head]!)) this.#head += 1;
    return this.#blocks.get(this.#queue[this.#head] ?? 0);
  }

  /** The lowest seq that is neither offered nor may be so now: it is on its way to the disk. */
  firstUnready(): number | undefined {
    for (const { id, queued, sent } of this.#volatile.values()) if (!queued && !sent) return id.seq;
    return undefined;
  }

  take(block: FreshBlock): void {
    block.queued = false;
  }

  /** Puts these into the live lane, which is then in the order of seqs again. */
  requeue(blocks: readonly FreshBlock[]): void {
    const waiting = this.#queue.slice(this.#head).flatMap(seq => this.#queuedAt(seq) ?? []);
    const all = new Set([...waiting, ...blocks.filter(({ place }) => place !== 'gone')]);
    for (const block of all) block.queued = false;
    this.#queue = [];
    this.#head = 0;
    for (const block of [...all].sort((a, b) => a.id.seq - b.id.seq)) this.enqueue(block);
  }

  /** All that a new link has to be offered from memory. */
  requeueAll(): void {
    this.requeue(
      [...this.#volatile.values()].filter(({ urgent, writing, id }) => !urgent && !writing && !id.clock),
    );
  }

  *cached(): Generator<FreshBlock> {
    if (this.#bytes.cached > 0)
      for (const block of this.#blocks.values()) if (block.place === 'cached') yield block;
  }

  /** All that are in memory within that range, however wide it is. */
  within(from: number, through: number): FreshBlock[] {
    if (through - from >= this.#blocks.size)
      return [...this.#blocks.values()].filter(({ id }) => id.seq >= from && id.seq <= through);
    const found: FreshBlock[] = [];
    for (let seq = from; seq <= through; seq++) {
      const block = this.#blocks.get(seq);
      if (block) found.push(block);
    }
    return found;
  }
}

function costOf({ bytes }: FreshBlock): number {
  return bytes.length + overheadBytes;
}
