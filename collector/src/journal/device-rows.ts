import type { RangeList } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import { z } from 'zod';

/** Rows of one device within a block; `count` is less than the span where it was thinned. */
export interface Span {
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** Above so many, neighbours among the thinned spans are told as one. */
const maxThinned = 10_000;

const ranges = z.array(z.tuple([z.number(), z.number()]));
/** Spans alone where none was thinned. */
export const deviceRowsSchema = z.union([
  ranges,
  z.object({ spans: ranges, thinned: z.array(z.tuple([z.number(), z.number(), z.number()])) }),
]);

/**
 * Row numbers of one device within one epoch. A block is all or nothing, so numbers are kept as spans, and for
 * thinned blocks how many of a span's numbers were left out: ranges stay few, and counts exact.
 */
export class DeviceRows {
  readonly #spans: RangeSet;
  /** First, last, and rows left out between them; by first. */
  #thinned: [number, number, number][];

  constructor(spans: RangeList = [], thinned: readonly (readonly [number, number, number])[] = []) {
    this.#spans = new RangeSet(spans);
    this.#thinned = thinned.map(([first, last, removed]) => [first, last, removed]);
  }

  get count(): number {
    return this.#thinned.reduce((sum, [, , removed]) => sum - removed, this.#spans.count);
  }

  add({ first, last, count }: Span): void {
    this.#spans.add(first, last);
    const removed = last - first + 1 - count;
    if (removed <= 0) return;
    let at = this.#thinned.length;
    while (at > 0 && this.#thinned[at - 1]![0] > first) at -= 1;
    this.#thinned.splice(at, 0, [first, last, removed]);
    if (this.#thinned.length > maxThinned) this.#thinned = melted(this.#thinned);
  }

  /** Takes a block out again that was added as just this span. */
  take({ first, last }: Span): void {
    this.#spans.remove(first, last);
    this.#thinned = this.#thinned.filter(one => one[0] !== first || one[1] !== last);
  }

  /** Rows that were left out of a thinned block are there after all. */
  fill(from: number, through: number): void {
    const at = this.#thinned.findIndex(([first, last]) => first <= from && through <= last);
    const hole = this.#thinned[at];
    if (!hole) return;
    hole[2] -= through - from + 1;
    if (hole[2] <= 0) this.#thinned.splice(at, 1);
  }

  /** Rows there are of from…through, whose ends must not lie within a thinned block. */
  countWithin(from: number, through: number): number {
    let sum = this.#spans.countWithin(from, through);
    for (const [first, last, removed] of this.#thinned) if (first >= from && last <= through) sum -= removed;
    return sum;
  }

  countIn(list: RangeList): number {
    return list.reduce((sum, [from, through]) => sum + this.countWithin(from, through), 0);
  }

  /** The row numbers as spans, whether thinned or not. */
  spans(): RangeList {
    return this.#spans.toJSON();
  }

  clone(): DeviceRows {
    return new DeviceRows(this.#spans.toJSON(), this.#thinned);
  }

  toJSON(): z.input<typeof deviceRowsSchema> {
    const spans = this.#spans.toJSON() as [number, number][];
    return this.#thinned.length === 0 ? spans : { spans, thinned: this.#thinned };
  }

  static fromJSON(json: z.output<typeof deviceRowsSchema>): DeviceRows {
    return Array.isArray(json) ? new DeviceRows(json) : new DeviceRows(json.spans, json.thinned);
  }
}

/** Blocks that follow each other come from one stretch of an outage: their sum says the same of all of it. */
function melted(thinned: readonly (readonly [number, number, number])[]): [number, number, number][] {
  const melt: [number, number, number][] = [];
  for (const [first, last, removed] of thinned) {
    const before = melt.at(-1);
    if (before && before[1] + 1 === first) {
      before[1] = last;
      before[2] += removed;
    } else melt.push([first, last, removed]);
  }
  return melt;
}
