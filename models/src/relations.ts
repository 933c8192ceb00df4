import type { RecordBatch } from '@edgeward/shared/contracts';
import { type ChannelSpec, type FeatureSpec, termCount } from './feature-spec.js';
import { FeatureExtractor } from './features.js';
import { rounded } from './statistics.js';
import { isOwnTerm, putTerms } from './terms.js';

/** Steadies the regression where channels say the same thing (ridge, in units of a standardised channel). */
const ridge = 1e-3;
/** More rows say nothing new about a few dozen weights. */
const enoughRows = 50_000;

/**
 * Learns what each channel is expected to be from the others: a ridge regression on their values, long-term
 * means and squares.
 * @param usable  [n] 1 = row may be learned from
 * @returns       per channel, weights of all terms; its own weigh 0
 */
export function relationsOf(batch: RecordBatch, spec: FeatureSpec, usable: Uint8Array): number[][] {
  const channels = spec.channels.length;
  const products = termProducts(batch, spec, usable);
  return spec.channels.map((_, c) => {
    const others = Array.from({ length: termCount(channels) }, (_, t) => t).filter(
      t => !isOwnTerm(t, c, channels),
    );
    const solution = solve(
      others.map(a => others.map(b => products[a]![b]! + (a === b ? ridge : 0))),
      others.map(t => products[t]![c]!),
    );
    const weights = new Array<number>(termCount(channels)).fill(0);
    for (const [i, term] of others.entries()) weights[term] = rounded(solution[i]!, 9);
    return weights;
  });
}

/** Mean products of all pairs of terms. Where the value's own term is clamped, so is what is to be explained. */
function termProducts(batch: RecordBatch, spec: FeatureSpec, usable: Uint8Array): Float64Array[] {
  const { matrix, columns } = valuesAndMeans(batch, spec, usable);
  const channels = spec.channels.length;
  const size = termCount(channels);
  const products = Array.from({ length: size }, () => new Float64Array(size));
  const terms = new Float64Array(size);
  terms[size - 1] = 1;
  const rows = matrix.length / columns;
  const stride = Math.max(1, Math.floor(rows / enoughRows));
  let counted = 0;
  for (let r = 0; r < rows; r++) {
    if (!usable[r] || r % stride !== 0) continue;
    counted += 1;
    spec.channels.forEach((channel, c) => {
      const at = r * columns + 2 * c;
      putTerms(channel, matrix[at]!, matrix[at + 1]!, c, channels, terms);
    });
    for (let a = 0; a < size; a++) {
      const row = products[a]!;
      const term = terms[a]!;
      for (let b = 0; b < size; b++) row[b]! += term * terms[b]!;
    }
  }
  for (const row of products) for (let b = 0; b < size; b++) row[b]! /= Math.max(1, counted);
  return products;
}

/** Also takes rows out of `usable` whose device was not yet warm. */
function valuesAndMeans(batch: RecordBatch, spec: FeatureSpec, usable: Uint8Array) {
  const plain: ChannelSpec[] = spec.channels.map(({ weights: _, ...channel }) => ({
    ...channel,
    features: ['value', 'mean'],
  }));
  const extractor = new FeatureExtractor({ ...spec, channels: plain });
  const columns = extractor.names.length;
  const matrix = new Float32Array(batch.time.length * columns);
  const warmUp = new Uint8Array(batch.time.length);
  extractor.extract(batch, matrix, warmUp);
  warmUp.forEach((warming, r) => {
    if (warming) usable[r] = 0;
  });
  return { matrix, columns };
}

/** Gaussian elimination with the largest pivot of each column. */
export function solve(matrix: readonly number[][], right: readonly number[]): number[] {
  const n = right.length;
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let j = i + 1; j < n; j++) if (Math.abs(rows[j]![i]!) > Math.abs(rows[pivot]![i]!)) pivot = j;
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    const own = rows[i]!;
    for (let j = i + 1; j < n; j++) {
      const other = rows[j]!;
      const factor = other[i]! / own[i]!;
      if (factor !== 0) for (let k = i; k <= n; k++) other[k]! -= factor * own[k]!;
    }
  }
  const solution = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let sum = rows[i]![n]!;
    for (let k = i + 1; k < n; k++) sum -= rows[i]![k]! * solution[k]!;
    solution[i] = sum / rows[i]![i]!;
  }
  return solution;
}
