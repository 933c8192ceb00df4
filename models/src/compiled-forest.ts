/**
 * A forest as WebAssembly: less than half of the CPU time of onnxruntime, at 1 to 1,000 rows a call.
 *
 * Trees are filled up to one depth, so that a walk has no branch to mispredict: the child of node i is 2i, or 2i + 1
 * where the row's value is ≤ the threshold. A NaN is not, and goes right, as in ONNX. Several rows walk side by side,
 * because one walk alone spends its time waiting for memory. Trees outside, rows inside: one tree stays in the cache.
 * Of an extended forest a node holds its plane, and only the sums on the way are computed.
 */
import { knownRows } from './extended-planes.js';
import { type Forest, scoreMatrix } from './isolation-forest.js';
import { i32, moduleOf, op, positive, unsigned } from './wasm-writer.js';

/** Filled up, a tree has 2^depth leaves; deeper ones would be mostly filling. */
const maxDepth = 10;
const maxBytes = 64 << 20;
/** Rows that walk side by side. */
const abreast = 8;
/** Rows that stay in the cache while all trees pass over them. */
const pieceRows = 256;
const pageBytes = 65_536;
/**
 * Of a node: where its features lie within a row, the weights of all but the first, and its threshold. A plain forest's
 * has one feature.
 */
const nodeBytes = (terms: number) => 8 * terms;

// Parameters and local variables of the function.
const [nodes, nodesEnd, leaves, rows, rowsEnd, sums] = [0, 1, 2, 3, 4, 5];
const params = [i32, i32, i32, i32, i32, i32];
const [row, sum, walker] = [6, 7, 8];

/** As much of it as is used: Node's types leave it to those of browsers. */
interface WebAssemblyApi {
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly run: Run } };
}
/** Not there under `--jitless`. */
const { WebAssembly: wasm } = globalThis as { readonly WebAssembly?: WebAssemblyApi };

type Run = (
  nodes: number,
  nodesEnd: number,
  leaves: number,
  rows: number,
  rowsEnd: number,
  sums: number,
) => void;

export class CompiledForest {
  readonly #forest: Forest;
  readonly #run: Run;
  readonly #at: { readonly nodesEnd: number; readonly rows: number; readonly sums: number };
  readonly #rows: Float32Array;
  readonly #sums: Float64Array;

  private constructor(forest: Forest, depth: number, { Memory, Module, Instance }: WebAssemblyApi) {
    this.#forest = forest;
    const { roots, features } = forest;
    const terms = termsOf(forest);
    const nodesEnd = roots.length * treeBytes(depth, terms);
    const rowsAt = nodesEnd + roots.length * leafBytes(depth);
    const sumsAt = align(rowsAt + 4 * pieceRows * features);
    const bytes = sumsAt + 8 * pieceRows;
    const memory = new Memory({ initial: Math.ceil(bytes / pageBytes) });
    fill(forest, depth, memory.buffer, nodesEnd);
    this.#at = { nodesEnd, rows: rowsAt, sums: sumsAt };
    this.#rows = new Float32Array(memory.buffer, rowsAt, pieceRows * features);
    this.#sums = new Float64Array(memory.buffer, sumsAt, pieceRows);
    const module = new Module(moduleOf(params, 2 + abreast, walkOf(features, depth, terms)));
    this.#run = new Instance(module, { env: { memory } }).exports.run;
  }

  /** Undefined where WebAssembly does not run, or the forest is too deep or too large to be filled up. */
  static of(forest: Forest): CompiledForest | undefined {
    const depth = depthOf(forest);
    if (!wasm || depth > maxDepth) return undefined;
    const bytes = forest.roots.length * (treeBytes(depth, termsOf(forest)) + leafBytes(depth));
    if (bytes > maxBytes) return undefined;
    try {
      return new CompiledForest(forest, depth, wasm);
    } catch {
      return undefined; // its memory reserves addresses by the gigabyte, which `ulimit -v` may refuse
    }
  }

  /**
   * As `scoreForest`.
   * @param x    row-major [n, features]
   * @param out  [n]
   */
  score(x: Float32Array, n: number, out: Float32Array): void {
    const { features, scale, planes } = this.#forest;
    const { nodesEnd, rows: from, sums: sumsAt } = this.#at;
    for (let first = 0; first < n; first += pieceRows) {
      const count = Math.min(pieceRows, n - first);
      const rows = x.subarray(first * features, (first + count) * features);
      if (planes) knownRows(planes, rows, this.#rows);
      else this.#rows.set(rows);
      this.#sums.fill(0);
      // What is left of the rows before may fill up the last few.
      const filled = Math.ceil(count / abreast) * abreast;
      this.#run(0, nodesEnd, nodesEnd, from, from + 4 * filled * features, sumsAt);
      for (let r = 0; r < count; r++) out[first + r] = 2 ** (this.#sums[r]! * scale);
    }
  }
}

const termsOf = ({ planes }: Forest) => planes?.terms ?? 1;
/** As `scoreMatrix`, compiled where that can be: for many rows at once. */
export function scoreCompiled(forest: Forest, x: Float32Array): Float32Array {
  const compiled = CompiledForest.of(forest);
  if (!compiled) return scoreMatrix(forest, x);
  const scores = new Float32Array(x.length / forest.features);
  compiled.score(x, scores.length, scores);
  return scores;
}

const treeBytes = (depth: number, terms: number) => nodeBytes(terms) << depth;
const leafBytes = (depth: number) => 4 << depth;
const align = (at: number) => Math.ceil(at / 8) * 8;

/** Of the deepest leaf; right children lie behind all of the left side, so one pass from behind finds it. */
function depthOf({ feature, right, roots }: Forest): number {
  const depth = new Int32Array(feature.length);
  for (let i = feature.length - 1; i >= 0; i--)
    if (feature[i]! >= 0) depth[i] = 1 + Math.max(depth[i + 1]!, depth[right[i]!]!);
  return roots.reduce((deepest, root) => Math.max(deepest, depth[root]!), 1);
}

/** Writes nodes and leaves; where a tree ends early, both ways lead to the same leaf. */
function fill(forest: Forest, depth: number, memory: ArrayBuffer, leavesAt: number) {
  const { roots, feature, value, right } = forest;
  const words = nodeBytes(termsOf(forest)) / 4;
  const putBranch = branchWriter(forest, memory);
  const floats = new Float32Array(memory);
  const put = (tree: number, at: number, node: number): void => {
    if (at >= 1 << depth) {
      floats[leavesAt / 4 + (tree << depth) + at - (1 << depth)] = value[node]!;
      return;
    }
    const branch = feature[node]! >= 0;
    if (branch) putBranch(node, ((tree << depth) + at) * words);
    put(tree, 2 * at, branch ? right[node]! : node);
    put(tree, 2 * at + 1, branch ? node + 1 : node);
  };
  roots.forEach((root, tree) => {
    put(tree, 1, root);
  });
}

function branchWriter({ feature, value, planes }: Forest, memory: ArrayBuffer) {
  const offsets = new Int32Array(memory);
  const floats = new Float32Array(memory);
  if (!planes)
    return (node: number, to: number) => {
      offsets[to] = 4 * feature[node]!;
      floats[to + 1] = value[node]!;
    };
  const { terms } = planes;
  return (node: number, to: number) => {
    const from = feature[node]! * terms;
    for (let t = 0; t < terms; t++) offsets[to + t] = 4 * planes.feature[from + t]!;
    floats.set(planes.weight.subarray(from + 1, from + terms), to + terms);
    floats[to + 2 * terms - 1] = value[node]!;
  };
}

/** For each tree: for each few rows: walk down, and add what the leaves say. */
function walkOf(features: number, depth: number, terms: number): number[] {
  const some = Array.from({ length: abreast }, (_, i) => i);
  const steps = Array.from({ length: depth }, (_, level) =>
    some.flatMap(i => stepOf(i, level, features, terms)),
  );
  return [
    ...op.loop,
    ...move(row, rows),
    ...move(sum, sums),
    ...op.loop,
    ...steps.flat(),
    ...some.flatMap(i => addLeaf(i, depth)),
    ...increase(sum, 8 * abreast),
    ...increase(row, 4 * abreast * features),
    ...whileLess(row, rowsEnd),
    ...op.end,
    ...increase(leaves, leafBytes(depth)),
    ...increase(nodes, treeBytes(depth, terms)),
    ...whileLess(nodes, nodesEnd),
    ...op.end,
  ];
}

/** walker = 2 walker + (what the node looks at ≤ threshold); all begin at 1. */
function stepOf(i: number, level: number, features: number, terms: number): number[] {
  const me = unsigned(walker + i);
  const size = nodeBytes(terms);
  const address = [...op.get, nodes, ...op.get, ...me, ...op.i32Const, ...positive(size)];
  const [node, at] =
    level === 0 ? [[...op.get, nodes], size] : [[...address, ...op.i32Multiply, ...op.i32Add], 0];
  return [
    ...lookAt(node, at, 4 * i * features, terms),
    ...node,
    ...op.f32Load,
    ...unsigned(at + size - 4),
    ...op.f32LessOrEqual,
    ...(level === 0 ? [...op.i32Const, 2] : [...op.get, ...me, ...op.i32Const, 1, ...op.i32ShiftLeft]),
    ...op.i32Add,
    ...op.set,
    ...me,
  ];
}

/** The value of a feature, or the sum of several in the order of `planeSum`. */
function lookAt(node: readonly number[], at: number, ofRow: number, terms: number): number[] {
  const word = (load: readonly number[], index: number) => [...node, ...load, ...unsigned(at + 4 * index)];
  const value = (t: number) => [
    ...word(op.i32Load, t),
    ...[...op.get, row, ...op.i32Add, ...op.f32Load, ...unsigned(ofRow)],
  ];
  const weighted = (t: number) => [...value(t), ...word(op.f32Load, terms + t - 1), ...op.f32Multiply];
  const code: number[] = [];
  for (let t = 0; t < terms; t += 2) {
    code.push(...(t === 0 ? value(0) : weighted(t)));
    if (t + 1 < terms) code.push(...weighted(t + 1), ...op.f32Add);
    if (t > 0) code.push(...op.f32Add);
  }
  return code;
}

/** The leaves of a tree are counted from 2^depth on. */
function addLeaf(i: number, depth: number): number[] {
  const me = unsigned(walker + i);
  return [
    ...[...op.get, sum, ...op.get, sum, ...op.f64Load, ...unsigned(8 * i)],
    ...[...op.get, leaves, ...op.get, ...me, ...op.i32Const, ...positive(1 << depth)],
    ...[...op.i32Subtract, ...op.i32Const, 2, ...op.i32ShiftLeft, ...op.i32Add, ...op.f32Load, 0],
    ...[...op.f64Promote, ...op.f64Add, ...op.f64Store, ...unsigned(8 * i)],
  ];
}

function move(to: number, from: number): number[] {
  return [...op.get, from, ...op.set, to];
}

function increase(local: number, by: number): number[] {
  return [...op.get, local, ...op.i32Const, ...positive(by), ...op.i32Add, ...op.set, local];
}

/** Goes back to the start of the innermost loop. */
function whileLess(local: number, end: number): number[] {
  return [...op.get, local, ...op.get, end, ...op.i32Less, ...op.branchIf, 0];
}
