/**
 * The configured sinks, each with its consumer, beside the followers that a collector always has. Whoever needs to
 * know all of them asks here, every time: they come and go while it runs.
 */
import type { Clock, Sink } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import type { Journal } from './journal/journal.js';
import { aborted, SinkMember } from './sink-member.js';
import type { SinkConfig } from './sinks/index.js';

export interface SinkSetOptions {
  readonly journal: Journal;
  /** Does no I/O. */
  readonly create: (config: SinkConfig) => Sink;
  readonly sinks: readonly SinkConfig[];
  /** Names of the sinks that have to store a block before its gateway may forget it. */
  readonly receiptAfter: 'journal' | readonly string[];
  /** A sink has stored more, or others are required than before. */
  readonly onMoved: () => void;
  readonly lingerMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a start waits for sinks whose servers are slow to answer. */
const startWaitMs = 5000;
/** More than a journal can lose unnoticed, which is what LevelDB had not made a table of. */
const leftOutPositions = 1_000_000;
const copyEveryMs = 1000;

export class SinkSet {
  readonly #options: SinkSetOptions;
  readonly #members = new Map<string, SinkMember>();
  #required: ReadonlySet<string>;

  constructor(options: SinkSetOptions) {
    this.#options = options;
    const { sinks, receiptAfter } = options;
    this.#required = new Set(receiptAfter === 'journal' ? [] : receiptAfter);
    for (const config of sinks) this.#members.set(config.name, this.#memberOf(config));
  }

  /** In the order of the configuration. */
  get all(): readonly SinkMember[] {
    return [...this.#members.values()];
  }

  /** Those that receipts wait for. */
  get required(): readonly SinkMember[] {
    return this.all.filter(({ name }) => this.#required.has(name));
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
    const enough = new AbortController();
    const opening = Promise.all(this.all.map(member => member.open(stop)));
    await Promise.race([opening, aborted(stop), clock.sleep(startWaitMs, enough.signal)]);
    enough.abort();
    if (this.all.some(({ isOpen, keepsCursor }) => keepsCursor && !isOpen))
      await journal.leaveOut(leftOutPositions);
  }

  /** Ends on stop, after what the journal has by then, or at the deadline. */
  async run(stop: AbortSignal, deadline: AbortSignal): Promise<void> {
    await Promise.all([this.#keepCopies(stop), ...this.all.map(member => member.run(stop, deadline))]);
  }

  /** After `run`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map(member => member.keepCopy().catch(() => undefined)));
    await Promise.all(this.all.map(member => member.dispose()));
  }

  #memberOf(config: SinkConfig): SinkMember {
    const { create, journal, clock, log, lingerMs, onMoved } = this.#options;
    const own = log.child({ sink: config.name });
    const sink = create(config);
    return new SinkMember({ config, sink, journal, clock, log: own, lingerMs, onStored: onMoved });
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
    }
  }
}
