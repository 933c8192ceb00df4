/** Where signals come from; `process`, or a stand-in. */
export interface SignalSource {
  on(name: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): unknown;
  off(name: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
}

/**
 * The first signal asks to stop, the second, or the time that has passed, insists. After that the process is no
 * longer ours to hold: a third signal ends it.
 */
export class Stopper implements Disposable {
  readonly #stop = new AbortController();
  readonly #deadline = new AbortController();
  readonly #signals: SignalSource;
  readonly #graceMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(signals: SignalSource, graceMs: number) {
    this.#signals = signals;
    this.#graceMs = graceMs;
    signals.on('SIGINT', this.ask);
    signals.on('SIGTERM', this.ask);
  }

  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  get deadline(): AbortSignal {
    return this.#deadline.signal;
  }

  readonly ask = (): void => {
    if (this.#stop.signal.aborted) this.#insist();
    else this.askOnce();
  };

  /** Asks, however often it is called. */
  askOnce(): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#timer = setTimeout(() => this.#insist(), this.#graceMs);
    this.#timer.unref();
  }

  #insist(): void {
    // First let go: a signal that came between the two would be heard by nobody.
    this[Symbol.dispose]();
    this.#deadline.abort();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signals.off('SIGINT', this.ask);
    this.#signals.off('SIGTERM', this.ask);
  }
}
