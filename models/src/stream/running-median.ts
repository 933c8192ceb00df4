import type { Memory } from '../memory.js';

const firstRoom = 32;

/**
 * Median of the last n values, as float32. Finding a place takes log n steps, making room one move of memory; room is
 * made as values come.
 */
export class RunningMedian {
  #ring: Float32Array;
  #sorted: Float32Array;
  #count = 0;

  constructor(private readonly size: number) {
    this.#ring = new Float32Array(Math.min(size, firstRoom));
    this.#sorted = new Float32Array(this.#ring.length);
  }

  /** The upper of the two middle values if there are two; NaN if there is none. */
  get value(): number {
    const n = Math.min(this.#count, this.size);
    return n === 0 ? Number.NaN : this.#sorted[n >> 1]!;
  }

  add(number: number): void {
    const value = Math.fround(number);
    const slot = this.#count % this.size;
    let n = Math.min(this.#count, this.size);
    if (n === this.size) {
      const gone = this.#place(this.#ring[slot]!, n);
      this.#sorted.copyWithin(gone, gone + 1, n);
      n -= 1;
    } else if (n === this.#ring.length) this.#resize(Math.min(this.size, 2 * n));
    const at = this.#place(value, n);
    this.#sorted.copyWithin(at + 1, at, n);
    this.#sorted[at] = value;
    this.#ring[slot] = value;
    this.#count += 1;
  }

  /** What is read back goes into one that is new. */
  remember(memory: Memory): void {
    const isNew = this.#count === 0;
    this.#count = memory.count(this.#count);
    const n = Math.min(this.#count, this.size);
    if (n > this.#ring.length) this.#resize(n);
    memory.array(this.#ring.subarray(0, n));
    if (isNew) this.#sorted.set(this.#ring.slice(0, n).sort());
  }

  #resize(room: number): void {
    const [ring, sorted] = [new Float32Array(room), new Float32Array(room)];
    ring.set(this.#ring);
    sorted.set(this.#sorted);
    this.#ring = ring;
    this.#sorted = sorted;
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
