import type { Clock } from '../contracts.js';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

export interface FakeClockOptions {
  /** Wall time at the start, ms since Unix epoch. */
  readonly nowMs?: number;
  /** Time jumps to the earliest sleeper as soon as nothing else runs, so that nobody really waits. */
  readonly autoAdvance?: boolean;
}

/** A clock that stands still until it is told to move. */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #sleepers: Sleeper[] = [];
  readonly #autoAdvance: boolean;

  constructor({ nowMs = Date.UTC(2026, 0, 1), autoAdvance = false }: FakeClockOptions = {}) {
    this.#wallMs = nowMs;
    this.#autoAdvance = autoAdvance;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  /** How many are asleep now. */
  get sleepers(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      if (signal.aborted) return resolve();
      const finish = () => {
        this.#sleepers = this.#sleepers.filter(other => other !== sleeper);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const sleeper: Sleeper = { dueMs: this.#monotonicMs + Math.max(0, ms), wake: finish };
      this.#sleepers.push(sleeper);
      signal.addEventListener('abort', finish);
      if (this.#autoAdvance) setImmediate(() => this.#wakeNext(Number.POSITIVE_INFINITY));
    });
  }

  /** Moves on by `ms`, waking sleepers in their order; each may go to sleep again within that span. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await turn();
    while (this.#wakeNext(endMs)) await turn();
    this.#moveTo(endMs);
  }

  /** Resolves once somebody sleeps, or when the signal fires: for tests that must not move time too early. */
  async someoneSleeps(signal?: AbortSignal): Promise<void> {
    while (this.#sleepers.length === 0 && !signal?.aborted) await turn();
  }

  /** A step of the wall clock, as a time server makes it; monotonic time does not notice. */
  stepWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  #wakeNext(untilMs: number): boolean {
    let next: Sleeper | undefined;
    for (const sleeper of this.#sleepers) if (!next || sleeper.dueMs < next.dueMs) next = sleeper;
    if (!next || next.dueMs > untilMs) return false;
    this.#moveTo(next.dueMs);
    next.wake();
    return true;
  }

  #moveTo(monotonicMs: number): void {
    const byMs = Math.max(0, monotonicMs - this.#monotonicMs);
    this.#monotonicMs += byMs;
    this.#wallMs += byMs;
  }
}

/** Lets everything that can run do so. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
