/**
 * A meeting point for loops that wait until something may have changed. `open` wakes everybody who waits now;
 * whoever waits later waits for the next opening, so check the condition first, then wait.
 */
export class Gate {
  readonly #waiting = new Set<() => void>();

  open(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next opening, after `atMostMs`, or when the signal fires; never throws. */
  wait(signal?: AbortSignal, atMostMs = Number.POSITIVE_INFINITY): Promise<void> {
    return new Promise(resolve => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const timer = atMostMs < maxTimerMs ? setTimeout(wake, Math.max(0, Math.ceil(atMostMs))) : undefined;
      signal?.addEventListener('abort', wake);
      this.#waiting.add(wake);
    });
  }
}

/** Longer ones overflow Node's timers; nobody here waits for weeks. */
const maxTimerMs = 2 ** 31 - 1;
