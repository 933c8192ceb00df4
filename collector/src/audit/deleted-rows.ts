import type { RangeSet } from '@edgeward/shared/ranges';
import type { GoneSpans } from '../journal/gone-letters.js';

/** Rows of one device in dead letters that were deleted. What they explain is taken out: none explains two. */
export class DeletedRows {
  readonly #spans: [number, number, number][];
  /** What was explained by them. */
  readonly explained: [number, number][] = [];
  count = 0;

  constructor(spans: GoneSpans[string][string] = []) {
    this.#spans = spans.map(([first, last, count]) => [first, last, count]);
  }

  /** Takes out of missing rows those that were deleted. @param countOf  rows there are of from…through */
  explain(missing: RangeSet, countOf: (from: number, through: number) => number): void {
    for (const span of this.#spans)
      for (const [from, through] of missing.within(span[0], span[1])) {
        const count = countOf(from, through);
        if (count > span[2]) continue;
        missing.remove(from, through);
        span[2] -= count;
        this.#note(from, through, count);
      }
  }

  /** @returns whether so many rows of first…last were deleted */
  covers(first: number, last: number, missing: number): boolean {
    const within = this.#spans.filter(span => span[0] <= last && span[1] >= first);
    const most = within.map(span =>
      Math.min(span[2], Math.min(last, span[1]) - Math.max(first, span[0]) + 1),
    );
    if (most.reduce((sum, n) => sum + n, 0) < missing) return false;
    let left = missing;
    for (const [i, span] of within.entries()) {
      const taken = Math.min(left, most[i]!);
      span[2] -= taken;
      left -= taken;
    }
    this.#note(first, last, missing);
    return true;
  }

  #note(from: number, through: number, count: number): void {
    this.explained.push([from, through]);
    this.count += count;
  }
}
