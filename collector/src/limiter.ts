import type { Clock } from '@edgeward/shared/contracts';

/** Lets through what belongs to one key at most once in a while. Keys are names of gateways: there are not many. */
export class Limiter {
  readonly #everyMs: number;
  readonly #clock: Clock;
  readonly #lastMs = new Map<string, number>();

  constructor(everyMs: number, clock: Clock) {
    this.#everyMs = everyMs;
    this.#clock = clock;
  }

  allows(key: string): boolean {
    const nowMs = this.#clock.monotonic();
    if (nowMs - (this.#lastMs.get(key) ?? Number.NEGATIVE_INFINITY) < this.#everyMs) return false;
    this.#lastMs.set(key, nowMs);
    return true;
  }
}
