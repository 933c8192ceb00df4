/**
 * Splits of an extended Isolation Forest (Hariri, Carrasco Kind, Brunner 2019): on a weighted sum of features, so that a
 * branch may run askew. As in the paper, the plane passes through a random point of the box around the rows; it may leave
 * all of them on one side, and a row on the other side is told from them there.
 *
 * Unlike in the paper, a feature's weight is divided by how much it varies among the rows at the branch, and only features
 * that vary there are drawn: else large ones decide alone. Weights are rounded to powers of two, and a feature has few
 * partners; both make for few planes, which ONNX computes all for each row. (On ten tabular sets neither cost any AUC.)
 */
import type { Rng } from '@edgeward/shared/contracts';
import { seededRng, subSeed } from '@edgeward/shared/rng';
import { knownRows, largestPower, type Planes, planeSum, usualValues } from './extended-planes.js';
import { type Split, type Splitter, swap } from './forest-grower.js';
import { Moments } from './statistics.js';

/** Features that one is drawn together with, on either side in a random ring of all. */
const partnersASide = 4;

/** A feature among some rows. */
interface Span {
  readonly feature: number;
  readonly low: number;
  readonly high: number;
  readonly deviation: number;
}

export class ExtendedSplitter implements Splitter {
  readonly mayBeEmpty = true;
  readonly #x: Float32Array;
  readonly #all: Int16Array;
  readonly #partners: readonly Int16Array[];
  readonly #planes: PlaneSet;
  /** Where a plane passes through. */
  readonly #point: Float32Array;

  /** @param terms  features in a sum; fewer where there are no more */
  constructor(
    x: Float32Array,
    private readonly features: number,
    terms: number,
    seed: number,
  ) {
    this.#all = Int16Array.from({ length: features }, (_, f) => f);
    this.#partners = partnersOf(features, seededRng(subSeed(seed, 'partners')));
    this.#planes = new PlaneSet(Math.min(terms, 1 + this.#partners[0]!.length), usualValues(x, features));
    this.#x = new Float32Array(x.length);
    knownRows(this.#planes, x, this.#x);
    this.#point = new Float32Array(features);
  }

  planes(): Planes {
    return this.#planes.all();
  }

  draw(rows: Int32Array, from: number, to: number, rng: Rng): Split | undefined {
    const first = this.#drawSpans(this.#all, 1, rows, from, to, rng)[0];
    if (!first) return undefined;
    const partners = this.#partners[first.feature]!;
    const others = this.#drawSpans(partners, this.#planes.terms - 1, rows, from, to, rng);
    const spans = [first, ...others].sort((a, b) => a.feature - b.feature);
    const plane = this.#planes.numberOf(spans, weightsOf(spans, rng));
    for (const { feature, low, high } of spans) this.#point[feature] = low + rng() * (high - low);
    return { feature: plane, threshold: planeSum(this.#planes, plane, this.#point, 0) };
  }

  partition(rows: Int32Array, from: number, to: number, { feature: plane, threshold }: Split): number {
    let middle = from;
    for (let i = from; i < to; i++) {
      if (planeSum(this.#planes, plane, this.#x, rows[i]! * this.features) <= threshold)
        swap(rows, i, middle++);
    }
    return middle;
  }

  /** Of those features that vary among the rows, each as likely as any other. */
  #drawSpans(
    candidates: Int16Array,
    most: number,
    rows: Int32Array,
    from: number,
    to: number,
    rng: Rng,
  ): Span[] {
    const spans: Span[] = [];
    for (let left = candidates.length; left > 0 && spans.length < most; left--) {
      const draw = Math.floor(rng() * left);
      const span = this.#spanOf(rows, from, to, candidates[draw]!);
      if (span.high > span.low) spans.push(span);
      swap(candidates, draw, left - 1);
    }
    return spans;
  }

  #spanOf(rows: Int32Array, from: number, to: number, feature: number): Span {
    const moments = new Moments();
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = from; i < to; i++) {
      const value = this.#x[rows[i]! * this.features + feature]!;
      moments.add(value);
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return { feature, low, high, deviation: moments.deviation };
  }
}

/** Of each feature, its neighbours in a random ring. */
function partnersOf(features: number, rng: Rng): Int16Array[] {
  const ring = Int16Array.from({ length: features }, (_, f) => f);
  for (let i = 0; i < features; i++) swap(ring, i, i + Math.floor(rng() * (features - i)));
  const partners: Int16Array[] = [];
  for (let i = 0; i < features; i++) {
    const near = new Set<number>();
    for (let away = 1; away <= Math.min(partnersASide, features - 1); away++)
      near.add(ring[(i + away) % features]!).add(ring[(i - away + features) % features]!);
    partners[ring[i]!] = Int16Array.from(near);
  }
  return partners;
}

/** A random direction (as many normal numbers), as multiples of the first one's weight. */
function weightsOf(spans: readonly Span[], rng: Rng): number[] {
  const weights = spans.map(({ deviation }) => normal(rng) / deviation);
  return weights.map((weight, i) => (i === 0 ? 1 : powerOfTwo(weight / weights[0]!)));
}

/** Box and Muller 1958. */
function normal(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng())) * Math.cos(2 * Math.PI * rng());
}

/** The next one of the same sign. */
function powerOfTwo(value: number): number {
  const power = Math.round(Math.log2(Math.abs(value)));
  return Math.sign(value) * 2 ** Math.min(Math.max(power, -largestPower), largestPower);
}

/** Numbers planes; equal ones have one number. */
class PlaneSet {
  feature = new Int16Array(256);
  weight = new Float32Array(256);
  readonly #numbers = new Map<string, number>();

  constructor(
    readonly terms: number,
    readonly usual: Float32Array,
  ) {}

  numberOf(spans: readonly Span[], weights: readonly number[]): number {
    const key = spans.map(({ feature }, i) => `${feature}*${weights[i]}`).join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(key, number);
    this.#put(number * this.terms, spans, weights);
    return number;
  }

  #put(at: number, spans: readonly Span[], weights: readonly number[]): void {
    if (at + this.terms > this.feature.length) {
      this.feature = doubled(this.feature, new Int16Array(2 * this.feature.length));
      this.weight = doubled(this.weight, new Float32Array(2 * this.weight.length));
    }
    for (let t = 0; t < this.terms; t++) {
      // Where too few vary, the first one fills up.
      this.feature[at + t] = (spans[t] ?? spans[0]!).feature;
      this.weight[at + t] = weights[t] ?? 0;
    }
  }

  all(): Planes {
    const { terms, usual } = this;
    const end = this.#numbers.size * terms;
    return { terms, usual, feature: this.feature.slice(0, end), weight: this.weight.slice(0, end) };
  }
}

function doubled<List extends Int16Array | Float32Array>(list: List, larger: List): List {
  larger.set(list);
  return larger;
}
