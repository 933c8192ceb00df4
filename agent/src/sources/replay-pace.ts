import type { Clock } from '@edgeward/shared/contracts';

/** Timers overflow at 24 days; recordings with gaps may well wait longer. */
const longestSleepMs = 3_600_000;
/** The wall clock was set, not just read at another moment than the monotonic one. */
const clockStepMs = 500;

/**
 * When each row is due, by the times between the rows. Time that goes back in the recording counts as none,
 * so that files sorted by device are replayed one device after the other.
 */
export class Pace {
  readonly #speed: number;
  readonly #clock: Clock;
  #lastTime = Number.NaN;
  #lastDue = Number.NEGATIVE_INFINITY;
  #wallOffset = Number.NaN;
  #lastStampUs = 0;

  /** @param speed  1 = as recorded, Infinity = everything is due at once */
  constructor(speed: number, clock: Clock) {
    this.#speed = speed;
    this.#clock = clock;
  }

  /** @returns [n] due moments on the monotonic clock, ms, rising */
  due(times: Float64Array): Float64Array {
    if (Number.isNaN(this.#lastTime)) this.#lastDue = this.#clock.monotonic();
    const due = new Float64Array(times.length);
    for (let i = 0; i < times.length; i++) {
      const time = times[i]!;
      if (time > this.#lastTime) this.#lastDue += (time - this.#lastTime) / this.#speed;
      this.#lastTime = time;
      due[i] = this.#lastDue;
    }
    return due;
  }

  /** @returns wall times for due moments, ms; rows that are all due at once get a microsecond each */
  stamp(due: Float64Array): Float64Array {
    const now = this.#clock.now();
    if (this.#speed === Number.POSITIVE_INFINITY) {
      const firstUs = Math.max(Math.round(now * 1000), this.#lastStampUs + 1);
      this.#lastStampUs = firstUs + due.length - 1;
      return due.map((_, i) => (firstUs + i) / 1000);
    }
    // Read anew each time, the difference of the clocks would jitter and stamps go back.
    const offset = now - this.#clock.monotonic();
    if (!(Math.abs(offset - this.#wallOffset) < clockStepMs)) this.#wallOffset = offset;
    return due.map(ms => Math.round((ms + this.#wallOffset) * 1000) / 1000);
  }

  /** Resolves when the moment has come or `stop` fires. */
  async until(dueMs: number, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const waitMs = dueMs - this.#clock.monotonic();
      if (waitMs <= 0) return;
      await this.#clock.sleep(Math.min(waitMs, longestSleepMs), stop);
    }
  }
}
