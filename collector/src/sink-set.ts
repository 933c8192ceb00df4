/**
 * The configured sinks, each with its consumer. Whoever needs to know all of them asks here, every time: they come
 * and go while the collector runs.
 */
import type { Clock, Sink } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { settled } from '@edgeward/shared/settled';
import type { Journal } from './journal/journal.js';
import type { NoteFeed } from './notes/feed.js';
import { noChanges, planChanges, type SinkChanges, type SinkOptions } from './sink-changes.js';
import { forgetPlace, forgetSink, tellStart } from './sink-leave.js';
import { aborted, SinkMember } from './sink-member.js';
import type { SinkConfig } from './sinks/index.js';

export interface SinkSetOptions extends SinkOptions {
  readonly journal: Journal;
  /** Resolves once whatever the journal is giving up is gone; what it gives up later, it asks `followers` for. */
  readonly untilTrimmed: () => Promise<void>;
  /** What sinks that take notes follow beside the journal. */
  readonly feeds?: readonly NoteFeed[];
  /** Does no I/O. @param log  of the sink and of what runs it */
  readonly create: (config: SinkConfig, log: Logger) => Sink;
  /** A sink has stored more, or others are required than before. */
  readonly onMoved: () => void;
  readonly lingerMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How far a sink has come. */
export interface Standing {
  readonly name: string;
  /** The last that it has stored. */
  readonly position: number;
}

/** What a start waits for sinks whose servers are slow to answer. */
const startWaitMs = 5000;
const copyEveryMs = 1000;

export class SinkSet {
  readonly #options: SinkSetOptions;
  readonly #running = new Map<SinkMember, Promise<void>>();
  #members: ReadonlyMap<string, SinkMember>;
  #required: ReadonlySet<string>;
  /** Not among the members yet; of another type than the member of that name, if there is one. */
  #joining: ReadonlyMap<string, SinkMember> = new Map();
  /** Members that are about to go, and have nobody of their type to come for them. */
  #leaving: ReadonlySet<string> = new Set();
  #signals: { readonly stop: AbortSignal; readonly deadline: AbortSignal } | undefined;
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: SinkSetOptions) {
    this.#options = options;
    this.#members = new Map(options.sinks.map(config => [config.name, this.#memberOf(config)]));
    this.#required = requiredBy(options);
  }

  /** In the order of the configuration. */
  get all(): readonly SinkMember[] {
    return [...this.#members.values()];
  }

  /** Those that the journal keeps blocks for: also those that are about to come. */
  get followers(): readonly SinkMember[] {
    const staying = this.all.filter(({ name }) => !this.#joining.has(name));
    // Last: whoever acts between their readings must not keep the others waiting while these find their places.
    return [...staying, ...this.#joining.values()];
  }

  /** Those that receipts wait for, and how far they have come; one that is still to come has stored nothing. */
  get required(): readonly Standing[] {
    return [...this.#required].map(name => {
      const present = this.#leaving.has(name) ? undefined : this.#members.get(name);
      return this.#joining.get(name) ?? present ?? { name, position: 0 };
    });
  }

  get(name: string): SinkMember | undefined {
    return this.#joining.get(name) ?? this.#members.get(name);
  }

  isRequired(name: string): boolean {
    return this.#required.has(name);
  }

  /**
   * Once, before anything is taken in. Resolves when all are open, or after some seconds: the others open in the
   * background.
   */
  async open(stop: AbortSignal): Promise<void> {
    const { clock, journal } = this.#options;
    await this.#forgetFormer();
    this.#tellPassed();
    const enough = new AbortController();
    const opening = Promise.all(this.all.map(member => member.open(stop)));
    await Promise.race([opening, aborted(stop), clock.sleep(startWaitMs, enough.signal)]);
    enough.abort();
    if (this.all.some(({ isOpen, keepsCursor }) => keepsCursor && !isOpen)) await journal.leaveOut();
  }

  /** Ends on stop, after what the journal has by then, or at the deadline. */
  async run(stop: AbortSignal, deadline: AbortSignal): Promise<void> {
    this.#signals = { stop, deadline };
    for (const member of this.all) this.#start(member);
    await this.#keepCopies(stop);
    await this.#changing;
    await Promise.all(this.#running.values());
  }

  /** After `run`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map(member => member.close()));
  }

  /**
   * From now on these sinks, and these in `receiptAfter`. What is new has its place in the journal once this
   * resolves, and what left has stored what it had in hand. Until then the journal keeps blocks for both.
   * @throws with nothing changed
   */
  change(options: SinkOptions): Promise<SinkChanges> {
    const done = this.#changing.then(() => this.#change(options));
    this.#changing = settled(done);
    return done;
  }

  async #change(options: SinkOptions): Promise<SinkChanges> {
    if (this.#signals?.stop.aborted) return noChanges;
    const configs = this.all.map(({ config }) => config);
    const receiptAfter = this.#required.size === 0 ? ('journal' as const) : [...this.#required];
    const changes = planChanges({ sinks: configs, receiptAfter }, options);
    const { added, removed, replaced } = changes;
    const fresh = await this.#create(options.sinks, [...added, ...replaced]);
    await this.#admit(fresh, changes);
    // From here on nothing is taken back: what fails is made good later.
    this.#required = requiredBy(options);
    this.#leaving = new Set(removed);
    // At once: a sink that is no longer required must not hold up a block for one moment more.
    this.#options.onMoved();
    const former = [...removed, ...replaced].flatMap(name => this.#members.get(name) ?? []);
    await Promise.all(former.map(member => member.leave()));
    await this.#retype(fresh, changes);
    this.#swap(
      former,
      options.sinks.map(({ name }) => fresh.get(name) ?? this.#members.get(name)!),
    );
    for (const name of removed.filter(name => !added.includes(name))) await this.#forgetLater(name);
    return changes;
  }

  /** @throws what creating one of them throws; the others are closed then */
  async #create(
    sinks: readonly SinkConfig[],
    names: readonly string[],
  ): Promise<ReadonlyMap<string, SinkMember>> {
    const fresh = new Map<string, SinkMember>();
    try {
      for (const config of sinks)
        if (names.includes(config.name)) fresh.set(config.name, this.#memberOf(config));
      return fresh;
    } catch (error) {
      await Promise.all([...fresh.values()].map(member => member.close()));
      throw error;
    }
  }

  /** What is new follows from now on, and gets its place. @throws with nothing changed */
  async #admit(fresh: ReadonlyMap<string, SinkMember>, { added, removed }: SinkChanges): Promise<void> {
    const { journal } = this.#options;
    const names = added.filter(name => !removed.includes(name));
    this.#joining = new Map(names.map(name => [name, fresh.get(name)!]));
    try {
      for (const [name, member] of this.#joining) {
        // A former one of that name, which could not be forgotten when it left: this one does not go on for it.
        if (journal.sinkBook.names().includes(name)) await forgetSink(this.#options, name, 'was removed');
        await member.place();
        await tellStart(this.#options, name);
      }
    } catch (error) {
      await Promise.all([...fresh.values()].map(member => member.close()));
      this.#joining = new Map();
      for (const name of names) await forgetPlace(journal, name).catch(() => undefined);
      throw error;
    }
  }

  /** One of another type is another sink: it gets a place of its own once the former one has left. */
  async #retype(fresh: ReadonlyMap<string, SinkMember>, { added, removed }: SinkChanges): Promise<void> {
    for (const name of removed.filter(name => added.includes(name))) {
      const member = fresh.get(name)!;
      await this.#forgetLater(name);
      this.#joining = new Map([...this.#joining, [name, member]]);
      await member.place().catch(() => undefined); // tried again when it opens
      await tellStart(this.#options, name);
    }
  }

  /** In one step: at no moment does the journal wait for neither a sink that leaves nor the one that comes for it. */
  #swap(former: readonly SinkMember[], next: readonly SinkMember[]): void {
    const fresh = next.filter(member => this.#members.get(member.name) !== member);
    this.#members = new Map(next.map(member => [member.name, member]));
    this.#joining = new Map();
    this.#leaving = new Set();
    for (const member of former) this.#running.delete(member);
    for (const member of fresh) this.#start(member);
    this.#options.onMoved();
  }

  /** If the disk does not take it, the next start does it, or whoever is next of that name. */
  async #forgetLater(name: string): Promise<void> {
    await forgetSink(this.#options, name, 'was removed').catch((error: unknown) =>
      this.#options.log.warn({ error: messageOf(error), sink: name }, 'removed sink not forgotten yet'),
    );
  }

  #memberOf(config: SinkConfig): SinkMember {
    const { create, journal, untilTrimmed, feeds = [], clock, log, lingerMs, onMoved } = this.#options;
    const own = log.child({ sink: config.name });
    const sink = create(config, own);
    const follower = { config, sink, journal, untilTrimmed, feeds, clock, lingerMs };
    return new SinkMember({ ...follower, log: own, onStored: onMoved });
  }

  #start(member: SinkMember): void {
    const { log } = this.#options;
    if (!this.#signals) return; // `run` will
    const { stop, deadline } = this.#signals;
    const running = member.run(stop, deadline).catch((error: unknown) => {
      log.error({ error: messageOf(error), sink: member.name }, 'sink ended');
    });
    this.#running.set(member, running);
  }

  /** What left the configuration, or became something else, while the collector was not running. */
  async #forgetFormer(): Promise<void> {
    const { journal } = this.#options;
    for (const name of journal.sinkBook.names()) {
      const type = journal.sinkBook.get(name)?.type;
      const now = this.get(name)?.config.type;
      if (now === undefined) await forgetSink(this.#options, name, 'is no longer configured');
      else if (type !== undefined && type !== now)
        await forgetSink(this.#options, name, `is of type ${now} now and was of type ${type}`);
    }
  }

  /** So that the next start knows, before they are open, how far they have come. */
  async #keepCopies(stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!stop.aborted) {
      await clock.sleep(copyEveryMs, stop);
      for (const member of this.all)
        await member
          .keepCopy()
          .catch((error: unknown) => log.debug({ error: messageOf(error) }, 'cursor not copied'));
      this.#tellPassed();
    }
  }

  /** Feeds keep what somebody has yet to store. */
  #tellPassed(): void {
    for (const feed of this.#options.feeds ?? [])
      feed.passed(
        Math.min(...this.followers.map(member => member.passedOf(feed) ?? Number.POSITIVE_INFINITY)),
      );
  }
}

function requiredBy({ receiptAfter }: SinkOptions): ReadonlySet<string> {
  return new Set(receiptAfter === 'journal' ? [] : receiptAfter);
}
