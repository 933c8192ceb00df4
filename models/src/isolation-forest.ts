import type { Rng } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { Moments } from './statistics.js';

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
  /** [nodes] feature a branch looks at; −1 marks a leaf. */
  readonly feature: Int16Array;
  /** [nodes] branch: rows with a value ≤ this go left. Leaf: path length, depth + c(rows left there). */
  readonly value: Float32Array;
  /** [nodes] right child of a branch; 0 in leaves. */
  readonly right: Int32Array;
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
}

const eulerGamma = 0.5772156649015329;

/** Mean path length of an unsuccessful search in a binary search tree of n rows (Liu, Ting, Zhou 2008, eq. 1). */
export function averagePathLength(n: number): number {
  if (n <= 1) return 0;
  if (n === 2) return 1;
  return 2 * (Math.log(n - 1) + eulerGamma) - (2 * (n - 1)) / n;
}

/**
 * Isolation Forest (Liu, Ting, Zhou 2008, algorithms 1 and 2). The same rows, options and seed give the same forest.
 * @param x  row-major [n, features], finite
 * @throws   TypeError for fewer than 2 rows or a matrix of another size
 */
export function trainForest(x: Float32Array, n: number, features: number, options: ForestOptions): Forest {
  if (n < 2 || x.length !== n * features) {
    throw new TypeError(`a forest needs at least 2 rows of ${features} values, got ${x.length} values`);
  }
  const samples = Math.min(options.samples, n);
  const grower = new Grower(x, n, features, samples, options);
  const roots = Int32Array.from({ length: options.trees }, () => grower.growTree());
  return {
    features,
    scale: Math.fround(-1 / (options.trees * averagePathLength(samples))),
    roots,
    ...grower.nodes(),
  };
}

class Grower {
  readonly #feature: Int16Array;
  readonly #value: Float32Array;
  readonly #right: Int32Array;
  readonly #rows: Int32Array;
  readonly #candidates: Int16Array;
  readonly #rng: Rng;
  readonly #maxDepth: number;
  readonly #tries: number;
  #size = 0;
  #split = { feature: 0, threshold: 0 };

  constructor(
    private readonly x: Float32Array,
    private readonly n: number,
    private readonly features: number,
    private readonly samples: number,
    options: ForestOptions,
  ) {
    const most = options.trees * (2 * samples - 1);
    this.#feature = new Int16Array(most);
    this.#value = new Float32Array(most);
    this.#right = new Int32Array(most);
    this.#rows = Int32Array.from({ length: n }, (_, i) => i);
    this.#candidates = Int16Array.from({ length: features }, (_, f) => f);
    this.#rng = seededRng(options.seed);
    this.#maxDepth = Math.ceil(Math.log2(samples));
    this.#tries = options.tries ?? 1;
  }

  nodes(): Pick<Forest, 'feature' | 'value' | 'right'> {
    return {
      feature: this.#feature.slice(0, this.#size),
      value: this.#value.slice(0, this.#size),
      right: this.#right.slice(0, this.#size),
    };
  }

  growTree(): number {
    // A partial shuffle of any order draws without replacement, so the rows need no sorting back between trees.
    for (let i = 0; i < this.samples; i++) swap(this.#rows, i, i + Math.floor(this.#rng() * (this.n - i)));
    return this.#grow(0, this.samples, 0);
  }

  #grow(from: number, to: number, depth: number): number {
    const node = this.#size++;
    if (depth >= this.#maxDepth || to - from < 2 || !this.#chooseSplit(from, to)) {
      this.#feature[node] = -1;
      this.#value[node] = depth + averagePathLength(to - from);
      return node;
    }
    const { feature, threshold } = this.#split;
    this.#feature[node] = feature;
    this.#value[node] = threshold;
    const middle = this.#partition(from, to, feature, threshold);
    this.#grow(from, middle, depth + 1);
    this.#right[node] = this.#grow(middle, to, depth + 1);
    return node;
  }

  /** The best of the drawn splits. False: no feature varies here. */
  #chooseSplit(from: number, to: number): boolean {
    if (!this.#drawSplit(from, to)) return false;
    let best = this.#split;
    for (let t = 1, most = this.#tries > 1 ? this.#gain(from, to) : 0; t < this.#tries; t++) {
      this.#drawSplit(from, to);
      const gain = this.#gain(from, to);
      if (gain > most) [best, most] = [this.#split, gain];
    }
    this.#split = best;
    return true;
  }

  /** By how much the split reduces the standard deviation within its sides, as a share of the whole's. */
  #gain(from: number, to: number): number {
    const { feature, threshold } = this.#split;
    const sides = [new Moments(), new Moments()] as const;
    const whole = new Moments();
    for (let i = from; i < to; i++) {
      const value = this.x[this.#rows[i]! * this.features + feature]!;
      whole.add(value);
      sides[value <= threshold ? 0 : 1].add(value);
    }
    return 1 - (sides[0].deviation + sides[1].deviation) / (2 * whole.deviation);
  }

  /** A random feature among those that vary here, and a random threshold within its range. False: none varies. */
  #drawSplit(from: number, to: number): boolean {
    for (let left = this.features; left > 0; left--) {
      const draw = Math.floor(this.#rng() * left);
      const feature = this.#candidates[draw]!;
      const [low, high] = this.#range(from, to, feature);
      if (high > low) {
        const threshold = Math.fround(low + this.#rng() * (high - low));
        // Rounding may reach the maximum; then nothing would go right.
        this.#split = { feature, threshold: threshold < high ? threshold : low };
        return true;
      }
      swap(this.#candidates, draw, left - 1);
    }
    return false;
  }

  #range(from: number, to: number, feature: number): [low: number, high: number] {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = from; i < to; i++) {
      const value = this.x[this.#rows[i]! * this.features + feature]!;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return [low, high];
  }

  #partition(from: number, to: number, feature: number, threshold: number): number {
    let middle = from;
    for (let i = from; i < to; i++) {
      if (this.x[this.#rows[i]! * this.features + feature]! <= threshold) swap(this.#rows, i, middle++);
    }
    return middle;
  }
}

function swap(array: Int32Array | Int16Array, a: number, b: number): void {
  const kept = array[a]!;
  array[a] = array[b]!;
  array[b] = kept;
}

/**
 * Anomaly scores, 2^(−E(h) / c(samples)) (Liu, Ting, Zhou 2008, eq. 2).
 * @param x    row-major [n, features]; NaN goes right, as in ONNX
 * @param out  [n] in (0, 1]; towards 1 = isolated early
 */
export function scoreForest(forest: Forest, x: Float32Array, n: number, out: Float32Array): void {
  const { roots, feature, value, right, features, scale } = forest;
  const sums = new Float64Array(n);
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
  for (let r = 0; r < n; r++) out[r] = 2 ** (sums[r]! * scale);
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
