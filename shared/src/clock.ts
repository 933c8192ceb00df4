import type { Clock } from './contracts.js';

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, signal),
};

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish);
  });
}

/**
 * Waits between tries: doubles from `firstMs` to `maxMs`, each wait drawn from the upper half of its span,
 * so that many clients that failed together do not come back together.
 */
export class Backoff {
  #tries = 0;
  constructor(
    private readonly firstMs: number,
    private readonly maxMs: number,
    private readonly rng: () => number = Math.random,
  ) {}

  next(): number {
    const span = Math.min(this.maxMs, this.firstMs * 2 ** this.#tries);
    this.#tries += 1;
    return span * (0.5 + 0.5 * this.rng());
  }

  reset(): void {
    this.#tries = 0;
  }
}
