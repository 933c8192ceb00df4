/**
 * Gets the forest back out of a model.onnx of ours. What it returns is all there is in the file: the forest is
 * written again and must give the same bytes, so nothing that this reader has not understood ever reaches
 * onnxruntime, and the two engines cannot see different models.
 */
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { modelLimits } from '@edgeward/shared/models/manifest';
import type { Forest } from './isolation-forest.js';
import { readPlanes, type Tensors } from './onnx-planes.js';
import { featuresKey, type NamedForest, writeOnnx } from './onnx-writer.js';
import { protoFields, unpackFloats, unpackInts } from './protobuf.js';

/** 200 plain trees of 256 rows stay below it. To read one keeps its process from all else for some 50 ms, and to load it again. */
export const maxModelBytes = modelLimits.maxModelBytes;
/** More have more bytes than that, anyway. */
export const maxNodes = 1 << 16;
const maxTrees = 4096;
const maxFeatures = 1024;
/** Trees are walked recursively by some runtimes; ours have a depth of log2(samples). */
const maxDepth = 64;

/** @throws EW_MODEL_BUNDLE for anything but a graph that `writeOnnx` wrote */
export function readOnnx(bytes: Uint8Array): NamedForest {
  if (bytes.length > maxModelBytes) throw refusal(`has ${bytes.length} bytes, more than ${maxModelBytes}`);
  let model: NamedForest;
  try {
    model = parse(bytes);
  } catch (error) {
    throw refusal(messageOf(error), error);
  }
  if (!equal(writeOnnx(model), bytes)) throw refusal('holds something beside a forest of ours');
  return model;
}

function refusal(what: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EW_MODEL_BUNDLE', `model.onnx: ${what}. Train or copy the bundle again.`, {
    cause,
  });
}

function parse(bytes: Uint8Array): NamedForest {
  const graph = only(bytes, 7);
  const features = featureNames(only(bytes, 14));
  const tensors = tensorsOf(graph);
  const planes = readPlanes(tensors, features.length);
  const seen = planes ? planes.feature.length / planes.terms : features.length;
  const forest = forestOf(attributesOf(treesOf(graph)), features.length, seen, scaleOf(tensors));
  return { features, forest: planes ? { ...forest, planes } : forest };
}

/** Nodes before it are those of planes, or do not survive the comparison. */
function treesOf(graph: Uint8Array): Uint8Array {
  for (const { field, bytes } of protoFields(graph))
    if (field === 1 && text(only(bytes, 4)) === 'TreeEnsembleRegressor') return bytes;
  throw new RangeError('there are no trees');
}

function tensorsOf(graph: Uint8Array): Tensors {
  const named = new Map<string, Uint8Array>();
  for (const { field, bytes } of protoFields(graph)) if (field === 5) named.set(text(only(bytes, 8)), bytes);
  return {
    floats: (name, most) => {
      const tensor = named.get(name);
      return tensor && unpackFloats(only(tensor, 9), most);
    },
    ints: (name, most) => {
      const tensor = named.get(name);
      return tensor && unpackInts(only(tensor, 7), most);
    },
  };
}

/** The first field of that number. Further ones do not survive the comparison with our own bytes. */
function only(message: Uint8Array, field: number): Uint8Array {
  for (const found of protoFields(message)) if (found.field === field) return found.bytes;
  throw new RangeError(`field ${field} is missing`);
}

function attributesOf(node: Uint8Array): Map<string, Uint8Array> {
  const attributes = new Map<string, Uint8Array>();
  for (const { field, bytes } of protoFields(node)) {
    if (field === 5) attributes.set(text(only(bytes, 1)), bytes);
  }
  return attributes;
}

function featureNames(metadata: Uint8Array): string[] {
  if (text(only(metadata, 1)) !== featuresKey) throw new RangeError('feature names are missing');
  const names: unknown = JSON.parse(text(only(metadata, 2)));
  if (!Array.isArray(names) || names.length === 0 || names.length > maxFeatures) {
    throw new RangeError('feature names are not a list of possible length');
  }
  if (!names.every(name => typeof name === 'string')) throw new RangeError('a feature name is no text');
  return names;
}

function scaleOf(tensors: Tensors): number {
  const scale = tensors.floats('scale', 1)?.[0];
  if (scale === undefined || !(scale < 0) || !Number.isFinite(scale))
    throw new RangeError('impossible scale');
  return scale;
}

/** @param seen  features that branches may look at, or planes */
function forestOf(
  attributes: Map<string, Uint8Array>,
  features: number,
  seen: number,
  scale: number,
): Forest {
  const attribute = (name: string, field: number) => {
    const bytes = attributes.get(name);
    if (!bytes) throw new RangeError(`attribute ${name} is missing`);
    return only(bytes, field);
  };
  const ints = (name: string) => unpackInts(attribute(name, 8), maxNodes);
  const floats = (name: string) => unpackFloats(attribute(name, 7), maxNodes);

  const nodeIds = ints('nodes_nodeids');
  const n = nodeIds.length;
  const featureIds = ints('nodes_featureids');
  const falseIds = ints('nodes_falsenodeids');
  const thresholds = floats('nodes_values');
  const weights = floats('target_weights');
  if (featureIds.length !== n || falseIds.length !== n || thresholds.length !== n) {
    throw new RangeError('node lists differ in length');
  }
  const roots = Int32Array.from(nodeIds.keys()).filter(i => nodeIds[i] === 0);
  if (roots.length === 0 || roots.length > maxTrees || roots[0] !== 0)
    throw new RangeError('impossible trees');

  const feature = new Int32Array(n);
  const value = new Float32Array(n);
  const right = new Int32Array(n);
  for (let i = 0, tree = 0, leaf = 0; i < n; i++) {
    if (roots[tree + 1] === i) tree++;
    const branch = falseIds[i] !== 0;
    feature[i] = branch ? featureIds[i]! : -1;
    value[i] = branch ? thresholds[i]! : (weights[leaf++] ?? Number.NaN);
    right[i] = branch ? roots[tree]! + falseIds[i]! : 0;
    if (featureIds[i]! >= seen) throw new RangeError(`node ${i} looks at feature ${featureIds[i]}`);
    if (!Number.isFinite(value[i]!)) throw new RangeError(`node ${i} has no finite value`);
  }
  const forest = { features, scale, roots, feature, value, right };
  checkShape(forest);
  return forest;
}

/** Every tree is one tree: each right child follows the whole left subtree. So there are no cycles either. */
function checkShape({ roots, feature, right }: Forest): void {
  const size = new Int32Array(feature.length);
  const depth = new Int32Array(feature.length);
  for (let tree = roots.length - 1; tree >= 0; tree--) {
    const root = roots[tree]!;
    const end = roots[tree + 1] ?? feature.length;
    for (let i = end - 1; i >= root; i--) {
      size[i] = 1;
      if (feature[i]! < 0) continue;
      const other = right[i]!;
      if (i + 1 >= end || other >= end || other !== i + 1 + size[i + 1]!) {
        throw new RangeError(`node ${i} has impossible children`);
      }
      size[i] = 1 + size[i + 1]! + size[other]!;
      depth[i] = 1 + Math.max(depth[i + 1]!, depth[other]!);
      if (depth[i]! > maxDepth) throw new RangeError(`tree ${tree} is deeper than ${maxDepth}`);
    }
    if (size[root] !== end - root) throw new RangeError(`tree ${tree} has nodes that nothing leads to`);
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
