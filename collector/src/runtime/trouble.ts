import { Backoff } from '@edgeward/shared/clock';
import type { Clock, Rng } from '@edgeward/shared/contracts';
import { EdgewardError, type ErrorCode, messageOf } from '@edgeward/shared/errors';

export interface FailureView {
  /** Null = it is no error of ours. */
  readonly code: ErrorCode | null;
  readonly text: string;
  /** When it began to fail, ms since Unix epoch. */
  readonly sinceMs: number;
  /** When it is tried again; null = it is being tried. */
  readonly nextTryMs: number | null;
}

/** After so many failures in a row only little is tried, until that works. */
const openAfter = 5;
const firstWaitMs = 500;
const longestWaitMs = 30_000;
/** While somebody has to change something: from 30 s to a minute. */
const deniedWaitMs = 30_000;
/** However long a server asks to be left alone. */
const longestBusyMs = 3_600_000;

/**
 * What has gone wrong since it last went well, and when to try again. A circuit breaker: once it has failed often
 * enough it is open, and between waits only something small is tried.
 */
export class Trouble {
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #backoff: Backoff;
  #inRow = 0;
  #failure: FailureView | null = null;

  constructor(clock: Clock, rng: Rng = Math.random) {
    this.#clock = clock;
    this.#rng = rng;
    this.#backoff = new Backoff(firstWaitMs, longestWaitMs, rng);
  }

  get failure(): FailureView | null {
    return this.#failure;
  }

  get isOpen(): boolean {
    return this.#inRow >= openAfter;
  }

  get state(): 'running' | 'retrying' | 'failing' | 'denied' {
    if (this.#failure === null) return 'running';
    if (this.#failure.code === 'EW_SINK_DENIED') return 'denied';
    return this.isOpen ? 'failing' : 'retrying';
  }

  /** @returns how long to wait */
  failed(error: unknown): number {
    this.#inRow += 1;
    const waitMs = this.#waitAfter(error);
    this.note(error, this.#clock.now() + waitMs);
    return waitMs;
  }

  /** While it is still being tried. */
  note(error: unknown, nextTryMs: number | null = null): void {
    const code = error instanceof EdgewardError ? error.code : null;
    const sinceMs = this.#failure?.sinceMs ?? this.#clock.now();
    this.#failure = { code, text: messageOf(error), sinceMs, nextTryMs };
  }

  trying(): void {
    if (this.#failure) this.#failure = { ...this.#failure, nextTryMs: null };
  }

  /** It went well. */
  over(): void {
    this.#inRow = 0;
    this.#failure = null;
    this.#backoff.reset();
  }

  #waitAfter(error: unknown): number {
    const usual = this.#backoff.next();
    if (!(error instanceof EdgewardError)) return usual;
    if (error.code === 'EW_SINK_DENIED') return deniedWaitMs * (1 + this.#rng());
    const asked = Math.min(error.retryAfterMs ?? 0, longestBusyMs);
    // Not before, and not all at the same moment.
    return Math.max(usual, asked * (1 + 0.1 * this.#rng()));
  }
}
