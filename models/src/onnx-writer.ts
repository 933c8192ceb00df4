import type { Forest } from './isolation-forest.js';
import { attributeType, floats, int, ints, matrix, node, scalar, string } from './onnx-parts.js';
import { addPlaneNodes, addPlaneTensors, sums } from './onnx-planes.js';
import { ProtoWriter } from './protobuf.js';

/** A forest and the names of its columns: all there is in a model.onnx of ours. */
export interface NamedForest {
  readonly forest: Forest;
  readonly features: readonly string[];
}

/** Key of the metadata entry that holds the column names as a JSON list. */
export const featuresKey = 'edgeward.features';

/**
 * The forest as three ONNX nodes: TreeEnsembleRegressor (sum of path lengths), Mul (by `scale`) and Pow (2 to
 * that). Operator sets ai.onnx 17 and ai.onnx.ml 3. Input `x` [N, features], output `score` [N, 1], float32.
 * An extended forest has more before them, see `addPlaneNodes`. The same forest gives the same bytes, which the reader
 * relies on.
 */
export function writeOnnx({ forest, features }: NamedForest): Uint8Array {
  const graph = new ProtoWriter();
  if (forest.planes) addPlaneNodes(graph, forest.planes);
  graph
    .message(1, treeNode(forest, forest.planes ? sums : 'x'))
    .message(1, node('Mul', ['paths', 'scale'], 'exponent'))
    .message(1, node('Pow', ['two', 'exponent'], 'score'))
    .string(2, forest.planes ? 'extended-isolation-forest' : 'isolation-forest')
    .message(5, scalar('scale', forest.scale))
    .message(5, scalar('two', 2));
  if (forest.planes) addPlaneTensors(graph, forest.planes);
  graph.message(11, matrix('x', forest.features)).message(12, matrix('score', 1));
  return new ProtoWriter()
    .int(1, 8)
    .string(2, 'edgeward')
    .message(7, graph)
    .message(8, new ProtoWriter().string(1, '').int(2, 17))
    .message(8, new ProtoWriter().string(1, 'ai.onnx.ml').int(2, 3))
    .message(14, new ProtoWriter().string(1, featuresKey).string(2, JSON.stringify(features)))
    .finish();
}

function treeNode(forest: Forest, input: string): ProtoWriter {
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
  const tree = node('TreeEnsembleRegressor', [input], 'paths').string(7, 'ai.onnx.ml');
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

function modes(branch: ArrayLike<number>): ProtoWriter {
  const [split, leaf] = [Buffer.from('BRANCH_LEQ'), Buffer.from('LEAF')];
  const writer = new ProtoWriter().string(1, 'nodes_modes');
  for (let i = 0; i < branch.length; i++) writer.bytes(9, branch[i] ? split : leaf);
  return writer.int(20, attributeType.strings);
}
