import type { HeldBlock, HeldBlocks } from './held.js';

/** While a backlog drains, one live block goes for every three of the backlog, so fresh data is never starved. */
const backlogPerLive = 3;

/**
 * One walk over the blocks that wait: this start's blocks as they come, and beside them, in order, what earlier
 * starts left. Offers each block once; a new walk, after a broken link, begins again.
 */
export class Lanes {
  readonly #held: HeldBlocks;
  readonly #epoch: string;
  readonly #committedSeq: () => number;
  readonly #backlog: HeldBlock[];
  #backlogAt = 0;
  #liveAt: number;
  #sinceLive = backlogPerLive;

  /** @param committedSeq  the highest durable seq of the live epoch */
  constructor(held: HeldBlocks, epoch: string, committedSeq: () => number) {
    this.#held = held;
    this.#epoch = epoch;
    this.#committedSeq = committedSeq;
    this.#backlog = [...held.inOrder()].filter(block => block.epoch !== epoch);
    this.#liveAt = held.firstSeq(epoch) ?? committedSeq() + 1;
  }

  laneOf(block: HeldBlock): 'live' | 'backlog' {
    return block.epoch === this.#epoch ? 'live' : 'backlog';
  }

  next(): HeldBlock | undefined {
    if (this.#sinceLive >= backlogPerLive) {
      const live = this.#nextLive();
      if (live) return live;
    }
    return this.#nextBacklog() ?? this.#nextLive();
  }

  #nextBacklog(): HeldBlock | undefined {
    while (this.#backlogAt < this.#backlog.length) {
      const block = this.#backlog[this.#backlogAt++]!;
      if (block.journaled || !this.#held.has(block)) continue;
      this.#sinceLive += 1;
      return block;
    }
    return undefined;
  }

  #nextLive(): HeldBlock | undefined {
    for (; this.#liveAt <= this.#committedSeq(); this.#liveAt++) {
      const block = this.#held.get(this.#epoch, this.#liveAt);
      if (!block || block.journaled) continue;
      this.#liveAt += 1;
      this.#sinceLive = 0;
      return block;
    }
    return undefined;
  }
}
