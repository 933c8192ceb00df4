/**
 * One configured sink and its consumer, from the moment it is named in the configuration. It opens in the background,
 * however long its server is down; until then it stands where the journal last knew it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Sink } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { settled } from '@edgeward/shared/settled';
import { Consumer } from './consumer.js';
import type { Journal } from './journal/journal.js';
import type { NoteFeed } from './notes/feed.js';
import type { Follower } from './retention.js';
import { keyOf } from './runtime/note-reader.js';
import { Trouble } from './runtime/trouble.js';
import type { ConsumerState, ConsumerView } from './runtime/view.js';
import { SinkJoin } from './sink-join.js';
import type { SinkConfig } from './sinks/index.js';

export interface MemberOptions {
  readonly config: SinkConfig;
  readonly sink: Sink;
  readonly journal: Journal;
  /** Resolves once whatever the journal is giving up is gone. */
  readonly untilTrimmed: () => Promise<void>;
  /** What a sink that takes notes follows beside the journal. */
  readonly feeds: readonly NoteFeed[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly lingerMs: number;
  /** It has stored more. */
  readonly onStored: () => void;
}

/** For a write in hand, once it is to leave. */
const finishMs = 10_000;
/** For a sink that does not close. */
const closeMs = 5000;

export class SinkMember implements Follower {
  readonly config: SinkConfig;
  readonly #options: MemberOptions;
  readonly #join: SinkJoin;
  readonly #consumer: Consumer;
  /** It alone knows how far it has come; the journal has no more than a copy. */
  readonly keepsCursor: boolean;
  readonly #leaving = new AbortController();
  readonly #cutOff = new AbortController();
  /** With opening it. */
  readonly #trouble: Trouble;
  #isOpen = false;
  #isClosed = false;
  /** What is done while it does not read. */
  #acting: Promise<void> | undefined;
  #copying: Promise<void> = Promise.resolve();
  #opening: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(options: MemberOptions) {
    const { config, sink, journal, untilTrimmed, feeds, clock, log, lingerMs, onStored } = options;
    const { name, type, startAt, writeTimeoutMs } = config;
    this.config = config;
    this.#options = options;
    this.keepsCursor = sink.cursor !== undefined;
    this.#join = new SinkJoin({ name, type, startAt, sink, journal, untilTrimmed, clock, log });
    const follower = { name, sink, journal, feeds, clock, log, lingerMs, writeTimeoutMs, onStored };
    this.#consumer = new Consumer(follower);
    this.#trouble = new Trouble(clock);
  }

  get name(): string {
    return this.config.name;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The last position that it has stored. 0 = none, or nobody knows yet. */
  get position(): number {
    if (this.#isOpen) return this.#consumer.position;
    const { journal } = this.#options;
    const { name, type } = this.config;
    // What is kept may be that of another sink, which had this name before.
    const isOthers = (journal.sinkBook.get(name)?.type ?? type) !== type;
    return this.#join.isSearching || isOthers ? 0 : (journal.cursor(name) ?? 0);
  }

  /** Deliveries it has yet to store. */
  get lag(): number {
    const { position, gone } = this.#options.journal;
    const own = this.position;
    return Math.max(0, position - own - gone.countWithin(own + 1, position));
  }

  get failure(): string | null {
    return this.#isOpen ? this.#consumer.failure : (this.#trouble.failure?.text ?? null);
  }

  get state(): ConsumerState {
    if (this.#isOpen) return this.#consumer.state;
    return this.isPaused ? 'paused' : 'opening';
  }

  get isPaused(): boolean {
    return this.#options.journal.sinkBook.get(this.name)?.paused ?? false;
  }

  view(): ConsumerView {
    const view = this.#consumer.view();
    if (this.#isOpen) return view;
    const { journal, clock } = this.#options;
    const { state, position, lag } = this;
    const sinceMs = lag > 0 ? journal.arrivals.after(position) : undefined;
    return {
      ...view,
      state,
      position,
      lag: {
        blocks: lag,
        rows: Math.round(lag * journal.arrivals.rowsPerBlock),
        seconds: sinceMs === undefined ? 0 : Math.max(0, clock.now() - sinceMs) / 1000,
        notes: view.lag.notes,
      },
      failure: this.#trouble.failure,
    };
  }

  /** Nothing more is written, also after a restart, until it is resumed. */
  async pause(): Promise<void> {
    await this.#setPaused(true);
    this.#consumer.pause();
  }

  async resume(): Promise<void> {
    await this.#setPaused(false);
    this.#consumer.resume();
  }

  /** Tries dead letters again. */
  replay(ids: readonly string[]): ReturnType<Consumer['replay']> {
    return this.#consumer.replay(ids);
  }

  async between<T>(act: (position: number, inHand: number) => Promise<T>): Promise<T> {
    while (this.#join.looking) await this.#join.looking;
    if (this.#isOpen) return this.#consumer.between(act);
    // It waits for what goes now, and will find it missing.
    const position = this.#join.isSearching ? Number.POSITIVE_INFINITY : this.position;
    const acting = act(position, position);
    this.#acting = settled(acting);
    return acting;
  }

  /** Its place in the journal is kept, whether its server is there or not. */
  async place(): Promise<void> {
    await this.#join.place();
  }

  /** Tries until it is open; resolves then, or once it is to end. The same for everybody who asks. */
  open(stop: AbortSignal): Promise<void> {
    this.#opening ??= this.#open(AbortSignal.any([stop, this.#leaving.signal]));
    return this.#opening;
  }

  /** Ends on stop, after what the journal has by then, or at the deadline, or once it leaves. */
  run(stop: AbortSignal, deadline: AbortSignal): Promise<void> {
    this.#running ??= this.#run(
      AbortSignal.any([stop, this.#leaving.signal]),
      AbortSignal.any([deadline, this.#cutOff.signal]),
    );
    return this.#running;
  }

  /** It takes nothing more; resolves once what it has in hand is stored, or is given up, and it has closed. */
  async leave(): Promise<void> {
    this.#consumer.pause();
    this.#leaving.abort();
    await this.#atMost(finishMs, this.#running && settled(this.#running));
    this.#cutOff.abort();
    await this.close();
  }

  /** For those that have it in a store of their own. */
  keepCopy(): Promise<void> {
    const done = this.#copying.then(() => this.#keepCopy());
    this.#copying = settled(done);
    return done;
  }

  async #keepCopy(): Promise<void> {
    const { journal } = this.#options;
    const { name, position } = this;
    const { notes } = this.#consumer;
    if (!this.#isOpen || !this.keepsCursor || this.#isClosed) return;
    if (journal.cursor(name) === position && isDeepStrictEqual(journal.noteCursor(name), notes)) return;
    await journal.setCursor(name, position, false, notes);
  }

  /** Number of the last note of a feed that it has stored; undefined = it takes none. */
  passedOf(feed: NoteFeed): number | undefined {
    const { sink, journal } = this.#options;
    if (!sink.takesNotes) return undefined;
    return this.#isOpen ? this.#consumer.passedOf(feed) : (journal.noteCursor(this.name)?.[keyOf(feed)] ?? 0);
  }

  /** After `run`. */
  async close(): Promise<void> {
    const { sink, log } = this.#options;
    const close = async () => sink[Symbol.asyncDispose]();
    const closed = close().catch((error: unknown) =>
      log.warn({ error: messageOf(error) }, 'sink did not close'),
    );
    await this.#atMost(closeMs, closed);
    await this.keepCopy().catch(() => undefined);
    // Its name may be another's soon.
    this.#join.leave();
    this.#isClosed = true;
  }

  async #run(stop: AbortSignal, deadline: AbortSignal): Promise<void> {
    await Promise.race([this.open(stop), aborted(stop)]);
    if (this.#isOpen) await this.#consumer.run(stop, deadline);
  }

  async #open(stop: AbortSignal): Promise<void> {
    const { clock, log, onStored } = this.#options;
    while (!stop.aborted) {
      try {
        const { start } = await this.#join.place();
        if (this.isPaused) this.#consumer.pause();
        await this.#consumer.open(start && start.asked !== 'beginning' ? notesSince(start) : undefined);
        if (this.#trouble.failure !== null) log.info('sink is open now');
        this.#trouble.over();
        await this.#acting; // it has not read anything yet
        this.#isOpen = true;
        return onStored();
      } catch (error) {
        if (stop.aborted) return;
        if (this.#trouble.failure === null)
          log.warn({ error: messageOf(error) }, 'sink cannot open; trying again');
        await clock.sleep(this.#trouble.failed(error), stop);
        this.#trouble.trying();
      }
    }
  }

  async #setPaused(paused: boolean): Promise<void> {
    await this.#join.place();
    await this.#options.journal.sinkBook.change(this.name, record => ({ ...record, paused }));
  }

  async #atMost(ms: number, work: Promise<unknown> | undefined): Promise<void> {
    const enough = new AbortController();
    await Promise.race([work, this.#options.clock.sleep(ms, enough.signal)]);
    enough.abort();
  }
}

/** A time that is still to come is now. */
function notesSince({ asked, atMs }: { asked: string; atMs: number }): number {
  return asked === 'now' ? atMs : Math.min(Date.parse(asked), atMs);
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
