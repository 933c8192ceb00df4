/**
 * What branches of an extended forest look at: weighted sums of a few features.
 *
 * ONNX computes all sums of a row by matrix products, in an order of its own and with or without fused steps, and a row
 * that lies on a threshold must go the same way everywhere. So nothing may depend on that: weights are powers of two, by
 * which a product is exact, and a product of matrices adds up two terms, rounding once. More terms are more products.
 * Zeros in a matrix are harmless to finite numbers only, so there are no others: see `knownRows`.
 */

export interface Planes {
  /** Features in a sum. */
  readonly terms: number;
  /** [planes, terms] */
  readonly feature: Int16Array;
  /** [planes, terms]; the first one of each is 1, others a power of two of either sign, or 0. */
  readonly weight: Float32Array;
  /** [features] what counts where a value is missing. */
  readonly usual: Float32Array;
}

/** Beyond this a value counts as this: times the largest weight it is still finite. */
export const largestValue = 2 ** 80;
/** Of two in a weight. */
export const largestPower = 40;

/** The sum of one row, which begins at `base`, in float32. */
export function planeSum(
  { terms, feature, weight }: Pick<Planes, 'terms' | 'feature' | 'weight'>,
  plane: number,
  x: Float32Array,
  base: number,
): number {
  const end = (plane + 1) * terms;
  let sum = 0;
  for (let at = plane * terms; at < end; at += 2) {
    let pair = weight[at]! * x[base + feature[at]!]!;
    if (at + 1 < end) pair = Math.fround(pair + weight[at + 1]! * x[base + feature[at + 1]!]!);
    sum = Math.fround(sum + pair);
  }
  return sum;
}

/**
 * Rows without NaN and infinities.
 * @param into  as long as x
 */
export function knownRows({ usual }: Pick<Planes, 'usual'>, x: Float32Array, into: Float32Array): void {
  const features = usual.length;
  for (let i = 0, f = 0; i < x.length; i++) {
    const value = x[i]!;
    if (value >= -largestValue && value <= largestValue) into[i] = value;
    else into[i] = Number.isNaN(value) ? usual[f]! : Math.sign(value) * largestValue;
    if (++f === features) f = 0;
  }
}

/** Rows that a median is taken of. */
const medianRows = 1024;

/** [features] medians of the known values, of some rows; 0 where there are none. Never beyond `largestValue`. */
export function usualValues(x: Float32Array, features: number): Float32Array {
  const n = x.length / features;
  const stride = Math.ceil(n / medianRows);
  return Float32Array.from({ length: features }, (_, f) => {
    const some = Float32Array.from(
      { length: Math.ceil(n / stride) },
      (_, i) => x[i * stride * features + f]!,
    );
    const known = some.filter(value => Math.abs(value) <= largestValue).sort();
    return known[known.length >> 1] ?? 0;
  });
}
