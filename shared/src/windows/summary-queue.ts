import { add, begin, join, type SummaryKind, summaryWidths } from './summary.js';

/** What a queue held, to go on from bit for bit. */
export interface QueueState {
  /** How many of the cells, from the oldest on, have summaries up to the last of these. */
  readonly front: number;
  /** Cells, oldest first: key and summary. */
  readonly cells: readonly number[];
  /** Summary of the cells between the front and the newest; empty if there are none. */
  readonly back: readonly number[];
}

/** Slots before the cells: the sum of the back, and the total. */
const spare = 2;
const back = 0;
const total = 1;

/**
 * The summary of a sliding window, for O(1) a value, amortised: cells go in at the end and out at the beginning. The
 * older ones (the front) each hold the summary of themselves and all up to the front's last; the newer ones (the
 * back) are summed up as they come; once the front is used up, the back becomes the front. Nothing is subtracted.
 * Memory grows to twice the most cells it held.
 */
export class SummaryQueue {
  readonly #kind: SummaryKind;
  /** Per slot: key, then the summary. */
  readonly #width: number;
  #data: Float64Array;
  #mask: number;
  /** Cells are #head … #tail − 1, the front ends before #middle; the newest is in neither sum, so that it can grow. */
  #head = 0;
  #middle = 0;
  #tail = 0;
  /** Where the summary of all is; 0 = not worked out yet. */
  #all = 0;

  constructor(kind: SummaryKind) {
    this.#kind = kind;
    this.#width = summaryWidths[kind]! + 1;
    this.#mask = 7;
    this.#data = new Float64Array((this.#mask + 1 + spare) * this.#width);
  }

  get size(): number {
    return this.#tail - this.#head;
  }

  /** Of the oldest cell; there must be one. */
  get oldestKey(): number {
    return this.#data[this.#slot(this.#head)]!;
  }

  /** Of the newest cell; there must be one. */
  get newestKey(): number {
    return this.#data[this.#slot(this.#tail - 1)]!;
  }

  /** A new cell with one value; keys do not fall. */
  push(key: number, value: number): void {
    if (this.size > this.#mask) this.#grow();
    if (this.size > 0) this.#closeNewest();
    const slot = this.#slot(this.#tail);
    this.#data[slot] = key;
    begin(this.#kind, this.#data, slot + 1, value);
    this.#tail += 1;
    this.#all = 0;
  }

  /** One more value in the newest cell, whose key stays. */
  add(value: number): void {
    add(this.#kind, this.#data, this.#slot(this.#tail - 1) + 1, value);
    this.#all = 0;
  }

  /** Forgets the cells whose key is lower. */
  dropBelow(key: number): void {
    while (this.#head < this.#tail && this.#data[this.#slot(this.#head)]! < key) {
      if (this.#head === this.#middle) this.#turn();
      this.#head += 1;
      this.#all = 0;
      if (this.#middle < this.#head) this.#middle = this.#head;
    }
  }

  clear(): void {
    this.#head = 0;
    this.#middle = 0;
    this.#tail = 0;
    this.#all = 0;
  }

  /** One number of the summary of all cells; there must be a cell. */
  read(part: number): number {
    if (this.#all === 0) this.#all = this.#total();
    return this.#data[this.#all + part]!;
  }

  save(): QueueState {
    const cells = new Float64Array(this.size * this.#width);
    for (let i = this.#head, at = 0; i < this.#tail; i++) {
      const slot = this.#slot(i);
      for (let k = 0; k < this.#width; k++) cells[at++] = this.#data[slot + k]!;
    }
    const closed = this.#middle < this.#tail - 1;
    return {
      front: this.#middle - this.#head,
      cells: Array.from(cells),
      back: closed ? [...this.#data.subarray(1, this.#width)] : [],
    };
  }

  /** @throws TypeError if it is no state of a queue of this kind */
  load({ front, cells, back: sum }: QueueState): void {
    const count = cells.length / this.#width;
    const closed = front < count - 1;
    if (!Number.isInteger(count) || !(front >= 0 && front <= Math.max(0, count - 1)))
      throw new TypeError('no state of such a queue');
    if (sum.length !== (closed ? this.#width - 1 : 0)) throw new TypeError('no sum of such a queue');
    this.clear();
    while (count > this.#mask + 1) this.#grow();
    this.#data.set(cells, spare * this.#width);
    this.#data.set(sum, back * this.#width + 1);
    this.#middle = front;
    this.#tail = count;
  }

  #slot(index: number): number {
    return (spare + (index & this.#mask)) * this.#width;
  }

  #closeNewest(): void {
    const newest = this.#tail - 1;
    const sum = back * this.#width + 1;
    const slot = this.#slot(newest) + 1;
    if (newest === this.#middle) this.#data.copyWithin(sum, slot, slot + this.#width - 1);
    else join(this.#kind, this.#data, sum, sum, slot);
  }

  /** All but the newest become the front. */
  #turn(): void {
    this.#middle = this.#tail - 1;
    for (let i = this.#middle - 2; i >= this.#head; i--) {
      const slot = this.#slot(i) + 1;
      join(this.#kind, this.#data, slot, slot, this.#slot(i + 1) + 1);
    }
  }

  /** @returns where the summary of all is */
  #total(): number {
    const newest = this.#slot(this.#tail - 1) + 1;
    const sum = back * this.#width + 1;
    const hasFront = this.#head < this.#middle;
    const hasBack = this.#middle < this.#tail - 1;
    if (!hasFront && !hasBack) return newest;
    const all = total * this.#width + 1;
    const first = hasFront ? this.#slot(this.#head) + 1 : sum;
    if (hasFront && hasBack) join(this.#kind, this.#data, all, first, sum);
    join(this.#kind, this.#data, all, hasFront && hasBack ? all : first, newest);
    return all;
  }

  #grow(): void {
    const old = this.#data;
    const oldMask = this.#mask;
    this.#mask = 2 * oldMask + 1;
    this.#data = new Float64Array((this.#mask + 1 + spare) * this.#width);
    this.#data.set(old.subarray(0, spare * this.#width));
    for (let i = this.#head; i < this.#tail; i++) {
      const from = (spare + (i & oldMask)) * this.#width;
      this.#data.set(old.subarray(from, from + this.#width), this.#slot(i));
    }
  }
}
