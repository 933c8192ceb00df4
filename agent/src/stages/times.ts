/** How many of a device's times are remembered, to keep them unique after its clock was set back. */
const rememberedTimes = 256;

/**
 * Keeps the times of one device unique. Stores that know a row by device and time, InfluxDB for one, would
 * silently overwrite the first of two equal ones. They see microseconds, and so does this.
 */
export class TimeMemory {
  readonly #recent = new Float64Array(rememberedTimes).fill(Number.NaN);
  #next = 0;
  #highest = Number.NEGATIVE_INFINITY;
  #lastAsked = Number.NEGATIVE_INFINITY;
  #lastGiven = Number.NEGATIVE_INFINITY;

  /** Whether this time lies before that of the row before it. */
  isBackwards(us: number): boolean {
    return us < this.#lastAsked;
  }

  /** The same time, or the next free microsecond after it. */
  claim(us: number): number {
    // Many rows at one time continue where the last one was put, instead of searching again from the start.
    let free = us === this.#lastAsked ? this.#lastGiven + 1 : us;
    while (free <= this.#highest && this.#recent.includes(free)) free += 1;
    this.#lastAsked = us;
    this.#lastGiven = free;
    this.#highest = Math.max(this.#highest, free);
    this.#recent[this.#next] = free;
    this.#next = (this.#next + 1) % rememberedTimes;
    return free;
  }
}
