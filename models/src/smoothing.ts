import type { Memory } from './memory.js';

/** Mean of the last k scores of one device. The sum is taken anew each row, so it cannot drift. */
export class ScoreSmoother {
  readonly #last: Float32Array;
  #count = 0;

  constructor(rows: number) {
    this.#last = new Float32Array(rows);
  }

  next(score: number): number {
    const last = this.#last;
    last[this.#count % last.length] = score;
    this.#count += 1;
    const n = Math.min(this.#count, last.length);
    let sum = 0;
    for (let i = 0; i < n; i++) sum += last[i]!;
    return sum / n;
  }

  reset(): void {
    this.#count = 0;
  }

  remember(memory: Memory): void {
    memory.array(this.#last);
    this.#count = memory.count(this.#count);
  }
}
