/**
 * A meeting point for loops that wait until something may have changed. `open` wakes everybody who waits now;
 * whoever waits later waits for the next opening, so check the condition first, then wait.
 */
export class Gate {
  #waiting: (() => void)[] = [];
  /** When each of those who do not wait for ever gives up, by what wakes it. */
  readonly #untilMs = new Map<() => void, number>();
  /** One for all, and not taken back when they are woken: mostly they soon wait again. */
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = 0;

  open(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    if (this.#untilMs.size > 0) this.#forgetTimes();
    for (const wake of waiting) wake();
  }

  /** Opens when the signal fires, until disposed of: for loops that would else listen anew with every wait. */
  openOn(signal: AbortSignal): Disposable {
    const open = () => this.open();
    signal.addEventListener('abort', open);
    return { [Symbol.dispose]: () => signal.removeEventListener('abort', open) };
  }

  /** Resolves at the next opening, after `atMostMs`, or when the signal fires; never throws. */
  wait(signal?: AbortSignal, atMostMs = Number.POSITIVE_INFINITY): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise(resolve => {
      const wake = signal ? this.#wakeOf(signal, resolve) : resolve;
      this.#waiting.push(wake);
      if (atMostMs < maxTimerMs) this.#wakeAfter(wake, Math.max(0, Math.ceil(atMostMs)));
    });
  }

  #wakeOf(signal: AbortSignal, resolve: () => void): () => void {
    const wake = () => {
      signal.removeEventListener('abort', aborted);
      resolve();
    };
    const aborted = () => {
      this.#leave(wake);
      wake();
    };
    signal.addEventListener('abort', aborted);
    return wake;
  }

  #leave(wake: () => void): void {
    this.#waiting = this.#waiting.filter(other => other !== wake);
    if (this.#untilMs.delete(wake) && this.#untilMs.size === 0) this.#timer?.unref();
  }

  #forgetTimes(): void {
    this.#untilMs.clear();
    this.#timer?.unref();
  }

  #wakeAfter(wake: () => void, ms: number): void {
    const atMs = performance.now() + ms;
    this.#untilMs.set(wake, atMs);
    if (this.#timer === undefined || atMs < this.#timerAtMs) this.#setTimer(atMs, ms);
    else if (this.#untilMs.size === 1) this.#timer.ref();
  }

  #setTimer(atMs: number, ms: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(() => this.#timeIsUp(), ms);
  }

  #timeIsUp(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [wake, atMs] of [...this.#untilMs]) {
      if (atMs > nowMs + timerErrorMs) continue;
      this.#leave(wake);
      wake();
    }
    if (this.#untilMs.size === 0) return;
    const nextMs = Math.min(...this.#untilMs.values());
    this.#setTimer(nextMs, Math.ceil(nextMs - nowMs));
  }
}

/** Longer ones overflow Node's timers; nobody here waits for weeks. */
const maxTimerMs = 2 ** 31 - 1;
/** Timers count in whole milliseconds. */
const timerErrorMs = 1;
