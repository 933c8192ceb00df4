import type { Memory } from '../memory.js';

const dayMs = 86_400_000;

/**
 * What a metric usually is at a time of day (UTC): per slot an exponentially weighted mean of the days' means. A slot
 * speaks from its second day on, and a day counts once the slot is over.
 */
export class DayProfile {
  readonly #means: Float64Array;
  #slot = -1;
  #sum = 0;
  #count = 0;

  constructor(
    private readonly slotMs: number,
    private readonly newest: number,
  ) {
    this.#means = new Float64Array(Math.round(dayMs / slotMs)).fill(Number.NaN);
  }

  /** NaN: not known yet. Call before `add` with the same time. */
  expected(timeMs: number): number {
    const slot = this.#slotOf(timeMs);
    if (slot !== this.#slot) this.#close(slot);
    return this.#means[slot]!;
  }

  add(value: number): void {
    this.#sum += value;
    this.#count += 1;
  }

  remember(memory: Memory): void {
    memory.array(this.#means);
    this.#slot = memory.number(this.#slot);
    this.#sum = memory.number(this.#sum);
    this.#count = memory.count(this.#count);
  }

  #slotOf(timeMs: number): number {
    const within = ((timeMs % dayMs) + dayMs) % dayMs;
    return Math.min(Math.floor(within / this.slotMs), this.#means.length - 1);
  }

  #close(next: number): void {
    if (this.#count > 0) {
      const [mean, former] = [this.#sum / this.#count, this.#means[this.#slot]!];
      this.#means[this.#slot] = Number.isNaN(former) ? mean : former + this.newest * (mean - former);
    }
    this.#slot = next;
    this.#sum = 0;
    this.#count = 0;
  }
}
