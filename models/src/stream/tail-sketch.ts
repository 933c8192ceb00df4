import type { Memory } from '../memory.js';

/** Buckets, each some 5 % wider than the one before: enough for values that differ by eleven orders of magnitude. */
const buckets = 512;
const perDoubling = 14;
const perNeper = perDoubling / Math.LN2;
/** Values kept as they are until there are enough to place the buckets. */
const firstValues = 30;
/** Where the middle of the first values goes: larger ones matter more than smaller ones. */
const middleBucket = 256;
/** Buckets are made so many at a time. */
const growth = 16;

/** Share of the values that is the tail, and the least number of them that say how it goes on. */
const [tail, leastTail] = [0.05, 10];
/** No surprise is larger: beyond, an estimate of a probability means nothing. */
const most = 12;

/**
 * How surprising a value ≥ 0 is among all before it, in bounded memory: −log₁₀ of the share of values at least as
 * large. Within the body of the distribution by rank, to 5 % of the value; above its 95 % quantile by an exponential
 * tail through the mean excess (peaks over threshold, Pickands 1975, shape 0).
 */
export class TailSketch {
  #count = 0;
  #zeros = 0;
  #first: number[] = [];
  /** Bucket number of the smallest value that has one of its own. */
  #base = 0;
  /** Counts of the buckets from `#from` on: of those only that have been needed, as most values lie close together. */
  #counts = new Uint32Array(0);
  #from = 0;

  /** 0 until there are enough values before it. */
  surprise(value: number): number {
    if (this.#count < firstValues || !(value > 0)) return 0;
    const { edge, limit, excess, inBody } = this.#tail(Math.max(leastTail, Math.ceil(this.#count * tail)));
    const at = this.#bucketOf(value);
    if (at <= edge || excess === 0) {
      const below = this.#zeros + this.#below(at);
      return Math.min(most, -Math.log10((this.#count - below + 0.5) / (this.#count + 1)));
    }
    return Math.min(most, (value - limit) / excess / Math.LN10 - Math.log10(1 - inBody / this.#count));
  }

  add(value: number): void {
    this.#count += 1;
    if (this.#count > firstValues) {
      this.#put(value);
      return;
    }
    this.#first.push(value);
    if (this.#count === firstValues) this.#place();
  }

  /** What a share of the values stays below, to 5 %; NaN until there are enough. */
  quantile(share: number): number {
    if (this.#count < firstValues) return Number.NaN;
    const { edge, limit } = this.#tail(Math.max(1, Math.ceil(this.#count * (1 - share))));
    return edge < 0 ? 0 : limit;
  }

  remember(memory: Memory): void {
    this.#count = memory.count(this.#count);
    this.#zeros = memory.count(this.#zeros);
    this.#base = memory.number(this.#base);
    this.#first = Array.from({ length: this.#count < firstValues ? this.#count : 0 }, (_, i) =>
      memory.number(this.#first[i] ?? 0),
    );
    this.#from = memory.count(this.#from);
    const length = memory.count(this.#counts.length);
    if (this.#from + length > buckets) throw new RangeError(`${this.#from} and ${length} are no buckets`);
    if (length !== this.#counts.length) this.#counts = new Uint32Array(length);
    memory.array(this.#counts);
  }

  /** The buckets are placed by the first values. */
  #place(): void {
    const sorted = this.#first.filter(one => one > 0).sort((a, b) => a - b);
    const middle = sorted[sorted.length >> 1];
    this.#base = middle === undefined ? Number.NaN : Math.floor(Math.log(middle) * perNeper) - middleBucket;
    for (const one of this.#first) this.#put(one);
    this.#first = [];
  }

  #put(value: number): void {
    if (!(value > 0)) {
      this.#zeros += 1;
      return;
    }
    if (Number.isNaN(this.#base)) this.#base = Math.floor(Math.log(value) * perNeper) - middleBucket;
    const at = this.#bucketOf(value);
    if (at < this.#from || at >= this.#from + this.#counts.length) this.#grow(at);
    this.#counts[at - this.#from]! += 1;
  }

  #grow(at: number): void {
    const end = this.#from + this.#counts.length;
    const [low, high] =
      this.#counts.length === 0 ? [at, at] : [Math.min(at, this.#from), Math.max(at, end - 1)];
    const from = Math.floor(low / growth) * growth;
    const counts = new Uint32Array(Math.ceil((high + 1) / growth) * growth - from);
    counts.set(this.#counts, this.#counts.length === 0 ? 0 : this.#from - from);
    this.#counts = counts;
    this.#from = from;
  }

  #bucketOf(value: number): number {
    const at = Math.floor(Math.log(value) * perNeper) - this.#base;
    return at < 0 ? 0 : at >= buckets ? buckets - 1 : at;
  }

  #middle(bucket: number): number {
    return Math.exp((this.#base + bucket + 0.5) / perNeper);
  }

  /** Values in lower buckets. */
  #below(bucket: number): number {
    let sum = 0;
    const end = Math.min(bucket - this.#from, this.#counts.length);
    for (let i = 0; i < end; i++) sum += this.#counts[i]!;
    return sum;
  }

  /**
   * Where the tail of so many of the highest values begins: the bucket below it (−1: there is nothing but zeros), its
   * middle, the mean of what the values of higher buckets exceed that by, and how many values are no tail.
   */
  #tail(size: number): { edge: number; limit: number; excess: number; inBody: number } {
    const inBody = this.#count - size;
    // The body may hold nothing but zeros; then all that is not 0 is the tail.
    let edge = -1;
    if (inBody >= this.#zeros) {
      edge = this.#from + this.#counts.length - 1;
      for (let above = 0; edge > this.#from; edge--) {
        above += this.#counts[edge - this.#from]!;
        if (above >= size) break;
      }
    }
    const limit = edge < 0 ? 0 : this.#middle(edge);
    let sum = 0;
    for (let i = Math.max(0, edge + 1 - this.#from); i < this.#counts.length; i++) {
      const here = this.#counts[i]!;
      if (here > 0) sum += here * (this.#middle(i + this.#from) - limit);
    }
    return { edge, limit, excess: sum / size, inBody };
  }
}
