import type { Clock, Cursor, ReadLimits, Refusal, Sink } from '@edgeward/shared/contracts';
import { type EdgewardError, hasCode, isRetryable, messageOf } from '@edgeward/shared/errors';
import { failpoint } from '@edgeward/shared/failpoint';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { settled } from '@edgeward/shared/settled';
import type { Journal, Reading } from './journal/journal.js';
import { sumOfRows } from './journal/kept-delivery.js';
import type { LetterContent } from './journal/sink-letters.js';
import { attempt } from './runtime/attempt.js';
import { Parcel, type Part, sizeOf } from './runtime/parcel.js';
import { Reader } from './runtime/reader.js';
import { Tally } from './runtime/tally.js';
import { Trouble } from './runtime/trouble.js';
import type { ConsumerState, ConsumerView, Replayed } from './runtime/view.js';
import { cursorAt, type Step, StoredRanges } from './stored-ranges.js';

export interface ConsumerOptions {
  readonly name: string;
  readonly sink: Sink;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Logger;
  /** What arrives within this time is written together. */
  readonly lingerMs: number;
  /** What a write may take before it counts as failed; a minute unless told. */
  readonly writeTimeoutMs?: number;
  /** Told when it has stored more. */
  readonly onStored?: () => void;
}

const defaultLimits: ReadLimits = { maxDeliveries: 1000, maxBytes: 8 * 1024 * 1024 };
const defaultTimeoutMs = 60_000;

/**
 * One follower of the journal: reads on from its cursor, writes, moves the cursor. It retries for ever, because
 * what it has not stored is still in the journal; nobody else waits for it, unless receipts do. What the sink says can
 * never be stored goes to the dead letters, alone.
 *
 * Invariants
 * - Writes and replays of one sink never overlap, even when one takes longer than it may.
 * - The position moves only behind what the sink has stored or the dead letters have.
 */
export class Consumer {
  readonly name: string;
  readonly #options: ConsumerOptions;
  readonly #reader: Reader;
  readonly #trouble: Trouble;
  readonly #tally = new Tally();
  readonly #changed = new Gate();
  #stored = new StoredRanges();
  #position = 0;
  #parcel: Parcel | undefined;
  #ownCursor = false;
  #state: 'opening' | 'open' | 'stopped' = 'opening';
  #isPaused = false;
  #waking = new AbortController();
  #writing: Promise<unknown> = Promise.resolve();
  #deadline = new AbortController().signal;

  constructor(options: ConsumerOptions) {
    const { name, journal, sink, clock } = options;
    this.name = name;
    this.#options = options;
    this.#reader = new Reader({ journal, limits: sink.limits ?? defaultLimits });
    this.#trouble = new Trouble(clock);
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
    return this.#trouble.failure?.text ?? null;
  }

  get state(): ConsumerState {
    if (this.#state !== 'open') return this.#state;
    return this.#isPaused ? 'paused' : this.#trouble.state;
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
    this.#reader.begin(this.#position);
    await journal.skipTo(this.#position);
    this.#state = 'open';
  }

  /** Ends on stop, after what the journal has by then, or at the deadline; at once if it is paused. */
  async run(stop: AbortSignal, deadline: AbortSignal): Promise<void> {
    this.#deadline = deadline;
    while (await this.#mayGoOn(stop)) {
      if (!this.#reader.isAhead) await this.#untilMore(stop);
      if (this.#isPaused) continue;
      const reading = await this.#read(stop);
      if (!reading || (reading.through === this.#position && stop.aborted)) break;
      if (!(await this.#storeAll(reading, stop))) break;
    }
    this.#state = 'stopped';
  }

  /** A write that is under way ends; then nothing more is tried until `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#wake();
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
  }

  /**
   * Tries dead letters of its sink again, one after the other, between two writes. Each goes once the sink has it;
   * what is refused again stays, with the reason of now. After a failure of the sink the others are not tried.
   */
  async replay(ids: readonly string[]): Promise<Replayed[]> {
    const results: Replayed[] = [];
    let failure: string | undefined;
    for (const id of ids) {
      if (failure !== undefined) {
        results.push({ id, stored: false, reason: `It was not tried, after this: ${failure}` });
        continue;
      }
      const { reason, goesOn } = await this.#replayOne(id);
      results.push({ id, stored: reason === null, reason });
      if (!goesOn) failure = reason ?? '';
    }
    return results;
  }

  /**
   * Acts while it reads nothing: what it has in hand, which a crash would make it read again, is position…inHand;
   * what is behind that it has not seen.
   */
  between<T>(act: (position: number, inHand: number) => Promise<T>): Promise<T> {
    return this.#reader.between(inHand => act(this.#position, inHand));
  }

  view(): ConsumerView {
    const { journal, clock } = this.#options;
    const { name, state, position, lag } = this;
    const inHand = this.#parcel?.deliveries ?? [];
    const sinceMs = inHand[0]?.ingestedMs ?? (lag > 0 ? journal.arrivals.after(position) : undefined);
    const letters = journal.sinkLetters.counts().get(name) ?? { letters: 0, rows: 0 };
    return {
      name,
      state,
      position,
      lag: {
        blocks: lag,
        rows: sumOfRows(inHand) + Math.round((lag - inHand.length) * journal.arrivals.rowsPerBlock),
        seconds: sinceMs === undefined ? 0 : Math.max(0, clock.now() - sinceMs) / 1000,
      },
      failure: this.#trouble.failure,
      letters,
      refusedRows: journal.sinkLetters.kept().get(name) ?? 0,
      ...this.#tally.view(),
    };
  }

  /** @returns false: it is to end */
  async #mayGoOn(stop: AbortSignal): Promise<boolean> {
    while (this.#isPaused && !stop.aborted) await this.#changed.wait(stop);
    return !this.#isPaused;
  }

  /** What comes next waits a little for more, unless there is enough. */
  async #untilMore(stop: AbortSignal): Promise<void> {
    const { journal, clock, lingerMs } = this.#options;
    if (this.#reader.isFarBehind) return;
    await journal.wait(this.#position, stop);
    if (!stop.aborted && !this.#reader.isFarBehind) await clock.sleep(lingerMs, stop);
  }

  async #read(stop: AbortSignal): Promise<Reading | undefined> {
    for (;;) {
      try {
        const reading = await this.#reader.take();
        this.#worked('journal');
        return reading;
      } catch (error) {
        if (!(await this.#rest(error, 'journal', stop))) return undefined;
      }
    }
  }

  /** @returns false: it is to end */
  async #storeAll({ deliveries, through }: Reading, stop: AbortSignal): Promise<boolean> {
    const parcel = new Parcel(
      deliveries.filter(delivery => !this.#stored.has(delivery)),
      [],
    );
    this.#parcel = parcel;
    if (parcel.size === 0) this.#pass(this.#stored.with([]), through);
    while (parcel.size > 0) {
      if (!(await this.#mayGoOn(stop))) return false;
      this.#reader.lookAhead();
      const part = parcel.next(this.#trouble.isOpen ? 1 : undefined);
      try {
        if (await this.#store(part, through)) parcel.done(part);
        else parcel.refused(part);
        this.#worked('sink');
      } catch (error) {
        if (!(await this.#rest(error, 'sink', stop))) return false;
      }
    }
    this.#parcel = undefined;
    return true;
  }

  /** @returns false: something in it is refused, and has to be found */
  #store(part: Part, through: number): Promise<boolean> {
    return this.#alone(async () => {
      const { journal, name } = this.#options;
      const last = part.isLast ? through : (part.deliveries.at(-1)?.position ?? this.#position);
      const step = this.#stored.with(part.deliveries);
      try {
        await this.#write(part, cursorAt(journal.id, last, step));
      } catch (error) {
        if (!hasCode(error, 'EW_SINK_REFUSED')) throw error;
        if (sizeOf(part) > 1) return false;
        await journal.sinkLetters.keep(name, refusalsOf(part, messageOf(error)));
      }
      // Of this very journal the position says all; ranges are for cursors that outlive it.
      if (!this.#ownCursor) await journal.setCursor(name, last);
      this.#pass(step, last);
      return true;
    });
  }

  async #write({ deliveries, notes }: Part, after: Cursor): Promise<void> {
    const { sink, clock } = this.#options;
    const startedMs = clock.monotonic();
    await this.#attempt(signal => sink.write(deliveries, after, signal, notes));
    failpoint('sink.after-write');
    this.#tally.stored(deliveries, notes.length, clock.monotonic() - startedMs);
  }

  #attempt(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { writeTimeoutMs: timeoutMs = defaultTimeoutMs } = this.#options;
    const onLate = (error: EdgewardError) => {
      this.#log(error, 'sink');
      this.#trouble.note(error);
    };
    return attempt(work, { timeoutMs, deadline: this.#deadline, onLate });
  }

  #pass(step: Step, position: number): void {
    const { journal, onStored } = this.#options;
    this.#stored.take(step, key => journal.isOver(key));
    this.#position = position;
    onStored?.();
  }

  /** Until it is to be tried again. @returns false: it is to end */
  async #rest(error: unknown, what: 'journal' | 'sink', stop: AbortSignal): Promise<boolean> {
    this.#log(error, what);
    this.#tally.failed(error);
    const waitMs = this.#trouble.failed(error);
    if (stop.aborted || this.#deadline.aborted) return false;
    this.#waking = new AbortController();
    await this.#options.clock.sleep(waitMs, AbortSignal.any([stop, this.#waking.signal]));
    this.#trouble.trying();
    return true;
  }

  #wake(): void {
    this.#changed.open();
    this.#waking.abort();
  }

  #log(error: unknown, what: string): void {
    if (this.#trouble.failure !== null) return;
    const level = isRetryable(error) ? 'warn' : 'error';
    this.#options.log[level]({ error: messageOf(error) }, `${what} failed; trying again`);
  }

  #worked(what: string): void {
    if (this.#trouble.failure !== null) this.#options.log.info(`${what} works again`);
    this.#trouble.over();
  }

  async #replayOne(id: string): Promise<{ reason: string | null; goesOn: boolean }> {
    const { sinkLetters } = this.#options.journal;
    const why = this.#whyNoReplay(id);
    if (why !== undefined) return { reason: why, goesOn: true };
    try {
      const isStored = await this.#alone(() =>
        sinkLetters.replay(id, (content, letter) => this.#handOver(letter, content)),
      );
      return { reason: isStored ? null : (sinkLetters.get(id)?.reason ?? noLetter), goesOn: true };
    } catch (error) {
      if (!hasCode(error, 'EW_SINK_REFUSED')) return { reason: messageOf(error), goesOn: false };
      await sinkLetters.renew(id, messageOf(error)).catch(() => undefined);
      return { reason: messageOf(error), goesOn: true };
    }
  }

  #whyNoReplay(id: string): string | undefined {
    const { sink, journal } = this.#options;
    if (journal.sinkLetters.get(id)?.sink !== this.name) return noLetter;
    if (sink.cursor && !sink.replay) return 'This kind of sink cannot take again what it has passed.';
    if (this.#state !== 'open') return `The sink is ${this.#state}: try again once it runs.`;
    return this.#isPaused ? 'The sink is paused: resume it first.' : undefined;
  }

  async #handOver(letter: string, { deliveries, notes }: LetterContent): Promise<void> {
    const { sink, journal } = this.#options;
    await this.#attempt(signal => {
      if (sink.replay) return sink.replay(letter, deliveries, notes, signal);
      const here = cursorAt(journal.id, this.#position, this.#stored.with([]));
      return sink.write(deliveries, here, signal, notes);
    });
    failpoint('sink.after-replay');
  }

  /** Nothing of the sink's runs beside it. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(work);
    this.#writing = settled(done);
    return done;
  }
}

const noLetter = 'There is no such dead letter of this sink.';

function refusalsOf({ deliveries, notes }: Part, reason: string): Refusal[] {
  return [...deliveries.map(delivery => ({ delivery, reason })), ...notes.map(note => ({ note, reason }))];
}
