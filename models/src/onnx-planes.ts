/**
 * The sums of an extended forest in ONNX: missing values and infinities are replaced (IsNaN, Where, Clip), and a matrix
 * with two entries a plane multiplies what is left (MatMul); sums of more than two terms are added up from several. The
 * file holds no matrix, only its entries: OneHot makes columns of them, once, when onnxruntime folds what is constant.
 */
import { largestPower, largestValue, type Planes } from './extended-planes.js';
import { floatTensor, int, intTensor, node, scalar } from './onnx-parts.js';
import type { ProtoWriter } from './protobuf.js';

/** Output of the nodes, [N, planes]. */
export const sums = 'sums';
const maxTerms = 16;
/** Of a matrix: 16 MB, of which onnxruntime makes a few copies as it begins. */
const maxEntries = 1 << 22;

export function addPlaneNodes(graph: ProtoWriter, { terms }: Planes): void {
  const add = (operator: string, inputs: readonly string[], output: string) =>
    graph.message(1, node(operator, inputs, output));
  add('IsNaN', ['x'], 'missing');
  add('Where', ['missing', 'usual', 'x'], 'filled');
  add('Clip', ['filled', 'least', 'most'], 'known');
  for (let t = 0; t < terms; t++) {
    const hot = node('OneHot', [`feature${t}`, 'features', 'entries'], t === 0 ? 'column0' : `hot${t}`);
    graph.message(1, hot.message(5, int('axis', 0)));
    if (t > 0) add('Mul', [`hot${t}`, `weight${t}`], `column${t}`);
  }
  for (let t = 0; t < terms; t += 2) {
    const pair = t + 1 < terms ? `matrix${t}` : `column${t}`;
    if (t + 1 < terms) add('Add', [`column${t}`, `column${t + 1}`], pair);
    const isLast = t + 2 >= terms;
    const product = t === 0 && isLast ? sums : `product${t}`;
    add('MatMul', ['known', pair], product);
    if (t > 0) add('Add', [t === 2 ? 'product0' : `sum${t - 2}`, product], isLast ? sums : `sum${t}`);
  }
}

export function addPlaneTensors(graph: ProtoWriter, { terms, feature, weight, usual }: Planes): void {
  const ofTerm = (list: Int16Array | Float32Array, t: number) =>
    Array.from({ length: list.length / terms }, (_, plane) => list[plane * terms + t]!);
  graph
    .message(5, floatTensor('usual', [usual.length], usual))
    .message(5, scalar('least', -largestValue, []))
    .message(5, scalar('most', largestValue, []))
    .message(5, intTensor('features', [usual.length]))
    .message(5, floatTensor('entries', [2], [0, 1]));
  for (let t = 0; t < terms; t++) {
    graph.message(5, intTensor(`feature${t}`, ofTerm(feature, t)));
    const weights = ofTerm(weight, t);
    if (t > 0) graph.message(5, floatTensor(`weight${t}`, [weights.length], weights));
  }
}

/** Numbers of the initializers, by their names. */
export interface Tensors {
  floats(name: string, most: number): Float32Array | undefined;
  ints(name: string, most: number): Int32Array | undefined;
}

/**
 * The planes of a file, or undefined of a plain forest's. What this leaves unread does not survive the comparison with
 * our own bytes.
 * @throws RangeError for planes that are impossible, or so many that they would fill the memory
 */
export function readPlanes(tensors: Tensors, features: number): Planes | undefined {
  const usual = tensors.floats('usual', features);
  if (!usual) return undefined;
  if (usual.length !== features || !usual.every(value => Math.abs(value) <= largestValue))
    throw new RangeError('impossible usual values');
  const most = Math.floor(maxEntries / features);
  const terms: Term[] = [];
  for (let t = 0; t < maxTerms; t++) {
    const term = readTerm(tensors, t, features, most);
    if (!term) break;
    if (t > 0 && term.feature.length !== terms[0]!.feature.length)
      throw new RangeError('terms differ in number of planes');
    terms.push(term);
  }
  if (terms.length < 2) throw new RangeError('planes of fewer than 2 terms');
  return { terms: terms.length, usual, ...interleaved(terms) };
}

interface Term {
  readonly feature: Int32Array;
  readonly weight: Float32Array;
}

function readTerm(tensors: Tensors, t: number, features: number, most: number): Term | undefined {
  const feature = tensors.ints(`feature${t}`, most);
  if (!feature) return undefined;
  const weight = t === 0 ? new Float32Array(feature.length).fill(1) : tensors.floats(`weight${t}`, most);
  if (weight?.length !== feature.length || !weight.every(isWeight) || feature.some(f => f >= features))
    throw new RangeError(`impossible planes in term ${t}`);
  return { feature, weight };
}

/** Others would not be the same in all engines. */
function isWeight(weight: number): boolean {
  const power = Math.log2(Math.abs(weight));
  return weight === 0 || (Number.isInteger(power) && Math.abs(power) <= largestPower);
}

function interleaved(terms: readonly Term[]): Pick<Planes, 'feature' | 'weight'> {
  const planes = terms[0]!.feature.length;
  const feature = new Int16Array(planes * terms.length);
  const weight = new Float32Array(planes * terms.length);
  terms.forEach((term, t) => {
    for (let plane = 0; plane < planes; plane++) {
      feature[plane * terms.length + t] = term.feature[plane]!;
      weight[plane * terms.length + t] = term.weight[plane]!;
    }
  });
  return { feature, weight };
}
