import type { RangeList } from './contracts.js';

/**
 * A set of whole numbers kept as sorted, disjoint, non-touching inclusive ranges.
 * Small while numbers arrive mostly in order, which is what seq and row numbers do.
 */
export class RangeSet {
  #ranges: [number, number][];

  constructor(ranges: RangeList = []) {
    this.#ranges = ranges.map(([from, through]) => [from, through]);
  }

  /** How many numbers are in the set. */
  get count(): number {
    return this.#ranges.reduce((sum, [from, through]) => sum + through - from + 1, 0);
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** How many ranges it takes. */
  get pieces(): number {
    return this.#ranges.length;
  }

  get first(): number | undefined {
    return this.#ranges[0]?.[0];
  }

  get last(): number | undefined {
    return this.#ranges.at(-1)?.[1];
  }

  has(n: number): boolean {
    const i = this.#firstEndingAtOrAfter(n);
    const range = this.#ranges[i];
    return range !== undefined && range[0] <= n;
  }

  /** Adds from…through, both inclusive. */
  add(from: number, through = from): void {
    const last = this.#ranges[this.#ranges.length - 1];
    if (last && from === last[1] + 1) {
      last[1] = through; // what comes in order makes nothing new
      return;
    }
    // Neighbours that touch or overlap melt into one range.
    const start = this.#firstEndingAtOrAfter(from - 1);
    let end = start;
    let [low, high] = [from, through];
    for (let range = this.#ranges[end]; range && range[0] <= through + 1; range = this.#ranges[++end]) {
      low = Math.min(low, range[0]);
      high = Math.max(high, range[1]);
    }
    this.#ranges.splice(start, end - start, [low, high]);
  }

  /** Takes out from…through, both inclusive. */
  remove(from: number, through = from): void {
    const start = this.#firstEndingAtOrAfter(from);
    const left: [number, number][] = [];
    let end = start;
    for (let range = this.#ranges[end]; range && range[0] <= through; range = this.#ranges[++end]) {
      if (range[0] < from) left.push([range[0], from - 1]);
      if (range[1] > through) left.push([through + 1, range[1]]);
    }
    if (end > start) this.#ranges.splice(start, end - start, ...left);
  }

  /** Adds all of another set. */
  addAll(other: RangeSet): void {
    for (const [from, through] of other.#ranges) this.add(from, through);
  }

  /** Takes out all of another set. */
  removeAll(other: RangeSet): void {
    for (const [from, through] of other.#ranges) this.remove(from, through);
  }

  /** The parts of from…through that are in the set. */
  within(from: number, through: number): [number, number][] {
    const parts: [number, number][] = [];
    for (let i = this.#firstEndingAtOrAfter(from); i < this.#ranges.length; i++) {
      const [low, high] = this.#ranges[i]!;
      if (low > through) break;
      parts.push([Math.max(low, from), Math.min(high, through)]);
    }
    return parts;
  }

  /** The lowest numbers, at most so many. */
  lowest(most: number): number[] {
    const numbers: number[] = [];
    for (const [from, through] of this.#ranges) {
      for (let n = from; n <= through && numbers.length < most; n++) numbers.push(n);
      if (numbers.length === most) break;
    }
    return numbers;
  }

  /** How many numbers of from…through are in the set. */
  countWithin(from: number, through: number): number {
    let sum = 0;
    for (let i = this.#firstEndingAtOrAfter(from); i < this.#ranges.length; i++) {
      const [low, high] = this.#ranges[i]!;
      if (low > through) break;
      sum += Math.min(high, through) - Math.max(low, from) + 1;
    }
    return sum;
  }

  /** The parts of from…through that are not in the set. */
  missing(from: number, through: number): RangeList {
    const rest = new RangeSet(from <= through ? [[from, through]] : []);
    for (const [low, high] of this.within(from, through)) rest.remove(low, high);
    return rest.toJSON();
  }

  toJSON(): RangeList {
    return this.#ranges.map(([from, through]) => [from, through] as const);
  }

  clone(): RangeSet {
    return new RangeSet(this.#ranges);
  }

  #firstEndingAtOrAfter(n: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]![1] < n) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
