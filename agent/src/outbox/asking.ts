/**
 * Asks about blocks that are journaled and not released, by offering a few of them again: their release may have been
 * told on a link that broke, or to an earlier start. The oldest first; as long as the answer is "released", the next.
 * The collector tells all further releases by itself.
 */
import type { Mark } from '@edgeward/shared/contracts';
import type { RangeSet } from '@edgeward/shared/ranges';
import type { Core } from './core.js';
import type { Epoch } from './epochs.js';
import type { FreshBlock } from './fresh.js';

const blocksAtATime = 16;

export interface Question {
  readonly epoch: Epoch;
  /** On disk. */
  readonly stored: readonly number[];
  /** In memory only. */
  readonly kept: readonly FreshBlock[];
}

export class Asking {
  readonly #core: Core;
  readonly #open = new Map<Epoch, Set<number>>();
  /** Journaled before this link, not yet asked about on it. */
  readonly #left: Map<Epoch, RangeSet>;
  #notYet = false;

  constructor(core: Core) {
    this.#core = core;
    this.#left = new Map(core.epochs.all().map(epoch => [epoch, epoch.journaled.clone()]));
  }

  /** Undefined while an answer is due, after one that said "not yet", and when all has been asked. */
  next(): Question | undefined {
    if (this.#notYet || [...this.#open.values()].some(seqs => seqs.size > 0)) return undefined;
    for (const [epoch, left] of this.#left) {
      for (let seqs = left.lowest(blocksAtATime); seqs.length; seqs = left.lowest(blocksAtATime)) {
        left.remove(seqs[0]!, seqs.at(-1)!);
        const open = seqs.filter(seq => epoch.journaled.has(seq));
        if (open.length) return this.#ask(epoch, open);
      }
    }
    return undefined;
  }

  answered(epoch: Epoch, seq: number, mark: Mark): void {
    const asked = this.#open.get(epoch)?.delete(seq) ?? false;
    // A release shows that more may be told by now.
    if (mark === 'released') this.#notYet = false;
    else if (asked) this.#notYet = true;
  }

  /** It cannot be asked about after all. */
  drop(epoch: Epoch, seq: number): void {
    this.#open.get(epoch)?.delete(seq);
  }

  #ask(epoch: Epoch, seqs: readonly number[]): Question {
    this.#open.set(epoch, new Set(seqs));
    const { fresh, live } = this.#core;
    const kept = epoch === live ? seqs.flatMap(seq => fresh.get(seq) ?? []) : [];
    const inMemory = new Set(kept.map(({ id }) => id.seq));
    return { epoch, kept, stored: seqs.filter(seq => !inMemory.has(seq)) };
  }
}
