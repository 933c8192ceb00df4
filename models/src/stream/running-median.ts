/** Median of the last n values. Finding a place takes log n steps, making room one move of memory. */
export class RunningMedian {
  readonly #ring: Float64Array;
  readonly #sorted: Float64Array;
  #count = 0;

  constructor(size: number) {
    this.#ring = new Float64Array(size);
    this.#sorted = new Float64Array(size);
  }

  /** The upper of the two middle values if there are two; NaN if there is none. */
  get value(): number {
    const n = Math.min(this.#count, this.#ring.length);
    return n === 0 ? Number.NaN : this.#sorted[n >> 1]!;
  }

  add(value: number): void {
    const size = this.#ring.length;
    const slot = this.#count % size;
    let n = Math.min(this.#count, size);
    if (n === size) {
      const gone = this.#place(this.#ring[slot]!, n);
      this.#sorted.copyWithin(gone, gone + 1, n);
      n -= 1;
    }
    const at = this.#place(value, n);
    this.#sorted.copyWithin(at + 1, at, n);
    this.#sorted[at] = value;
    this.#ring[slot] = value;
    this.#count += 1;
  }

  /** Index of the first value that is not smaller. */
  #place(value: number, n: number): number {
    let [low, high] = [0, n];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
