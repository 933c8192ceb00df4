import type { Clock, Cursor, Delivery, Note, ReadLimits, Refusal, Sink } from '@edgeward/shared/contracts';
import { hasCode, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import type { Journal, Reading } from './journal/journal.js';
import { sumOfRows } from './journal/kept-delivery.js';
import type { NoteFeed } from './notes/feed.js';
import { missedNotes } from './runtime/missed-notes.js';
import { NoteReader } from './runtime/note-reader.js';
import { behind, headOf, Parcel, type Part, sizeOf } from './runtime/parcel.js';
import { Reader } from './runtime/reader.js';
import { Tally } from './runtime/tally.js';
import { Tries } from './runtime/tries.js';
import type { ConsumerState, ConsumerView, Replayed } from './runtime/view.js';
import { woken } from './runtime/woken.js';
import { Writer } from './runtime/writer.js';
import { cursorAt, type Step, StoredRanges } from './stored-ranges.js';

export interface ConsumerOptions {
  readonly name: string;
  readonly sink: Sink;
  readonly journal: Journal;
  /** What a sink that takes notes follows beside the journal. */
  readonly feeds?: readonly NoteFeed[];
  readonly clock: Clock;
  readonly log: Logger;
  /** What arrives within this time is written together. */
  readonly lingerMs: number;
  /** What a write may take before it counts as failed; a minute unless told. */
  readonly writeTimeoutMs?: number;
  /** Told when it has stored more. */
  readonly onStored?: () => void;
}

/** What is read for one write. */
interface Batch extends Reading {
  readonly notes: readonly Note[];
}

const defaultLimits: ReadLimits = { maxDeliveries: 1000, maxBytes: 8 * 1024 * 1024 };
const maxNotes = 500;
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
  readonly #notes: NoteReader;
  readonly #writer: Writer;
  readonly #tries: Tries;
  readonly #tally = new Tally();
  #stored = new StoredRanges();
  #position = 0;
  #parcel: Parcel | undefined;
  #ownCursor = false;
  /** Refused alone and kept, while its sink's cursor has yet to move. */
  #refused: Delivery | Note | undefined;
  #state: 'opening' | 'open' | 'stopped' = 'opening';
  /** Ends a wait for what comes next. */
  #wakeIdle = () => {};

  constructor(options: ConsumerOptions) {
    const { name, journal, sink, clock, log, feeds = [] } = options;
    const { writeTimeoutMs: timeoutMs = defaultTimeoutMs } = options;
    this.name = name;
    this.#options = options;
    this.#reader = new Reader({ journal, limits: sink.limits ?? defaultLimits });
    this.#notes = new NoteReader(sink.takesNotes ? feeds : [], missedNotes(options, this.#tally));
    const tally = this.#tally;
    this.#tries = new Tries({ clock, log, tally });
    const onLate = (error: unknown) => this.#tries.late(error);
    const letters = journal.sinkLetters;
    this.#writer = new Writer({ name, sink, letters, timeoutMs, tally, clock, onLate });
  }

  /** The last position it has stored. */
  get position(): number {
    return this.#position;
  }

  /** Numbers of the last notes it has stored, by `feed/store`; undefined = it has never stored any. */
  get notes(): Cursor['notes'] {
    return this.#notes.with([]);
  }

  /** Deliveries it has yet to store. */
  get lag(): number {
    const { position, gone } = this.#options.journal;
    return position - this.#position - gone.countWithin(this.#position + 1, position);
  }

  /** Why its last write failed; null = all is well. */
  get failure(): string | null {
    return this.#tries.trouble.failure?.text ?? null;
  }

  get state(): ConsumerState {
    if (this.#state !== 'open') return this.#state;
    return this.#tries.isPaused ? 'paused' : this.#tries.trouble.state;
  }

  /**
   * Must be called once before `run`.
   * @param notesSinceMs  older notes are not for a sink that has had none yet
   */
  async open(notesSinceMs?: number): Promise<void> {
    const { sink, journal, name } = this.#options;
    this.#ownCursor = sink.cursor !== undefined;
    const cursor = await sink.cursor?.();
    if (this.#ownCursor) {
      this.#stored = new StoredRanges(cursor?.received);
      // A foreign journal counts otherwise: start at its beginning and skip what is known by id.
      this.#position = cursor?.journal === journal.id ? cursor.position : 0;
    } else this.#position = journal.cursor(name) ?? 0; // it can only be this journal's
    const notes = this.#ownCursor ? cursor?.notes : journal.noteCursor(name);
    await this.#notes.begin(notes ? { notes } : {}, notesSinceMs);
    this.#reader.begin(this.#position);
    await journal.skipTo(this.#position);
    this.#state = 'open';
  }

  /** Ends on stop, after what the journal has by then, or at the deadline; at once if it is paused. */
  async run(stop: AbortSignal, deadline: AbortSignal): Promise<void> {
    this.#writer.until(deadline);
    const deaf = this.#notes.onMore(() => this.#wakeIdle());
    try {
      await this.#follow(stop, deadline);
    } finally {
      deaf();
      this.#state = 'stopped';
    }
  }

  async #follow(stop: AbortSignal, deadline: AbortSignal): Promise<void> {
    while (await this.#tries.mayGoOn(stop)) {
      if (!this.#reader.isAhead) await this.#untilMore(stop);
      if (this.#tries.isPaused) continue;
      const batch = await this.#tries.until(() => this.#read(), 'journal', stop, deadline);
      if (!batch || (stop.aborted && batch.through === this.#position && batch.notes.length === 0)) break;
      if (!(await this.#storeAll(batch, stop, deadline))) break;
    }
  }

  /** A write that is under way ends; then nothing more is tried until `resume`. */
  pause(): void {
    this.#tries.pause();
    this.#wakeIdle();
  }

  resume(): void {
    this.#tries.resume();
  }

  /**
   * Tries dead letters of its sink again, one after the other, between two writes. Each goes once the sink has it;
   * what is refused again stays, with the reason of now. After a failure of the sink the others are not tried.
   */
  async replay(ids: readonly string[]): Promise<Replayed[]> {
    const why =
      this.#state === 'open'
        ? this.#tries.isPaused && 'The sink is paused: resume it first.'
        : `The sink is ${this.#state}: try again once it runs.`;
    if (why) return ids.map(id => ({ id, stored: false, reason: why }));
    return this.#writer.replay(ids, () => this.#cursorAfter(this.#position, this.#stored.with([]), []));
  }

  /**
   * Acts while it reads nothing: what it has in hand, which a crash would make it read again, is position…inHand;
   * what is behind that it has not seen.
   */
  between<T>(act: (position: number, inHand: number) => Promise<T>): Promise<T> {
    return this.#reader.between(inHand => act(this.#position, inHand));
  }

  /** Number of the last note of a feed that it has stored. */
  passedOf(feed: NoteFeed): number {
    return this.#notes.passedOf(feed);
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
        notes: this.#notes.behind,
      },
      failure: this.#tries.trouble.failure,
      letters,
      refusedRows: journal.sinkLetters.kept().get(name) ?? 0,
      readers: this.#options.sink.readers?.() ?? [],
      ...this.#tally.view(),
    };
  }

  /** What comes next waits a little for more, unless there is enough. */
  async #untilMore(stop: AbortSignal): Promise<void> {
    const { journal, clock, lingerMs } = this.#options;
    if (this.#reader.isFarBehind) return;
    if (this.#notes.behind === 0)
      await woken(
        signal => journal.wait(this.#position, signal),
        stop,
        wake => {
          this.#wakeIdle = wake;
        },
      );
    if (!stop.aborted && !this.#tries.isPaused && !this.#reader.isFarBehind)
      await clock.sleep(lingerMs, stop);
  }

  async #read(): Promise<Batch> {
    // Notes first: a reading that was taken is not given again, and if they fail this is tried anew.
    const notes = this.#notes.behind > 0 ? await this.#notes.read(maxNotes) : [];
    return { ...(await this.#reader.take()), notes };
  }

  /** @returns false: it is to end */
  async #storeAll(batch: Batch, stop: AbortSignal, deadline: AbortSignal): Promise<boolean> {
    const fresh = batch.deliveries.filter(delivery => !this.#stored.has(delivery));
    const parcel = new Parcel(fresh, batch.notes);
    this.#parcel = parcel;
    if (parcel.size === 0) this.#pass(this.#stored.with([]), batch.through);
    while (parcel.size > 0) {
      this.#reader.lookAhead();
      const store = () => this.#store(parcel.next(this.#tries.trouble.isOpen ? 1 : undefined), batch.through);
      const tried = await this.#tries.until(store, 'sink', stop, deadline);
      if (!tried) return false;
      if (tried.isRefused) parcel.refused(tried.part);
      else parcel.done(tried.part);
    }
    this.#parcel = undefined;
    this.#refused = undefined;
    return true;
  }

  /** `isRefused`: something in it is, and has to be found. */
  #store(part: Part, through: number): Promise<{ part: Part; isRefused: boolean }> {
    return this.#writer.alone(async () => {
      const { journal, name } = this.#options;
      const last = part.isLast ? through : (part.deliveries.at(-1)?.position ?? this.#position);
      const step = this.#stored.with(part.deliveries);
      const after = this.#cursorAfter(last, step, part.notes);
      try {
        await this.#writer.write(behind(part, this.#refused), after);
      } catch (error) {
        if (!hasCode(error, 'EW_SINK_REFUSED')) throw error;
        if (sizeOf(part) > 1) return { part, isRefused: true };
        await journal.sinkLetters.keep(name, refusalsOf(part, messageOf(error)));
        // Else a start after its replay would have it written, and stored, once more.
        if (this.#ownCursor) {
          this.#refused = headOf(part);
          await this.#writer.write(nothing, after);
        }
      }
      // Of this very journal the position says all; ranges are for cursors that outlive it.
      if (!this.#ownCursor) await journal.setCursor(name, last, true, this.#notes.with(part.notes));
      this.#notes.take(part.notes);
      this.#pass(step, last);
      return { part, isRefused: false };
    });
  }

  #cursorAfter(position: number, step: Step, notes: readonly Note[]): Cursor {
    return cursorAt(this.#options.journal.id, position, step, this.#notes.with(notes));
  }

  #pass(step: Step, position: number): void {
    const { journal, onStored } = this.#options;
    this.#stored.take(step, key => journal.isOver(key));
    this.#position = position;
    onStored?.();
  }
}

/** Only the cursor moves. */
const nothing: Part = { deliveries: [], notes: [], isLast: false };

function refusalsOf({ deliveries, notes }: Part, reason: string): Refusal[] {
  return [...deliveries.map(delivery => ({ delivery, reason })), ...notes.map(note => ({ note, reason }))];
}
