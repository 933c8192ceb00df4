import type { Forest } from './isolation-forest.js';
import { ProtoWriter } from './protobuf.js';

/** A forest and the names of its columns: all there is in a model.onnx of ours. */
export interface NamedForest {
  readonly forest: Forest;
  readonly features: readonly string[];
}

/** Key of the metadata entry that holds the column names as a JSON list. */
export const featuresKey = 'edgeward.features';

// Field numbers and attribute types: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (IR version 8).
const attributeType = { int: 2, string: 3, floats: 6, ints: 7, strings: 8 };
const floatElements = 1;

/**
 * The forest as three ONNX nodes: TreeEnsembleRegressor (sum of path lengths), Mul (by `scale`) and Pow (2 to
 * that). Operator sets ai.onnx 17 and ai.onnx.ml 3. Input `x` [N, features], output `score` [N, 1], float32.
 * The same forest gives the same bytes, which the reader relies on.
 */
export function writeOnnx({ forest, features }: NamedForest): Uint8Array {
  const graph = new ProtoWriter()
    .message(1, treeNode(forest))
    .message(1, node('Mul', ['paths', 'scale'], 'exponent'))
    .message(1, node('Pow', ['two', 'exponent'], 'score'))
    .string(2, 'isolation-forest')
    .message(5, scalar('scale', forest.scale))
    .message(5, scalar('two', 2))
    .message(11, matrix('x', forest.features))
    .message(12, matrix('score', 1));
  return new ProtoWriter()
    .int(1, 8)
    .string(2, 'edgeward')
    .message(7, graph)
    .message(8, new ProtoWriter().string(1, '').int(2, 17))
    .message(8, new ProtoWriter().string(1, 'ai.onnx.ml').int(2, 3))
    .message(14, new ProtoWriter().string(1, featuresKey).string(2, JSON.stringify(features)))
    .finish();
}

function treeNode(forest: Forest): ProtoWriter {
  const { treeIds, nodeIds } = nodeNumbers(forest);
  const branch = forest.feature.map(feature => (feature >= 0 ? 1 : 0));
  const leaves = Int32Array.from(forest.feature.keys()).filter(i => branch[i] === 0);
  const rootOf = (i: number) => forest.roots[treeIds[i]!]!;
  const attributes = [
    int('n_targets', 1),
    string('aggregate_function', 'SUM'),
    string('post_transform', 'NONE'),
    ints('nodes_treeids', treeIds),
    ints('nodes_nodeids', nodeIds),
    ints(
      'nodes_featureids',
      forest.feature.map(feature => Math.max(feature, 0)),
    ),
    floats(
      'nodes_values',
      forest.value.map((value, i) => (branch[i] ? value : 0)),
    ),
    modes(branch),
    ints(
      'nodes_truenodeids',
      nodeIds.map((id, i) => (branch[i] ? id + 1 : 0)),
    ),
    ints(
      'nodes_falsenodeids',
      forest.right.map((right, i) => (branch[i] ? right - rootOf(i) : 0)),
    ),
    ints(
      'target_treeids',
      leaves.map(i => treeIds[i]!),
    ),
    ints(
      'target_nodeids',
      leaves.map(i => nodeIds[i]!),
    ),
    ints('target_ids', new Int32Array(leaves.length)),
    floats(
      'target_weights',
      Float32Array.from(leaves, i => forest.value[i]!),
    ),
  ];
  const tree = node('TreeEnsembleRegressor', ['x'], 'paths').string(7, 'ai.onnx.ml');
  for (const attribute of attributes) tree.message(5, attribute);
  return tree;
}

/** Which tree each node is in, and its number within that tree. */
function nodeNumbers(forest: Forest): { treeIds: Int32Array; nodeIds: Int32Array } {
  const treeIds = new Int32Array(forest.feature.length);
  const nodeIds = new Int32Array(forest.feature.length);
  forest.roots.forEach((root, tree) => {
    const end = forest.roots[tree + 1] ?? forest.feature.length;
    for (let i = root; i < end; i++) {
      treeIds[i] = tree;
      nodeIds[i] = i - root;
    }
  });
  return { treeIds, nodeIds };
}

function node(operator: string, inputs: readonly string[], output: string): ProtoWriter {
  const writer = new ProtoWriter();
  for (const input of inputs) writer.string(1, input);
  return writer.string(2, output).string(4, operator);
}

function int(name: string, value: number): ProtoWriter {
  return new ProtoWriter().string(1, name).int(3, value).int(20, attributeType.int);
}

function string(name: string, value: string): ProtoWriter {
  return new ProtoWriter().string(1, name).string(4, value).int(20, attributeType.string);
}

function ints(name: string, values: ArrayLike<number>): ProtoWriter {
  return new ProtoWriter().string(1, name).ints(8, values).int(20, attributeType.ints);
}

function floats(name: string, values: ArrayLike<number>): ProtoWriter {
  return new ProtoWriter().string(1, name).floats(7, values).int(20, attributeType.floats);
}

function modes(branch: ArrayLike<number>): ProtoWriter {
  const [split, leaf] = [Buffer.from('BRANCH_LEQ'), Buffer.from('LEAF')];
  const writer = new ProtoWriter().string(1, 'nodes_modes');
  for (let i = 0; i < branch.length; i++) writer.bytes(9, branch[i] ? split : leaf);
  return writer.int(20, attributeType.strings);
}

function scalar(name: string, value: number): ProtoWriter {
  const raw = new DataView(new ArrayBuffer(4));
  raw.setFloat32(0, value, true);
  return new ProtoWriter()
    .ints(1, [1])
    .int(2, floatElements)
    .string(8, name)
    .bytes(9, new Uint8Array(raw.buffer));
}

/** A float32 input or output of N rows. */
function matrix(name: string, columns: number): ProtoWriter {
  const shape = new ProtoWriter()
    .message(1, new ProtoWriter().string(2, 'N'))
    .message(1, new ProtoWriter().int(1, columns));
  const tensor = new ProtoWriter().int(1, floatElements).message(2, shape);
  return new ProtoWriter().string(1, name).message(2, new ProtoWriter().message(1, tensor));
}
