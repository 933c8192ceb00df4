/**
 * One configured sink and its consumer, from the moment it is named in the configuration. It opens in the background,
 * however long its server is down; until then it stands where the journal last knew it.
 */
import { Backoff } from '@edgeward/shared/clock';
import type { Clock, Sink } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { Consumer } from './consumer.js';
import type { Journal } from './journal/journal.js';
import type { Follower } from './retention.js';
import type { SinkConfig } from './sinks/index.js';

export interface MemberOptions {
  readonly config: SinkConfig;
  readonly sink: Sink;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Logger;
  readonly lingerMs: number;
  /** It has stored more. */
  readonly onStored: () => void;
}

/** Between two tries to open. */
const firstWaitMs = 500;
const longestWaitMs = 30_000;
/** For a sink that does not end by itself. */
const disposeMs = 10_000;

export class SinkMember implements Follower {
  readonly config: SinkConfig;
  readonly #options: MemberOptions;
  readonly #consumer: Consumer;
  #state: 'new' | 'opening' | 'open' = 'new';
  #failure: string | null = null;
  #opening: Promise<void> | undefined;

  constructor(options: MemberOptions) {
    const { config, sink, journal, clock, log, lingerMs, onStored } = options;
    this.config = config;
    this.#options = options;
    const { name, writeTimeoutMs } = config;
    const follower = { name, sink, journal, clock, log, lingerMs, writeTimeoutMs, onStored };
    this.#consumer = new Consumer(follower);
  }

  get name(): string {
    return this.config.name;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** It alone knows how far it has come; the journal has no more than a copy. */
  get keepsCursor(): boolean {
    return this.#options.sink.cursor !== undefined;
  }

  get position(): number {
    const { journal } = this.#options;
    return this.isOpen ? this.#consumer.position : (journal.cursor(this.name) ?? 0);
  }

  /** Deliveries it has yet to store. */
  get lag(): number {
    const { journal } = this.#options;
    const { position } = this;
    return Math.max(
      0,
      journal.position - position - journal.gone.countWithin(position + 1, journal.position),
    );
  }

  get failure(): string | null {
    return this.isOpen ? this.#consumer.failure : this.#failure;
  }

  between<T>(act: (position: number, inHand: number) => Promise<T>): Promise<T> {
    return this.isOpen ? this.#consumer.between(act) : act(this.position, this.position);
  }

  /** Tries until it is open; resolves then, or on stop. The same for everybody who asks. */
  open(stop: AbortSignal): Promise<void> {
    this.#opening ??= this.#open(stop);
    return this.#opening;
  }

  /** Ends on stop, after what the journal has by then, or at the deadline. */
  async run(stop: AbortSignal, deadline: AbortSignal): Promise<void> {
    await Promise.race([this.open(stop), aborted(stop)]);
    if (this.isOpen) await this.#consumer.run(stop, deadline);
  }

  /** For those that have it in a store of their own. */
  async keepCopy(): Promise<void> {
    const { journal } = this.#options;
    const { name, position } = this;
    if (!this.isOpen || !this.keepsCursor || journal.cursor(name) === position) return;
    await journal.setCursor(name, position, false);
  }

  /** After `run`. */
  async dispose(): Promise<void> {
    const { sink, clock, log } = this.#options;
    const enough = new AbortController();
    const close = async () => sink[Symbol.asyncDispose]();
    const closed = close().catch((error: unknown) =>
      log.warn({ error: messageOf(error) }, 'sink did not close'),
    );
    await Promise.race([closed, clock.sleep(disposeMs, enough.signal)]);
    enough.abort();
  }

  async #open(stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const backoff = new Backoff(firstWaitMs, longestWaitMs);
    this.#state = 'opening';
    while (!stop.aborted) {
      try {
        await this.#consumer.open();
        if (this.#failure !== null) log.info('sink is open now');
        this.#failure = null;
        this.#state = 'open';
        this.#options.onStored();
        return;
      } catch (error) {
        const waitMs = backoff.next();
        if (this.#failure === null)
          log.warn({ error: messageOf(error), waitMs: Math.round(waitMs) }, 'sink cannot open; trying again');
        this.#failure = messageOf(error);
        await clock.sleep(waitMs, stop);
      }
    }
  }
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
