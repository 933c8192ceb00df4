import type { Clock } from '@edgeward/shared/contracts';
import { isRetryable, messageOf } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import type { Tally } from './tally.js';
import { Trouble } from './trouble.js';
import { woken } from './woken.js';

export interface TriesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly tally: Tally;
}

/** Tries until it works; not while it is paused. */
export class Tries {
  readonly trouble: Trouble;
  readonly #options: TriesOptions;
  readonly #resumed = new Gate();
  #isPaused = false;
  #wake = () => {};

  constructor(options: TriesOptions) {
    this.#options = options;
    this.trouble = new Trouble(options.clock);
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(): void {
    this.#isPaused = true;
    this.#wake();
  }

  resume(): void {
    this.#isPaused = false;
    this.#resumed.open();
    this.#wake();
  }

  /** Not before it is resumed. @returns false: it is to end */
  async mayGoOn(stop: AbortSignal): Promise<boolean> {
    while (this.#isPaused && !stop.aborted) await this.#resumed.wait(stop);
    return !this.#isPaused;
  }

  /** Undefined when all is to end: it failed after stop, or is paused then, or the deadline has passed. */
  async until<T>(
    act: () => Promise<T>,
    what: 'journal' | 'sink',
    stop: AbortSignal,
    deadline: AbortSignal,
  ): Promise<T | undefined> {
    while (await this.mayGoOn(stop)) {
      try {
        const result = await act();
        if (this.trouble.failure !== null) this.#options.log.info(`${what} works again`);
        this.trouble.over();
        return result;
      } catch (error) {
        if (deadline.aborted) return undefined; // it was cut off, which is no failure of its own
        this.#tell(error, what);
        this.#options.tally.failed(error);
        const waitMs = this.trouble.failed(error);
        if (stop.aborted) return undefined;
        await this.#rest(waitMs, stop);
      }
    }
    return undefined;
  }

  /** A try takes too long, and has not ended. */
  late(error: unknown): void {
    this.#tell(error, 'sink');
    this.trouble.note(error);
  }

  async #rest(ms: number, stop: AbortSignal): Promise<void> {
    await woken(
      signal => this.#options.clock.sleep(ms, signal),
      stop,
      wake => {
        this.#wake = wake;
      },
    );
    this.trouble.trying();
  }

  #tell(error: unknown, what: string): void {
    if (this.trouble.failure !== null) return;
    const level = isRetryable(error) ? 'warn' : 'error';
    this.#options.log[level]({ error: messageOf(error) }, `${what} failed; trying again`);
  }
}
