/** Leaves a server alone that fails: after some failures in a row, or at once if it asks for it. */
import type { Clock } from '@edgeward/shared/contracts';
import type { LlmFailure } from './failure.js';

const failuresToOpen = 3;
const firstPauseMs = 60_000;
const longestPauseMs = 3_600_000;

export class Breaker {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #failures = 0;
  #pauses = 0;
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Once a pause is over, one failure begins the next, which is twice as long. */
  get isOpen(): boolean {
    return this.#clock.monotonic() < this.#untilMs;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#pauses = 0;
  }

  /** @returns for how long it pauses now, ms; 0 = not */
  failed({ kind, retryAfterMs }: Pick<LlmFailure, 'kind' | 'retryAfterMs'>): number {
    this.#failures += 1;
    const atOnce = kind === 'denied' || kind === 'limited' || retryAfterMs !== undefined;
    if (!atOnce && this.#failures < failuresToOpen) return 0;
    const ownMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#pauses);
    const pauseMs = Math.max(ownMs, retryAfterMs ?? 0);
    this.#pauses += 1;
    this.#untilMs = this.#clock.monotonic() + pauseMs;
    return pauseMs;
  }
}
