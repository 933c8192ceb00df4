import type { Note } from '@edgeward/shared/contracts';

/** A numbered list of what happened, as sinks that take notes follow it. */
export interface NoteFeed {
  readonly feed: Note['feed'];
  /** Id of the store that numbers it. */
  readonly store: string;
  /** Number of the newest that is durable; 0 = none. */
  readonly last: number;
  /** Behind a number, in order; numbers that were given up are missing. */
  read(after: number, most: number): Promise<Note[]>;
  /**
   * All who follow have stored through this one; what is behind it is kept for them, within reason. Whoever finds that
   * something is missing counts it.
   */
  passed(through: number): void;
  /** Told when there is more. @returns what ends it */
  onMore(listener: () => void): () => void;
}

/** Which numbers a feed keeps: the newest for those who come later, and, up to a limit, what is not passed. */
export class Kept {
  readonly #newest: number;
  readonly #most: number;
  #first: number;
  /** Until somebody says how far those who follow have come. */
  #passed = 0;

  /** @param first  the oldest that is kept now */
  constructor(first: number, newest: number, most = 100_000) {
    this.#first = first;
    this.#newest = newest;
    this.#most = most;
  }

  passed(through: number): void {
    this.#passed = through;
  }

  /** Numbers that may go once `last` is there; not too many at once. */
  *leaving(last: number): Generator<number> {
    const through = Math.max(last - this.#most, Math.min(last - this.#newest, this.#passed));
    const end = Math.min(through, this.#first + maxAtOnce - 1);
    for (; this.#first <= end; this.#first++) yield this.#first;
  }
}

const maxAtOnce = 1000;
