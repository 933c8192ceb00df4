/** Once there are as many, neighbours become one. */
const maxKept = 512;

interface Seen {
  readonly atMs: number;
  readonly end: number;
}

/** When the end of a partition was first seen beyond an offset; over a long time, about. */
export class OffsetTimes {
  #seen: Seen[] = [];
  /** What comes sooner after the one before is taken for a part of it. */
  #spacingMs = 0;

  /** @param end  offset of the next record to come; one that went back, as of a topic made anew, begins anew */
  note(atMs: number, end: number): void {
    const last = this.#seen.at(-1);
    if (last && end < last.end) this.#forget(this.#seen.length);
    if (last?.end === end) return;
    const isNear = last !== undefined && end > last.end && atMs - last.atMs < this.#spacingMs;
    if (isNear) this.#seen[this.#seen.length - 1] = { atMs: last.atMs, end };
    else this.#seen.push({ atMs, end });
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
    return this.#seen.find(({ end }) => end > offset)?.atMs;
  }

  #forget(count: number): void {
    this.#seen.splice(0, count);
    if (this.#seen.length < maxKept / 4) this.#spacingMs = 0;
  }

  #join(): void {
    const joined: Seen[] = [];
    for (let i = 0; i < this.#seen.length; i += 2) {
      const [first, second] = [this.#seen[i]!, this.#seen[i + 1]];
      joined.push({ atMs: first.atMs, end: (second ?? first).end });
    }
    this.#seen = joined;
    this.#spacingMs = (2 * (joined.at(-1)!.atMs - joined[0]!.atMs)) / maxKept;
  }
}
