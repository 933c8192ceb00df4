import type { Rng } from '@edgeward/shared/contracts';
import { type Split, type Splitter, swap } from './forest-grower.js';
import { Moments } from './statistics.js';

/** Splits on one feature; a missing value goes right. */
export class AxisSplitter implements Splitter {
  readonly mayBeEmpty = false;
  readonly #candidates: Int16Array;

  /** @param tries  splits to draw, of which the best is taken */
  constructor(
    private readonly x: Float32Array,
    private readonly features: number,
    private readonly tries: number,
  ) {
    this.#candidates = Int16Array.from({ length: features }, (_, f) => f);
  }

  draw(rows: Int32Array, from: number, to: number, rng: Rng): Split | undefined {
    let best = this.#drawOne(rows, from, to, rng);
    if (!best || this.tries === 1) return best;
    for (let t = 1, most = this.#gain(rows, from, to, best); t < this.tries; t++) {
      const split = this.#drawOne(rows, from, to, rng)!;
      const gain = this.#gain(rows, from, to, split);
      if (gain > most) [best, most] = [split, gain];
    }
    return best;
  }

  partition(rows: Int32Array, from: number, to: number, { feature, threshold }: Split): number {
    let middle = from;
    for (let i = from; i < to; i++) {
      if (this.x[rows[i]! * this.features + feature]! <= threshold) swap(rows, i, middle++);
    }
    return middle;
  }

  /** By how much the split reduces the standard deviation within its sides, as a share of the whole's. */
  #gain(rows: Int32Array, from: number, to: number, { feature, threshold }: Split): number {
    const sides = [new Moments(), new Moments()] as const;
    const whole = new Moments();
    for (let i = from; i < to; i++) {
      const value = this.x[rows[i]! * this.features + feature]!;
      if (Number.isNaN(value)) continue;
      whole.add(value);
      sides[value <= threshold ? 0 : 1].add(value);
    }
    return 1 - (sides[0].deviation + sides[1].deviation) / (2 * whole.deviation);
  }

  /** A random feature among those that vary here, and a random threshold within its range. */
  #drawOne(rows: Int32Array, from: number, to: number, rng: Rng): Split | undefined {
    for (let left = this.features; left > 0; left--) {
      const draw = Math.floor(rng() * left);
      const feature = this.#candidates[draw]!;
      const [low, high] = this.#range(rows, from, to, feature);
      if (high > low) {
        const threshold = Math.fround(low + rng() * (high - low));
        // Rounding may reach the maximum; then nothing would go right.
        return { feature, threshold: threshold < high ? threshold : low };
      }
      swap(this.#candidates, draw, left - 1);
    }
    return undefined;
  }

  #range(rows: Int32Array, from: number, to: number, feature: number): [low: number, high: number] {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = from; i < to; i++) {
      const value = this.x[rows[i]! * this.features + feature]!;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return [low, high];
  }
}
