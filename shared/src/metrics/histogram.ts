/** How many values there were up to each bound: what a scrape needs, and nothing that grows. */
export class Histogram {
  /** Upper bounds, ascending; above the last there is one more bucket. */
  readonly bounds: readonly number[];
  /** Values of each bucket by itself. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    if (bounds.length === 0 || bounds.some((bound, i) => i > 0 && bound <= bounds[i - 1]!))
      throw new TypeError(`bounds of a histogram rise: ${bounds.join(', ')}`);
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number, times = 1): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket += 1;
    this.counts[bucket]! += times;
    this.sum += value * times;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}

/** Seconds, for what should take milliseconds: commits, requests. */
export const shortBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Seconds, for what may take milliseconds or, after an outage, days. */
export const longBounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86_400];
