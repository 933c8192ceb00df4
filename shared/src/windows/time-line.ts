/** JSON. */
export interface TimeLineState {
  readonly since: number;
  readonly newest: number;
  /** Rows in a row that lay too far back. */
  readonly farBack: number;
}

/** So many rows in a row that lie farther back than the duration: the device's clock was set back. */
export const rowsOfAnotherClock = 10;

/** So many rows, each after a silence: they come more rarely than the duration. */
const rowsAlone = 10;

/**
 * How long a device has been seen without a silence of more than a duration, by the times of its rows.
 *
 * A row older than the newest one is late: it counts for nothing. Where a device's clock was far ahead and is put
 * right, or is set back, all rows would be late for long: so the tenth in a row that lies back by more than the
 * duration begins anew.
 */
export class TimeLine {
  readonly durationMs: number;
  #since = Number.NEGATIVE_INFINITY;
  #newest = Number.NEGATIVE_INFINITY;
  #farBack = 0;
  #alone = 0;

  constructor(durationMs: number) {
    this.durationMs = durationMs;
  }

  /** @returns `anew` = nothing from before counts any longer, and this row is the first */
  step(timeMs: number): 'on' | 'anew' | 'late' {
    if (timeMs >= this.#newest) {
      const silence = timeMs - this.#newest;
      this.#newest = timeMs;
      this.#farBack = 0;
      if (silence <= this.durationMs) {
        this.#alone = 0;
        return 'on';
      }
      this.#alone += 1;
      this.#since = timeMs;
      return 'anew';
    }
    if (!(this.#newest - timeMs > this.durationMs) || ++this.#farBack < rowsOfAnotherClock) return 'late';
    this.#since = timeMs;
    this.#newest = timeMs;
    this.#farBack = 0;
    return 'anew';
  }

  /** Whether the duration before the newest row has been seen. */
  get full(): boolean {
    return this.#newest - this.#since >= this.durationMs;
  }

  /** Whether rows come so rarely that it is never full. */
  get tooRare(): boolean {
    return this.#alone >= rowsAlone;
  }

  /** Undefined before the first row. */
  save(): TimeLineState | undefined {
    return Number.isFinite(this.#newest)
      ? { since: this.#since, newest: this.#newest, farBack: this.#farBack }
      : undefined;
  }

  load({ since, newest, farBack }: TimeLineState): void {
    this.#since = since;
    this.#newest = newest;
    this.#farBack = farBack;
  }
}
