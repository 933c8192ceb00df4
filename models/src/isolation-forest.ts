import { AxisSplitter } from './axis-splitter.js';
import { knownRows, type Planes, planeSum } from './extended-planes.js';
import { ExtendedSplitter } from './extended-splitter.js';
import { Grower } from './forest-grower.js';
import { averagePathLength } from './path-length.js';

/**
 * All trees in one run of nodes, each tree depth first: the left child of node i is i + 1, so that only the right
 * one is stored. Thresholds and path lengths are float32, the precision in which ONNX computes.
 */
export interface Forest {
  /** Values a row. */
  readonly features: number;
  /** −1 / (trees · c(samples)), rounded to float32: the exponent of a row is this times its summed path lengths. */
  readonly scale: number;
  /** [trees] index of each root. */
  readonly roots: Int32Array;
  /** [nodes] what a branch looks at: a feature, or one of `planes` where there are some; −1 marks a leaf. */
  readonly feature: Int32Array;
  /** [nodes] branch: rows with a value ≤ this go left. Leaf: path length, depth + c(rows left there). */
  readonly value: Float32Array;
  /** [nodes] right child of a branch; 0 in leaves. */
  readonly right: Int32Array;
  /** Of an extended forest: branches look at weighted sums of features. */
  readonly planes?: Planes;
}

export interface ForestOptions {
  readonly trees: number;
  /** Rows each tree is grown from. */
  readonly samples: number;
  readonly seed: number;
  /**
   * Random splits to draw at each branch; the one that separates best is taken (SCiForest: Liu, Ting, Zhou 2010,
   * eq. 1). 1, the default, is the Isolation Forest of 2008.
   */
  readonly tries?: number;
  /**
   * Features that a split looks at: 1, the default, is the Isolation Forest; more an extended one (Hariri, Carrasco Kind,
   * Brunner 2019), to which `tries` means nothing.
   */
  readonly featuresASplit?: number;
  /** A forest of more is given up while it grows. */
  readonly maxNodes?: number;
}

/**
 * Isolation Forest (Liu, Ting, Zhou 2008, algorithms 1 and 2), or an extended one. The same rows, options and seed give
 * the same forest.
 * @param x  row-major [n, features], finite or NaN = missing; a row goes right where the value is missing
 * @throws   TypeError for fewer than 2 rows or a matrix of another size; EW_TRAIN_INPUT for more than `maxNodes`
 */
export function trainForest(x: Float32Array, n: number, features: number, options: ForestOptions): Forest {
  if (n < 2 || x.length !== n * features) {
    throw new TypeError(`a forest needs at least 2 rows of ${features} values, got ${x.length} values`);
  }
  const samples = Math.min(options.samples, n);
  const { trees, seed, tries = 1, featuresASplit = 1 } = options;
  const terms = Math.min(featuresASplit, features);
  const extended = terms > 1 ? new ExtendedSplitter(x, features, terms, seed) : undefined;
  const splitter = extended ?? new AxisSplitter(x, features, tries);
  return {
    features,
    scale: Math.fround(-1 / (trees * averagePathLength(samples))),
    ...new Grower(splitter, n, samples, seed).grow(trees, options.maxNodes),
    ...(extended && { planes: extended.planes() }),
  };
}

/**
 * Anomaly scores, 2^(−E(h) / c(samples)) (Liu, Ting, Zhou 2008, eq. 2).
 * @param x    row-major [n, features]; where a value is missing (NaN) a row goes right, as in ONNX; in an extended forest
 *             the usual value stands for it
 * @param out  [n] in (0, 1]; towards 1 = isolated early
 */
export function scoreForest(forest: Forest, x: Float32Array, n: number, out: Float32Array): void {
  const sums = new Float64Array(n);
  if (forest.planes) addPlanePaths(forest, forest.planes, x, n, sums);
  else addPaths(forest, x, n, sums);
  for (let r = 0; r < n; r++) out[r] = 2 ** (sums[r]! * forest.scale);
}

function addPaths(
  { roots, feature, value, right, features }: Forest,
  x: Float32Array,
  n: number,
  sums: Float64Array,
): void {
  // Trees outside, rows inside: one tree stays in the first-level cache.
  for (let t = 0; t < roots.length; t++) {
    const root = roots[t]!;
    for (let r = 0, base = 0; r < n; r++, base += features) {
      let node = root;
      let f = feature[node]!;
      while (f >= 0) {
        node = x[base + f]! <= value[node]! ? node + 1 : right[node]!;
        f = feature[node]!;
      }
      sums[r]! += value[node]!;
    }
  }
}

function addPlanePaths(
  { roots, feature, value, right, features }: Forest,
  planes: Planes,
  x: Float32Array,
  n: number,
  sums: Float64Array,
): void {
  const known = new Float32Array(x.length);
  knownRows(planes, x, known);
  for (let t = 0; t < roots.length; t++) {
    const root = roots[t]!;
    for (let r = 0, base = 0; r < n; r++, base += features) {
      let node = root;
      let plane = feature[node]!;
      while (plane >= 0) {
        node = planeSum(planes, plane, known, base) <= value[node]! ? node + 1 : right[node]!;
        plane = feature[node]!;
      }
      sums[r]! += value[node]!;
    }
  }
}

/** The same for a matrix of any size. In pieces that stay in the cache while all trees pass over them. */
export function scoreMatrix(forest: Forest, x: Float32Array): Float32Array {
  const pieceRows = 256;
  const scores = new Float32Array(x.length / forest.features);
  for (let from = 0; from < scores.length; from += pieceRows) {
    const to = Math.min(from + pieceRows, scores.length);
    const rows = x.subarray(from * forest.features, to * forest.features);
    scoreForest(forest, rows, to - from, scores.subarray(from, to));
  }
  return scores;
}
