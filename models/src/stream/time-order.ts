import type { Memory } from '../memory.js';

/** So many rows that go on from one another are no stragglers. */
const setBackRows = 30;

/** How a row of a device stands to those before it. */
export type Order = 'next' | 'late' | 'setBack';

/** Which rows of a device are late, and when its clock was set back. */
export class TimeOrder {
  #lastMs = Number.NEGATIVE_INFINITY;
  /** Rows without a break that were older than the newest, and the time of the last of them. */
  #lateRows = 0;
  #lateMs = Number.NEGATIVE_INFINITY;

  /** Time of the newest row; −∞ before the first. */
  get newestMs(): number {
    return this.#lastMs;
  }

  /** Many rows in a row that are older than the newest, but go on from one another: the clock was set back. */
  next(timeMs: number): Order {
    if (timeMs < this.#lastMs) {
      this.#lateRows = timeMs > this.#lateMs ? this.#lateRows + 1 : 1;
      this.#lateMs = timeMs;
      if (this.#lateRows < setBackRows) return 'late';
      this.#take(timeMs);
      return 'setBack';
    }
    this.#take(timeMs);
    return 'next';
  }

  remember(memory: Memory): void {
    this.#lastMs = memory.number(this.#lastMs);
    this.#lateMs = memory.number(this.#lateMs);
    this.#lateRows = memory.count(this.#lateRows);
  }

  #take(timeMs: number): void {
    this.#lastMs = timeMs;
    this.#lateRows = 0;
  }
}
