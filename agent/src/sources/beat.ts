import type { Clock } from '@edgeward/shared/contracts';

/**
 * The schedule of a polled source: moments a whole number of intervals after the first one, whatever each poll
 * took. Moments missed while somebody was slow are left out, not made up for in a burst.
 */
export class Beat {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  /** On the monotonic clock. */
  #nextMs: number;

  /** The first moment is now. */
  constructor(intervalMs: number, clock: Clock) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#nextMs = clock.monotonic();
  }

  get nextMs(): number {
    return this.#nextMs;
  }

  /** True once for each moment kept. */
  comes(): boolean {
    const lateMs = this.#clock.monotonic() - this.#nextMs;
    if (lateMs < 0) return false;
    this.#nextMs += this.#intervalMs * (1 + Math.floor(lateMs / this.#intervalMs));
    return true;
  }
}
