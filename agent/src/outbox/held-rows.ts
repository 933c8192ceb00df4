import { RangeSet } from '@edgeward/shared/ranges';

/** Beyond it, neighbours are counted together. */
const maxThinned = 4096;

interface ThinnedSpan {
  first: number;
  last: number;
  removed: number;
}

/**
 * The rows of one device and epoch that are held: spans of row numbers, and within them how many were thinned away.
 * The sum is always exact. Where more than a few thousand thinned blocks are held, how many of the removed rows lie
 * left and right of a block that left the middle is an estimate.
 */
export class HeldRowSpans {
  readonly #spans = new RangeSet();
  /** Sorted, disjoint. */
  #thinned: ThinnedSpan[] = [];
  #meltAt = maxThinned;
  #count = 0;

  /** How many rows. */
  get count(): number {
    return this.#count;
  }

  add(first: number, last: number, count: number): void {
    this.#spans.add(first, last);
    this.#count += count;
    const removed = last - first + 1 - count;
    if (removed > 0) this.#noteThinned({ first, last, removed });
  }

  remove(first: number, last: number, count: number): void {
    this.#spans.remove(first, last);
    this.#count -= count;
    if (this.#thinned.length) this.#forgetThinned(first, last, last - first + 1 - count);
  }

  /** [from, through, count] of each range. */
  ranges(): [number, number, number][] {
    let at = 0;
    return this.#spans.toJSON().map(([from, through]) => {
      let count = through - from + 1;
      for (; at < this.#thinned.length && this.#thinned[at]!.first <= through; at++)
        count -= this.#thinned[at]!.removed;
      return [from, through, count];
    });
  }

  #noteThinned(span: ThinnedSpan): void {
    this.#thinned.splice(this.#indexOf(span.first), 0, span);
    if (this.#thinned.length > this.#meltAt) this.#melt();
  }

  /** Neighbours become one, two by two, where nothing but held rows lies between them. */
  #melt(): void {
    const melted: ThinnedSpan[] = [];
    let single = false;
    for (const span of this.#thinned) {
      const before = melted.at(-1);
      if (before && single && this.#areHeld(before.last + 1, span.first - 1)) {
        before.last = span.last;
        before.removed += span.removed;
        single = false;
      } else {
        melted.push(span);
        single = true;
      }
    }
    this.#thinned = melted;
    this.#meltAt = Math.max(maxThinned, melted.length + maxThinned / 2);
  }

  #areHeld(first: number, last: number): boolean {
    return this.#spans.countWithin(first, last) === last - first + 1;
  }

  #forgetThinned(first: number, last: number, removed: number): void {
    const at = this.#indexOf(first);
    const index = this.#thinned[at]?.first === first ? at : at - 1;
    const span = this.#thinned[index];
    if (!span || span.last < first) return;
    const parts: ThinnedSpan[] = [];
    if (span.first < first) parts.push({ first: span.first, last: first - 1, removed: 0 });
    if (span.last > last) parts.push({ first: last + 1, last: span.last, removed: 0 });
    share(parts, span.removed - removed);
    this.#thinned.splice(index, 1, ...parts.filter(part => part.removed > 0));
  }

  /** Of the first span that begins at or after `first`. */
  #indexOf(first: number): number {
    let low = 0;
    let high = this.#thinned.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#thinned[middle]!.first < first) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** By their lengths. */
function share(parts: ThinnedSpan[], removed: number): void {
  const length = ({ first, last }: ThinnedSpan) => last - first + 1;
  const total = parts.reduce((sum, part) => sum + length(part), 0);
  let left = removed;
  for (const [i, part] of parts.entries()) {
    part.removed = i === parts.length - 1 ? left : Math.round((removed * length(part)) / total);
    left -= part.removed;
  }
}
