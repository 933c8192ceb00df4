/**
 * How a sink comes to its place in the journal: it goes on where its own store or the journal says it stood, or, the
 * first time, begins where it was told to. That place is kept and never moves again.
 *
 * Invariant
 * - What the sink will never get is found out while the journal gives nothing up. Whatever goes before that is found
 *   missing, and whatever goes later goes at the sink's cost, counted: nothing falls between.
 */
import type { Clock, Cursor, Sink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { settled } from '@edgeward/shared/settled';
import type { Journal } from './journal/journal.js';
import { type Beside, bothOf, type SinkRecord } from './journal/sink-book.js';
import { forgetPlace } from './sink-leave.js';
import { findStart, missedBehind, notBehind } from './sink-start.js';

export interface JoinOptions {
  readonly name: string;
  readonly type: string;
  /** `beginning`, `now`, or an ISO time. */
  readonly startAt: string;
  readonly sink: Sink;
  readonly journal: Journal;
  /** Resolves once whatever the journal is giving up is gone. */
  readonly untilTrimmed: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export class SinkJoin {
  readonly #options: JoinOptions;
  readonly #asked: Sink['cursor'];
  #hasLeft = false;
  #searches = 0;
  #looking: Promise<void> | undefined;
  #placing: Promise<SinkRecord> | undefined;

  /** Where the sink's own store knows of no cursor, `sink.cursor` tells the place that is kept for it from now on. */
  constructor(options: JoinOptions) {
    this.#options = options;
    const { sink } = options;
    this.#asked = sink.cursor?.bind(sink);
    if (this.#asked) sink.cursor = () => this.#cursor();
  }

  /** Its place is not known yet, or is about to move: all that the journal has may be for it. */
  get isSearching(): boolean {
    return this.#searches > 0;
  }

  /** Ends when it has looked at what the journal has; undefined = it does not. Until then nothing must go. */
  get looking(): Promise<void> | undefined {
    return this.#looking;
  }

  /** Its place is kept once this resolves, whether its server is there or not. */
  async place(): Promise<SinkRecord> {
    const { name, type, journal } = this.#options;
    const known = journal.sinkBook.get(name);
    if (known?.type === type) return known;
    this.#assertHere();
    this.#placing ??= this.#search(() => this.#place()).finally(() => {
      this.#placing = undefined;
    });
    return this.#placing;
  }

  /** What its server answers from now on must not change the place of another sink, which has its name. */
  leave(): void {
    this.#hasLeft = true;
  }

  #assertHere(): void {
    if (this.#hasLeft) throw new EdgewardError('EW_STOPPED', 'The sink has left.');
  }

  async #place(): Promise<SinkRecord> {
    const { name, type, startAt, journal, clock } = this.#options;
    // Of another type, it is another sink, which could not be forgotten when it left.
    if (journal.sinkBook.get(name)) await forgetPlace(journal, name);
    // It has followed this journal since before such records were kept.
    const isFollowing = !this.#asked && journal.cursor(name) !== undefined;
    if (isFollowing) return this.#keep({ type, paused: false, joined: true }, {});
    const { start, skipped } = await findStart(journal, startAt, clock.now());
    const record = { type, paused: false, joined: !this.#asked, start };
    return this.#keep(record, { position: start.position, skipped, forgetsFormer: !this.#asked });
  }

  async #cursor(): Promise<Cursor> {
    const { name, journal } = this.#options;
    const cursor = await this.#asked?.();
    this.#assertHere();
    const record = await this.place();
    if (cursor) {
      if (!record.joined) await this.#search(() => this.#goOn(cursor));
      return cursor;
    }
    if (this.#isEmptied(record)) await this.#search(() => this.#beginAgain(record));
    else if (!record.joined) {
      const joined = (one: SinkRecord) => ({ ...one, joined: true });
      await journal.sinkBook.change(name, joined, { forgetsFormer: true });
    }
    const position = journal.sinkBook.get(name)?.start?.position ?? 0;
    return { journal: journal.id, position, received: {} };
  }

  async #search<Found>(look: () => Promise<Found>): Promise<Found> {
    this.#searches += 1;
    try {
      await this.#options.untilTrimmed();
      const looking = look();
      this.#looking = settled(looking);
      return await looking;
    } finally {
      this.#searches -= 1;
      this.#looking = undefined;
    }
  }

  /** Its store knows it, and this journal did not: it was away, or followed another one. */
  async #goOn(cursor: Cursor): Promise<void> {
    const { name, journal } = this.#options;
    const position = cursor.journal === journal.id ? cursor.position : 0;
    const missed = await missedBehind(journal, position);
    const skipped = bothOf(journal.sinkBook.former(name), missed);
    const goingOn = ({ type, paused }: SinkRecord) => ({ type, paused, joined: true });
    await journal.sinkBook.change(name, goingOn, { position, skipped, forgetsFormer: true });
    if (Object.keys(missed).length > 0)
      await this.#tell(
        `Sink ${name} goes on from its own store, at position ${position}: of what came since, the journal no longer has all.`,
      );
  }

  /** It had stored something of what the journal has or had, and its own store says that there is nothing. */
  #isEmptied({ joined, start }: SinkRecord): boolean {
    const { name, journal } = this.#options;
    const [from, through] = [start?.position ?? 0, journal.cursor(name) ?? 0];
    return joined && journal.gone.countWithin(from + 1, through) < through - from;
  }

  async #beginAgain(record: SinkRecord): Promise<void> {
    const { name, journal, clock } = this.#options;
    const position = record.start?.position ?? 0;
    const had = journal.cursor(name);
    const start = { position, asked: record.start?.asked ?? 'beginning', atMs: clock.now() };
    const skipped = await notBehind(journal, position);
    await journal.sinkBook.change(name, one => ({ ...one, start }), { position, skipped, isEmptied: true });
    await this.#tell(
      `The store of sink ${name} is empty, and it had come to position ${had}: it begins again with what the journal still has.`,
    );
  }

  async #keep(record: SinkRecord, beside: Beside): Promise<SinkRecord> {
    const { name, journal } = this.#options;
    await journal.sinkBook.set(name, record, beside);
    return record;
  }

  async #tell(text: string): Promise<void> {
    const { name, journal, log } = this.#options;
    log.warn(text);
    await journal.tell('journal', text, { sink: name });
  }
}
