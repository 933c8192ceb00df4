import type { Rng } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { seededRng } from '@edgeward/shared/rng';
import type { Forest } from './isolation-forest.js';
import { averagePathLength } from './path-length.js';

/** How a forest chooses its splits. */
export interface Splitter {
  /** One side of its splits may get no rows. */
  readonly mayBeEmpty: boolean;
  /** A split of some rows: of those numbered rows[from] to rows[to − 1]. Undefined: they are all alike. */
  draw(rows: Int32Array, from: number, to: number, rng: Rng): Split | undefined;
  /** Puts the rows that go left before the others. @returns where the others begin */
  partition(rows: Int32Array, from: number, to: number, split: Split): number;
}

export interface Split {
  /** As in a forest's nodes. */
  readonly feature: number;
  readonly threshold: number;
}

/** Grows trees from random rows each (Liu, Ting, Zhou 2008, algorithms 1 and 2). */
export class Grower {
  readonly #rows: Int32Array;
  readonly #rng: Rng;
  readonly #maxDepth: number;
  #feature = new Int32Array(0);
  #value = new Float32Array(0);
  #right = new Int32Array(0);
  #size = 0;

  constructor(
    private readonly splitter: Splitter,
    private readonly n: number,
    private readonly samples: number,
    seed: number,
  ) {
    this.#rows = Int32Array.from({ length: n }, (_, i) => i);
    this.#rng = seededRng(seed);
    this.#maxDepth = Math.ceil(Math.log2(samples));
  }

  /** @throws EW_TRAIN_INPUT once there are more nodes than may be */
  grow(
    trees: number,
    maxNodes = Number.POSITIVE_INFINITY,
  ): Pick<Forest, 'roots' | 'feature' | 'value' | 'right'> {
    const most = trees * this.#mostNodesATree();
    this.#feature = new Int32Array(most);
    this.#value = new Float32Array(most);
    this.#right = new Int32Array(most);
    return {
      roots: Int32Array.from({ length: trees }, (_, tree) => {
        if (this.#size > maxNodes) throw tooLarge(tree, trees, this.#size, maxNodes);
        return this.#growTree();
      }),
      feature: this.#feature.slice(0, this.#size),
      value: this.#value.slice(0, this.#size),
      right: this.#right.slice(0, this.#size),
    };
  }

  #mostNodesATree(): number {
    return this.splitter.mayBeEmpty ? 2 ** (this.#maxDepth + 1) - 1 : 2 * this.samples - 1;
  }

  #growTree(): number {
    // A partial shuffle of any order draws without replacement, so the rows need no sorting back between trees.
    for (let i = 0; i < this.samples; i++) swap(this.#rows, i, i + Math.floor(this.#rng() * (this.n - i)));
    return this.#growNode(0, this.samples, 0);
  }

  #growNode(from: number, to: number, depth: number): number {
    const node = this.#size++;
    const isLeaf = depth >= this.#maxDepth || to - from < 2;
    const split = isLeaf ? undefined : this.splitter.draw(this.#rows, from, to, this.#rng);
    if (!split) {
      this.#feature[node] = -1;
      this.#value[node] = depth + averagePathLength(to - from);
      return node;
    }
    this.#feature[node] = split.feature;
    this.#value[node] = split.threshold;
    const middle = this.splitter.partition(this.#rows, from, to, split);
    this.#growNode(from, middle, depth + 1);
    this.#right[node] = this.#growNode(middle, to, depth + 1);
    return node;
  }
}

function tooLarge(grown: number, trees: number, nodes: number, maxNodes: number): EdgewardError {
  const detail = `The first ${grown} of ${trees} trees have ${nodes} nodes, and agents refuse a model of more than ${maxNodes}. Train with fewer trees or samples.`;
  return new EdgewardError('EW_TRAIN_INPUT', detail);
}

export function swap(array: Int32Array | Int16Array, a: number, b: number): void {
  const kept = array[a]!;
  array[a] = array[b]!;
  array[b] = kept;
}
