import { Backoff } from '@edgeward/shared/clock';
import type { Clock, Cursor, Delivery, Sink } from '@edgeward/shared/contracts';
import { isRetryable, messageOf } from '@edgeward/shared/errors';
import { failpoint } from '@edgeward/shared/failpoint';
import type { Logger } from '@edgeward/shared/log';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import type { Journal, Reading } from './journal/journal.js';

export interface ConsumerOptions {
  readonly name: string;
  readonly sink: Sink;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Logger;
  /** What arrives within this time is written together. */
  readonly lingerMs: number;
}

const limits = { maxDeliveries: 1000, maxBytes: 8 * 1024 * 1024 };

/**
 * One follower of the journal: reads on from its cursor, writes, moves the cursor. It retries for ever, because
 * what it has not stored is still in the journal; nobody else waits for it.
 */
export class Consumer {
  readonly name: string;
  readonly #options: ConsumerOptions;
  readonly #received = new Map<string, RangeSet>();
  #position = 0;
  #ownCursor = false;
  #failure: string | null = null;

  constructor(options: ConsumerOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** The last position it has stored. */
  get position(): number {
    return this.#position;
  }

  /** Deliveries it has yet to store. */
  get lag(): number {
    return this.#options.journal.position - this.#position;
  }

  /** Why its last write failed; null = all is well. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Must be called once before `run`. */
  async open(): Promise<void> {
    const { sink, journal, name } = this.#options;
    this.#ownCursor = sink.cursor !== undefined;
    const cursor = (await sink.cursor?.()) ?? journal.cursor(name);
    if (!cursor) return;
    // A foreign journal counts otherwise: start at its beginning and skip what is known by id.
    this.#position = cursor.journal === journal.id ? cursor.position : 0;
    await journal.skipTo(this.#position);
    for (const [key, ranges] of Object.entries(cursor.received))
      this.#received.set(key, new RangeSet(ranges));
  }

  /** Ends on stop, after what the journal has by then, or at the deadline. */
  async run(stop: AbortSignal, deadline: AbortSignal): Promise<void> {
    const { journal, clock, lingerMs } = this.#options;
    for (;;) {
      await journal.wait(this.#position, stop);
      if (!stop.aborted) await clock.sleep(lingerMs, stop);
      const reading = await this.#try(() => journal.read(this.#position, limits), 'journal', stop, deadline);
      if (!reading || (reading.through === this.#position && stop.aborted)) return;
      const stored = () => this.#write(reading, deadline).then(() => true);
      if (!(await this.#try(stored, 'sink', stop, deadline))) return;
    }
  }

  /** Until it works: undefined only when it failed and all is to end. */
  async #try<T>(
    act: () => Promise<T>,
    what: 'journal' | 'sink',
    stop: AbortSignal,
    deadline: AbortSignal,
  ): Promise<T | undefined> {
    const { clock, log } = this.#options;
    const backoff = new Backoff(500, 30_000);
    for (;;) {
      try {
        const result = await act();
        if (this.#failure !== null) log.info(`${what} works again`);
        this.#failure = null;
        return result;
      } catch (error) {
        const waitMs = backoff.next();
        if (this.#failure === null) {
          const level = isRetryable(error) ? 'warn' : 'error';
          log[level]({ error: messageOf(error), waitMs: Math.round(waitMs) }, `${what} failed; trying again`);
        }
        this.#failure = messageOf(error);
        if (stop.aborted || deadline.aborted) return undefined;
        await clock.sleep(waitMs, stop);
      }
    }
  }

  async #write({ deliveries, through }: Reading, deadline: AbortSignal): Promise<void> {
    const { sink, journal, name } = this.#options;
    const fresh = deliveries.filter(
      ({ gateway, epoch, seq }) => !this.#received.get(`${gateway}/${epoch}`)?.has(seq),
    );
    const received = this.#receivedWith(fresh);
    const after: Cursor = { journal: journal.id, position: through, received: toJSON(received) };
    if (fresh.length > 0) await sink.write(fresh, after, deadline);
    failpoint('sink.after-write');
    if (!this.#ownCursor && fresh.length > 0) await journal.setCursor(name, after);
    for (const [key, ranges] of received) this.#received.set(key, ranges);
    this.#position = through;
  }

  #receivedWith(deliveries: readonly Delivery[]): Map<string, RangeSet> {
    const received = new Map([...this.#received].map(([key, ranges]) => [key, ranges.clone()]));
    for (const { gateway, epoch, seq } of deliveries) {
      getOrMake(received, `${gateway}/${epoch}`, () => new RangeSet()).add(seq);
    }
    return received;
  }
}

function toJSON(received: ReadonlyMap<string, RangeSet>): Cursor['received'] {
  return Object.fromEntries([...received].map(([key, ranges]) => [key, ranges.toJSON()]));
}
