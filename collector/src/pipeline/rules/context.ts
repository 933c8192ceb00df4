import type { HealthConfig } from '../config.js';
import type { Reading } from '../readings.js';

/** What rules have at a look. */
export interface Look {
  readonly reading: Reading;
  readonly before: Reading | undefined;
  readonly config: HealthConfig;
  /** In how many looks in a row it has held, this one included; 0 = it does not. */
  readonly lasting: (key: string, holds: boolean) => number;
}

/** Counts looks in a row; what nobody asks about at a look begins anew. */
export class Lasting {
  #before = new Map<string, number>();
  #now = new Map<string, number>();

  readonly count = (key: string, holds: boolean): number => {
    if (!holds) return 0;
    const looks = (this.#before.get(key) ?? 0) + 1;
    this.#now.set(key, looks);
    return looks;
  };

  next(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }
}
