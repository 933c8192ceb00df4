/** Buckets, each some 5 % wider than the one before: enough for values that differ by eleven orders of magnitude. */
const buckets = 512;
const perDoubling = 14;
const perNeper = perDoubling / Math.LN2;
/** Values kept as they are until there are enough to place the buckets. */
const firstValues = 30;
/** Where the middle of the first values goes: larger ones matter more than smaller ones. */
const middleBucket = 256;

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
  /** Fenwick tree (1994) over the buckets' counts, from 1. */
  readonly #tree = new Uint32Array(buckets + 1);
  readonly #counts = new Uint32Array(buckets);

  /** 0 until there are enough values before it. */
  surprise(value: number): number {
    if (this.#count < firstValues || !(value > 0)) return 0;
    const inBody = this.#count - Math.max(leastTail, Math.ceil(this.#count * tail));
    // The body may hold nothing but zeros; then all that is not 0 is the tail.
    const edge = inBody < this.#zeros ? -1 : this.#bucketAt(inBody - this.#zeros);
    const limit = edge < 0 ? 0 : this.#middle(edge);
    const excess = this.#excess(edge, limit) / (this.#count - inBody);
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
    if (this.#count < firstValues) return;
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
    this.#counts[at]! += 1;
    for (let i = at + 1; i <= buckets; i += i & -i) this.#tree[i]! += 1;
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
    for (let i = bucket; i > 0; i -= i & -i) sum += this.#tree[i]!;
    return sum;
  }

  /** The bucket that holds the value with so many before it. */
  #bucketAt(rank: number): number {
    let [at, left] = [0, rank];
    for (let step = buckets; step > 0; step >>= 1) {
      if (at + step <= buckets && this.#tree[at + step]! <= left) {
        at += step;
        left -= this.#tree[at]!;
      }
    }
    return Math.min(at, buckets - 1);
  }

  /** Sum of what values in higher buckets exceed the limit by. */
  #excess(bucket: number, limit: number): number {
    let sum = 0;
    for (let i = bucket + 1; i < buckets; i++) {
      const here = this.#counts[i]!;
      if (here > 0) sum += here * (this.#middle(i) - limit);
    }
    return sum;
  }
}
