import type { Memory } from '../memory.js';

/**
 * Mean of the last n values. The sum is kept by adding what comes and taking away what leaves, and taken anew at
 * every round of the ring, so that no rounding error outlives n values.
 */
export class RunningMean {
  readonly #ring: Float64Array;
  #count = 0;
  #sum = 0;

  constructor(size: number) {
    this.#ring = new Float64Array(size);
  }

  next(value: number): number {
    const ring = this.#ring;
    const at = this.#count % ring.length;
    this.#sum += value - ring[at]!;
    ring[at] = value;
    this.#count += 1;
    if (at === ring.length - 1) this.#sum = ring.reduce((sum, one) => sum + one, 0);
    return this.#sum / Math.min(this.#count, ring.length);
  }

  reset(): void {
    this.#ring.fill(0);
    this.#count = 0;
    this.#sum = 0;
  }

  remember(memory: Memory): void {
    memory.array(this.#ring);
    this.#count = memory.count(this.#count);
    this.#sum = memory.number(this.#sum);
  }
}
