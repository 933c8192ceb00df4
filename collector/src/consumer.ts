import { Backoff } from '@edgeward/shared/clock';
import type { Clock, Sink } from '@edgeward/shared/contracts';
import { isRetryable, messageOf } from '@edgeward/shared/errors';
import { failpoint } from '@edgeward/shared/failpoint';
import type { Logger } from '@edgeward/shared/log';
import { settled } from '@edgeward/shared/settled';
import type { Journal, Reading } from './journal/journal.js';
import { cursorAt, StoredRanges } from './stored-ranges.js';

export interface ConsumerOptions {
  readonly name: string;
  readonly sink: Sink;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Logger;
  /** What arrives within this time is written together. */
  readonly lingerMs: number;
  /** Told when it has stored more. */
  readonly onStored?: () => void;
}

const limits = { maxDeliveries: 1000, maxBytes: 8 * 1024 * 1024 };

/**
 * One follower of the journal: reads on from its cursor, writes, moves the cursor. It retries for ever, because
 * what it has not stored is still in the journal; nobody else waits for it, unless receipts do.
 */
export class Consumer {
  readonly name: string;
  readonly #options: ConsumerOptions;
  #stored = new StoredRanges();
  #position = 0;
  #inHand = 0;
  #ownCursor = false;
  #failure: string | null = null;
  #reading: Promise<unknown> = Promise.resolve();

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
    const { position, gone } = this.#options.journal;
    return position - this.#position - gone.countWithin(this.#position + 1, position);
  }

  /** Why its last write failed; null = all is well. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Must be called once before `run`. */
  async open(): Promise<void> {
    const { sink, journal, name } = this.#options;
    this.#ownCursor = sink.cursor !== undefined;
    if (this.#ownCursor) {
      const cursor = await sink.cursor?.();
      this.#stored = new StoredRanges(cursor?.received);
      // A foreign journal counts otherwise: start at its beginning and skip what is known by id.
      this.#position = cursor?.journal === journal.id ? cursor.position : 0;
    } else this.#position = journal.cursor(name) ?? 0; // it can only be this journal's
    this.#inHand = this.#position;
    await journal.skipTo(this.#position);
  }

  /** Ends on stop, after what the journal has by then, or at the deadline. */
  async run(stop: AbortSignal, deadline: AbortSignal): Promise<void> {
    const { journal, clock, lingerMs } = this.#options;
    for (;;) {
      await journal.wait(this.#position, stop);
      if (!stop.aborted) await clock.sleep(lingerMs, stop);
      const reading = await this.#try(() => this.#read(), 'journal', stop, deadline);
      if (!reading || (reading.through === this.#position && stop.aborted)) return;
      const stored = () => this.#write(reading, deadline).then(() => true);
      if (!(await this.#try(stored, 'sink', stop, deadline))) return;
    }
  }

  /**
   * Acts while it reads nothing: what it has in hand, which a crash would make it read again, is position…inHand;
   * what is behind that it has not seen.
   */
  between<T>(act: (position: number, inHand: number) => Promise<T>): Promise<T> {
    return this.#exclusively(() => act(this.#position, this.#inHand));
  }

  #read(): Promise<Reading> {
    return this.#exclusively(async () => {
      const reading = await this.#options.journal.read(this.#position, limits);
      this.#inHand = reading.through;
      return reading;
    });
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
    const { sink, journal, name, onStored } = this.#options;
    const fresh = deliveries.filter(delivery => !this.#stored.has(delivery));
    const step = this.#stored.with(fresh);
    if (fresh.length > 0) await sink.write(fresh, cursorAt(journal.id, through, step), deadline);
    failpoint('sink.after-write');
    // Of this very journal the position says all; ranges are for cursors that outlive it.
    if (!this.#ownCursor && fresh.length > 0) await journal.setCursor(name, through);
    this.#stored.take(step, key => journal.isOver(key));
    this.#position = through;
    onStored?.();
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#reading.then(work);
    this.#reading = settled(done);
    return done;
  }
}
