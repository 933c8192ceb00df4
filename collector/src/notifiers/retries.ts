/**
 * When what waits for a server may be tried again. An outage delays everything, a refusal for now only the one that
 * was refused. Whatever was tried in an outage goes to the end of the line: one on which the server breaks each time
 * holds up no other.
 */
import { Backoff } from '@edgeward/shared/clock';
import type { Clock } from '@edgeward/shared/contracts';

/** As mail servers do. */
const giveUpAfterMs = 5 * 86_400_000;
/** So often it was tried by then, about an hour: a clock that is set ahead by days ends nothing at the first try. */
const leastTries = 12;

export interface RetryTimes {
  /** Waits between tries double from the first to the last. */
  readonly firstRetryMs?: number | undefined;
  readonly lastRetryMs?: number | undefined;
}

interface Retry {
  readonly backoff: Backoff;
  dueMs: number;
}

export class Retries {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #times: RetryTimes;
  readonly #outage: Retry;
  readonly #single = new Map<string, Retry>();
  /** When each was last tried, by count. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
  /** In a row, of whatever it was. */
  #failures = 0;

  constructor(clock: Pick<Clock, 'monotonic'>, times: RetryTimes = {}) {
    this.#clock = clock;
    this.#times = times;
    this.#outage = this.#newRetry();
  }

  /** The one to try now. @param waiting  by id, in the order in which they are to go */
  next<Item extends { readonly view: { readonly id: string } }>(waiting: readonly Item[]): Item | undefined {
    const nowMs = this.#clock.monotonic();
    const due = waiting.filter(({ view }) => this.#dueMs(view.id) <= nowMs);
    const turnOf = ({ view }: Item) => this.#turns.get(view.id) ?? 0;
    return due.reduce<Item | undefined>(
      (best, one) => (best === undefined || turnOf(one) < turnOf(best) ? one : best),
      undefined,
    );
  }

  /** Until the first of them is due, ms; infinite without any. */
  waitMs(waiting: readonly { readonly view: { readonly id: string } }[]): number {
    return Math.min(...waiting.map(({ view }) => this.#dueMs(view.id))) - this.#clock.monotonic();
  }

  /** The server cannot be used now. @param atLeastMs  what it asked for */
  outage(id: string, atLeastMs = 0): void {
    this.#turn += 1;
    this.#turns.set(id, this.#turn);
    this.#failures += 1;
    this.#delay(this.#outage, atLeastMs);
  }

  /** @param tries  of this one, by now */
  isHopeless(tries: number, ageMs: number): boolean {
    return ageMs > giveUpAfterMs && Math.max(tries, this.#failures) >= leastTries;
  }

  /** The server took or refused one: it is there. */
  answered(): void {
    this.#outage.backoff.reset();
    this.#failures = 0;
  }

  /** It was refused for now, alone. */
  later(id: string, atLeastMs = 0): void {
    const retry = this.#single.get(id) ?? this.#newRetry();
    this.#single.set(id, retry);
    this.#delay(retry, atLeastMs);
  }

  /** It is not tried again. */
  forget(id: string): void {
    this.#single.delete(id);
    this.#turns.delete(id);
  }

  #dueMs(id: string): number {
    return Math.max(this.#outage.dueMs, this.#single.get(id)?.dueMs ?? 0);
  }

  #delay(retry: Retry, atLeastMs: number): void {
    retry.dueMs = this.#clock.monotonic() + Math.max(retry.backoff.next(), atLeastMs);
  }

  #newRetry(): Retry {
    const { firstRetryMs = 5000, lastRetryMs = 600_000 } = this.#times;
    return { backoff: new Backoff(firstRetryMs, lastRetryMs), dueMs: 0 };
  }
}
