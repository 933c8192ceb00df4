/** Once there are as many, neighbours become one. */
const maxKept = 512;

/** The end of the partition grew from `start` to `end` between two looks; ms of the same clock. */
interface Grown {
  readonly start: number;
  readonly startMs: number;
  readonly end: number;
  readonly endMs: number;
}

/** When the end of a partition grew beyond an offset: evenly between two looks; over a long time, about. */
export class OffsetTimes {
  #seen: Grown[] = [];
  #lookedMs = Number.NaN;
  /** What comes sooner after the one before is taken for a part of it. */
  #spacingMs = 0;

  /** @param end  offset of the next record to come; one that went back, as of a topic made anew, begins anew */
  note(atMs: number, end: number): void {
    const last = this.#seen.at(-1);
    const startMs = this.#lookedMs;
    this.#lookedMs = atMs;
    if (last?.end === end) return;
    if (!last || end < last.end) {
      // Of what was there before the first look nobody knows since when.
      this.#forget(this.#seen.length);
      this.#seen.push({ start: 0, startMs: atMs, end, endMs: atMs });
    } else if (atMs - last.startMs < this.#spacingMs)
      this.#seen[this.#seen.length - 1] = { ...last, end, endMs: atMs };
    else this.#seen.push({ start: last.end, startMs, end, endMs: atMs });
    if (this.#seen.length > maxKept) this.#join();
  }

  /** Nobody will ask for anything below any more. */
  passed(offset: number): void {
    const behind = this.#seen.findIndex(({ end }) => end > offset);
    // The newest one stays, so that the same end is not taken for new.
    this.#forget(behind < 0 ? Math.max(0, this.#seen.length - 1) : behind);
  }

  /** Undefined: nothing is there yet at this offset. */
  firstBehind(offset: number): number | undefined {
    const grown = this.#seen.find(({ end }) => end > offset);
    if (!grown) return undefined;
    const { start, startMs, end, endMs } = grown;
    return startMs + (endMs - startMs) * Math.max(0, (offset - start) / (end - start));
  }

  #forget(count: number): void {
    this.#seen.splice(0, count);
    if (this.#seen.length < maxKept / 4) this.#spacingMs = 0;
  }

  #join(): void {
    const joined: Grown[] = [];
    for (let i = 0; i < this.#seen.length; i += 2) {
      const first = this.#seen[i]!;
      const { end, endMs } = this.#seen[i + 1] ?? first;
      joined.push({ ...first, end, endMs });
    }
    this.#seen = joined;
    this.#spacingMs = (2 * (joined.at(-1)!.endMs - joined[0]!.startMs)) / maxKept;
  }
}
