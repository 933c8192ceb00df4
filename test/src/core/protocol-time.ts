/** Virtual time for a whole run: clocks of processes that can die, and the timers of code that knows no clock. */
import type { Clock } from '@edgeward/shared/contracts';

interface Timer {
  readonly dueMs: number;
  act: (() => void) | undefined;
}

const startMs = Date.UTC(2026, 0, 1);

/** Stands still until it is moved; thousands of timers a run, so each costs little. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  /** By due time; of equal ones the older is first. */
  #timers: Timer[] = [];

  now(): number {
    return startMs + this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  /** @returns what calls it off */
  timer(ms: number, act: () => void): () => void {
    const timer: Timer = { dueMs: this.#nowMs + Math.max(0, ms), act };
    let at = this.#timers.length;
    while (at > 0 && this.#timers[at - 1]!.dueMs > timer.dueMs) at -= 1;
    this.#timers.splice(at, 0, timer);
    return () => {
      timer.act = undefined;
    };
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      if (signal.aborted) return resolve();
      const finish = () => {
        cancel();
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const cancel = this.timer(ms, finish);
      signal.addEventListener('abort', finish);
    });
  }

  /** Moves on; whatever a timer sets going has come to its next wait before the next one fires. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await turn();
    for (let next = this.#timers[0]; next && next.dueMs <= endMs; next = this.#timers[0]) {
      this.#timers.shift();
      if (!next.act) continue;
      this.#nowMs = next.dueMs;
      next.act();
      await turn();
    }
    this.#nowMs = endMs;
  }
}

/** The clock as one process sees it: once that is dead, nobody wakes. */
export function mortalClock(clock: Clock, isAlive: () => boolean): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: async (ms, signal) => {
      if (!isAlive()) return forever();
      await clock.sleep(ms, signal);
      return isAlive() ? undefined : forever();
    },
  };
}

export function forever(): Promise<never> {
  return new Promise(() => undefined);
}

/** Everything that can run does so. */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

/** Puts `setTimeout` and `performance.now` on the clock of the present run: gates wait by them. @returns what takes it back */
export function takeTimers(clockOf: () => VirtualClock): () => void {
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  const { performance } = globalThis;
  const virtual = (act: () => void, ms = 0) => {
    const cancel = clockOf().timer(ms, act);
    return { cancel, ref: () => undefined, unref: () => undefined };
  };
  globalThis.setTimeout = virtual as unknown as typeof setTimeout;
  globalThis.clearTimeout = ((timer?: Partial<ReturnType<typeof virtual>>) =>
    timer?.cancel?.()) as typeof clearTimeout;
  const now = { value: () => clockOf().monotonic(), configurable: true };
  Object.defineProperty(performance, 'now', now);
  return () => {
    Object.assign(globalThis, real);
    Reflect.deleteProperty(performance, 'now');
  };
}
