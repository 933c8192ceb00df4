import { z } from 'zod';
import type { ChannelPlan } from './channel-plan.js';
import type { RowWindow } from './row-window.js';
import { channelSettings } from './settings.js';

/** A view as it stands in a model's card. */
export const viewSchema = z.strictObject({
  /** Channels whose means are looked at, and channels whose changes are, by their place in the plan. */
  means: z.array(z.int().min(0)),
  changes: z.array(z.int().min(0)),
  /** [means, changes] of the training rows. */
  center: z.array(z.number()),
  /** Lower triangle, row by row, of the matrix that makes the columns independent and of variance 1. */
  whitening: z.array(z.number().min(-1e6).max(1e6)),
  /** Highest smoothed distance of the training rows. */
  level: z.number().min(1e-9),
});
export type ViewModel = z.output<typeof viewSchema>;

/** Columns of view number v: means of channels that have a usual level, and in wider windows changes of the others. */
export function columnsOf(plan: readonly ChannelPlan[], v: number): Pick<ViewModel, 'means' | 'changes'> {
  const without = (role: ChannelPlan['role']) =>
    plan.flatMap((channel, c) => (channel.role === role ? [] : [c]));
  const [means, moving] = [without('wandering'), without('steady')];
  return { means, changes: v > 1 || means.length === 0 ? moving : [] };
}

/** Writes a view's columns of a device's newest row. */
export function writeColumns(
  { means, changes }: Pick<ViewModel, 'means' | 'changes'>,
  v: number,
  window: RowWindow,
  into: Float64Array,
  at: number,
): void {
  let to = at;
  for (let i = 0; i < means.length; i++) into[to++] = window.mean(v, means[i]!);
  for (let i = 0; i < changes.length; i++)
    into[to++] = window.change(channelSettings.changeRows, changes[i]!);
}

/**
 * Mahalanobis distance (1936) of a row from the training rows: √((x − m)ᵀ C⁻¹ (x − m)) = |W (x − m)|, with W the
 * inverse of the Cholesky factor of C.
 */
export class View {
  readonly size: number;
  readonly #off: Float64Array;
  readonly #white: Float64Array;
  readonly #center: Float64Array;
  readonly #whitening: Float64Array;
  readonly #own: Float64Array;
  /** Channel of each column. */
  readonly #channels: readonly number[];

  constructor({ means, changes, center, whitening }: Omit<ViewModel, 'level'>) {
    this.size = center.length;
    this.#off = new Float64Array(this.size);
    this.#white = new Float64Array(this.size);
    this.#center = Float64Array.from(center);
    this.#whitening = Float64Array.from(whitening);
    this.#own = ownWeights(this.#whitening, this.size);
    this.#channels = [...means, ...changes];
  }

  /** Of the columns that begin there. */
  distance(x: Float64Array, at: number): number {
    const { size } = this;
    const [off, white, center, whitening] = [this.#off, this.#white, this.#center, this.#whitening];
    let square = 0;
    for (let i = 0, w = 0; i < size; i++) {
      off[i] = x[at + i]! - center[i]!;
      let sum = 0;
      for (let j = 0; j <= i; j++) sum += whitening[w++]! * off[j]!;
      white[i] = sum;
      square += sum * sum;
    }
    return Math.sqrt(square);
  }

  /**
   * Adds to each channel `share` times what the square of the distance would shrink by if the channel were what the
   * others let expect, with the sign of its error: ± (C⁻¹ (x − m))ᵢ² / (C⁻¹)ᵢᵢ. A channel that is off alone always
   * comes first (by the inequality of Cauchy and Schwarz).
   */
  blame(x: Float64Array, at: number, share: number, into: Float64Array): void {
    this.distance(x, at);
    for (let i = 0; i < this.size; i++) {
      let pull = 0;
      for (let k = i; k < this.size; k++) pull += this.#whitening[(k * (k + 1)) / 2 + i]! * this.#white[k]!;
      into[this.#channels[i]!]! += (share * pull * Math.abs(pull)) / this.#own[i]!;
    }
  }
}

/** Diagonal of WᵀW. */
function ownWeights(whitening: Float64Array, size: number): Float64Array {
  const own = new Float64Array(size);
  for (let k = 0; k < size; k++)
    for (let i = 0; i <= k; i++) own[i]! += whitening[(k * (k + 1)) / 2 + i]! ** 2;
  return own;
}

/** Means and products of columns, row by row. */
export class Covariance {
  readonly #sums: Float64Array;
  readonly #products: Float64Array;
  #rows = 0;

  constructor(private readonly size: number) {
    this.#sums = new Float64Array(size);
    this.#products = new Float64Array(size * size);
  }

  add(x: Float64Array, at: number): void {
    this.#rows += 1;
    for (let i = 0; i < this.size; i++) {
      const value = x[at + i]!;
      this.#sums[i]! += value;
      for (let j = 0; j <= i; j++) this.#products[i * this.size + j]! += value * x[at + j]!;
    }
  }

  /** Center and whitening of a view, off-diagonal covariances shrunk (after Schäfer and Strimmer 2005). */
  finish(): Pick<ViewModel, 'center' | 'whitening'> {
    const { shrinkage, ridge } = channelSettings;
    const n = this.#rows;
    const shrunk = shrinkage.share * Math.min(1, shrinkage.rows / n);
    const center = Array.from(this.#sums, sum => sum / n);
    const covariance = center.map((mean, i) =>
      center.slice(0, i + 1).map((other, j) => {
        const measured = this.#products[i * this.size + j]! / n - mean * other;
        return i === j ? Math.max(0, measured) + ridge : measured * (1 - shrunk);
      }),
    );
    return { center, whitening: inverseOfCholesky(covariance) };
  }
}

/** @param lower  rows of the lower triangle of a positive definite matrix */
function inverseOfCholesky(lower: readonly (readonly number[])[]): number[] {
  const factor: number[][] = [];
  for (const [i, row] of lower.entries()) {
    const own: number[] = [];
    for (let j = 0; j <= i; j++) {
      const other = j < i ? factor[j]! : own;
      let sum = row[j]!;
      for (let k = 0; k < j; k++) sum -= own[k]! * other[k]!;
      own.push(i === j ? Math.sqrt(Math.max(sum, 1e-9)) : sum / other[j]!);
    }
    factor.push(own);
  }
  const inverse = factor.map(() => [] as number[]);
  for (let i = 0; i < factor.length; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = i === j ? 1 : 0;
      for (let k = j; k < i; k++) sum -= factor[i]![k]! * inverse[k]![j]!;
      inverse[i]!.push(sum / factor[i]![i]!);
    }
  }
  return inverse.flat();
}
