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
import { aborted, SinkMember } from './sink-member.js';
import type { SinkConfig } from './sinks/index.js';

export interface SinkSetOptions extends SinkOptions {
  readonly journal: Journal;
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

/** What a start waits for sinks whose servers are slow to answer. */
const startWaitMs = 5000;
const copyEveryMs = 1000;

export class SinkSet {
  readonly #options: SinkSetOptions;
  readonly #running = new Map<SinkMember, Promise<void>>();
  #members: ReadonlyMap<string, SinkMember>;
  #required: ReadonlySet<string>;
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

  /** Those that receipts wait for. */
  get required(): readonly SinkMember[] {
    return this.all.filter(({ name }) => this.#required.has(name));
  }

  get(name: string): SinkMember | undefined {
    return this.#members.get(name);
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
   * resolves, and what left has stored what it had in hand.
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
    const fresh = await this.#prepare(options.sinks, changes);
    const former = [...changes.removed, ...changes.replaced].flatMap(name => this.get(name) ?? []);
    const removed = former.filter(({ name }) => changes.removed.includes(name));
    // Both at once: a sink that is no longer required must not hold up a block for one moment more.
    this.#required = requiredBy(options);
    this.#members = new Map([...this.#members].filter(([name]) => !changes.removed.includes(name)));
    this.#options.onMoved();
    await Promise.all(former.map(member => member.leave()));
    for (const member of former) this.#running.delete(member);
    for (const { name } of removed) {
      await this.#forget(name, 'was removed');
      await fresh
        .get(name)
        ?.place()
        .catch(() => undefined); // tried again when it opens
      await this.#tellStart(name);
    }
    const next = options.sinks.map(({ name }) => fresh.get(name) ?? this.get(name)!);
    this.#members = new Map(next.map(member => [member.name, member]));
    for (const member of fresh.values()) this.#start(member);
    this.#options.onMoved();
    return changes;
  }

  /** What is new, with a place in the journal, and not running yet. */
  async #prepare(
    sinks: readonly SinkConfig[],
    { added, removed, replaced }: SinkChanges,
  ): Promise<Map<string, SinkMember>> {
    const fresh = new Map<string, SinkMember>();
    try {
      for (const config of sinks)
        if (added.includes(config.name) || replaced.includes(config.name))
          fresh.set(config.name, this.#memberOf(config));
      // Of another type, it gets a place of its own once the former one has left.
      for (const name of added.filter(name => !removed.includes(name))) {
        await fresh.get(name)?.place();
        await this.#tellStart(name);
      }
    } catch (error) {
      await Promise.all([...fresh.values()].map(member => member.close()));
      for (const name of added)
        if (!removed.includes(name)) await this.#options.journal.sinkBook.forget(name).catch(() => undefined);
      throw error;
    }
    return fresh;
  }

  #memberOf(config: SinkConfig): SinkMember {
    const { create, journal, feeds = [], clock, log, lingerMs, onMoved } = this.#options;
    const own = log.child({ sink: config.name });
    const sink = create(config, own);
    return new SinkMember({ config, sink, journal, feeds, clock, log: own, lingerMs, onStored: onMoved });
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
      if (now === undefined) await this.#forget(name, 'is no longer configured');
      else if (type !== undefined && type !== now)
        await this.#forget(name, `is of type ${now} now and was of type ${type}`);
    }
  }

  async #forget(name: string, why: string): Promise<void> {
    const { journal, log } = this.#options;
    const position = journal.cursor(name) ?? 0;
    const behind = Math.max(0, journal.position - position);
    const waiting = behind - journal.gone.countWithin(position + 1, journal.position);
    const rest = waiting > 0 ? ` It had not stored the last ${waiting} blocks.` : '';
    await journal.tell('journal', `Sink ${name} ${why}: it stood at position ${position}.${rest}`, {
      sink: name,
      position,
      waiting,
    });
    await journal.sinkBook.forget(name, journal.losses.forget(name));
    log.info({ sink: name, position, waiting }, `sink ${why}`);
  }

  async #tellStart(name: string): Promise<void> {
    const { journal, log } = this.#options;
    const start = journal.sinkBook.get(name)?.start;
    if (!start) return;
    const { asked, position } = start;
    const from = asked === 'beginning' ? 'with what the journal has' : `at ${asked}`;
    await journal.tell('journal', `Sink ${name} was added: it starts ${from}, behind position ${position}.`, {
      sink: name,
      position,
    });
    log.info({ sink: name, asked, position }, 'sink added');
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
      feed.passed(Math.min(...this.all.map(member => member.passedOf(feed) ?? Number.POSITIVE_INFINITY)));
  }
}

function requiredBy({ receiptAfter }: SinkOptions): ReadonlySet<string> {
  return new Set(receiptAfter === 'journal' ? [] : receiptAfter);
}
