import type { Cursor, Delivery, Note, ReaderLag, Refusal, Sink } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { settled } from '@edgeward/shared/settled';
import { epochKey } from '../../epoch-key.js';
import type { SinkContext } from '../define.js';
import type { KafkaConfig } from './config.js';
import { kafkaError, tooLargeRemedy } from './errors.js';
import { ConsumerLag } from './lag.js';
import { LearnedLimits } from './limits.js';
import { BatchPool, Load } from './load.js';
import { keyOf } from './partitioner.js';
import { encodeHeaders } from './record-batch.js';
import { Rows } from './rows.js';
import { openSession, type Session, transactionalIdOf } from './session.js';
import type { Change } from './standing.js';
import type { Wire } from './wire.js';

/** A transaction is committed once it has that much, or at the end of a write: readers see nothing of it before. */
const maxTransactionBytes = 32 * 1024 * 1024;
/** What the way out of a failed transaction may take; the next session ends it anyhow. */
const abortMs = 1000;
const noHeaders = encodeHeaders({});
const tooLargeText = `Kafka takes no batch of that size: smaller ones from now on. Remedy: ${tooLargeRemedy}`;
const never = new AbortController().signal;

export interface KafkaSinkOptions extends SinkContext {
  readonly config: KafkaConfig;
  readonly openWire: () => Promise<Wire>;
}

/** Rows, evidence and notes to Kafka, each once: data and cursor go in one transaction. */
export class KafkaSink implements Sink {
  /** A transaction costs some ten milliseconds, however much is in it. */
  readonly limits = { maxDeliveries: 5000, maxBytes: 4 * 1024 * 1024 };
  readonly takesNotes: boolean;
  readonly #options: KafkaSinkOptions;
  readonly #rows: Rows;
  readonly #batches = new BatchPool();
  readonly #lag: ConsumerLag;
  /** Epochs that the consumer has had, as of writes that have ended well: what it has not any more it has forgotten. */
  #known = new Set<string>();
  readonly #learned = new LearnedLimits();
  #session: Session | undefined;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: KafkaSinkOptions) {
    const { incidents, events } = options.config.topics;
    this.#options = options;
    this.#rows = new Rows(options.config, options.clock);
    this.takesNotes = incidents !== null || events !== null;
    const { lagGroups: groups, lagEveryS, brokers } = options.config;
    this.#lag = new ConsumerLag({ ...options, groups, brokers, everyMs: lagEveryS * 1000 });
  }

  /** Of the groups in `lagGroups`, from the first call of `cursor` on. */
  readers(): readonly ReaderLag[] {
    return this.#lag.lags;
  }

  /** @throws as `write` */
  cursor(): Promise<Cursor | undefined> {
    this.#lag.start();
    return this.#within(never, async ({ standing }) => standing.cursor);
  }

  /** @throws EW_SINK_WRITE, EW_SINK_DENIED, EW_SINK_STATE; the same call may be made again */
  write(
    deliveries: readonly Delivery[],
    after: Cursor,
    deadline: AbortSignal,
    notes: readonly Note[] = [],
  ): Promise<void> {
    return this.#within(deadline, session => this.#write(session, deliveries, after, deadline, notes));
  }

  replay(
    letter: string,
    deliveries: readonly Delivery[],
    notes: readonly Note[],
    deadline: AbortSignal,
  ): Promise<void> {
    return this.#within(deadline, async session => {
      if (session.standing.hasLetter(letter)) return;
      const transaction = this.#begin(session);
      for (const delivery of deliveries) await transaction.rows(delivery);
      for (const note of notes) await transaction.note(note);
      // Nothing of it is stored: were it noted as replayed, the next try would take it for stored.
      if (transaction.bytes === 0 && (await transaction.refuse())) return;
      await transaction.commit(session.standing.replayed(letter));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#exclusively(async () => {
      await this.#lag.stop();
      this.#session?.cluster.close();
      this.#session = undefined;
    });
  }

  async #write(
    session: Session,
    deliveries: readonly Delivery[],
    after: Cursor,
    deadline: AbortSignal,
    notes: readonly Note[],
  ): Promise<void> {
    const { standing } = session;
    const transaction = this.#begin(session);
    let stored: Delivery[] = [];
    for (const delivery of standing.fresh(deliveries, after.journal)) {
      deadline.throwIfAborted();
      await transaction.rows(delivery);
      stored.push(delivery);
      if (transaction.bytes < maxTransactionBytes) continue;
      await transaction.commit(standing.advance(stored, [], after.journal, delivery.position));
      stored = [];
    }
    const fresh = standing.freshNotes(notes);
    for (const note of fresh) await transaction.note(note);
    deadline.throwIfAborted();
    const changes = standing.advance(stored, fresh, after.journal, after.position);
    const received = standing.isDue() ? after.received : undefined;
    if (received) changes.push(...standing.settle(received, after.notes ?? {}, this.#known));
    await transaction.commit(changes);
    if (received) this.#known = new Set(Object.keys(received));
    for (const { gateway, epoch } of deliveries) this.#known.add(epochKey(gateway, epoch));
  }

  #begin({ producer, topics }: Session): Transaction {
    const load = new Load(producer, this.#batches);
    const refusals: Refusal[] = [];
    const note = (refusal: Refusal | undefined) => {
      if (refusal) refusals.push(refusal);
    };
    const refuse = async () => {
      if (refusals.length === 0) return false;
      await this.#options.refuse(refusals.splice(0));
      return true;
    };
    return {
      refuse,
      get bytes() {
        return load.bytes;
      },
      rows: async delivery => note(await this.#rows.add(load, topics, delivery)),
      note: async what => note(await this.#rows.note(load, topics, what)),
      commit: async changes => {
        const cursors = topics.get(this.#options.config.topics.cursors)!;
        const timestamp = Math.floor(this.#options.clock.now());
        for (const { key, value } of changes)
          await load.add(cursors, {
            key: keyOf(key),
            value: value === null ? null : Buffer.from(value),
            headers: noHeaders,
            timestamp,
          });
        await load.end();
        await refuse();
        await producer.commit();
      },
    };
  }

  /**
   * After any failure the session is over: what the broker has of it is read from the broker. Where a batch was too
   * large the work is done again, with smaller ones.
   */
  #within<T>(deadline: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
    return this.#exclusively(async () => {
      for (;;)
        try {
          this.#session ??= await openSession({ ...this.#options, limits: this.#learned }, deadline);
          return await cutShort(work(this.#session), deadline);
        } catch (error) {
          await this.#end();
          if (!deadline.aborted && this.#learnt(error)) continue;
          throw kafkaError(error, {
            transactionalId: transactionalIdOf(this.#options),
            collector: this.#options.collector,
          });
        }
    });
  }

  #learnt(error: unknown): boolean {
    const limits = this.#learned.learn(error);
    if (limits) this.#options.log.warn({ error: messageOf(error), ...limits }, tooLargeText);
    return limits !== undefined;
  }

  /** Gives the transaction up, so that readers need not wait for its time-out, if that can be done soon. */
  async #end(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (!session) return;
    const { clock } = this.#options;
    const over = new AbortController();
    await Promise.race([settled(session.producer.abort()), clock.sleep(abortMs, over.signal)]);
    over.abort();
    session.cluster.close();
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = settled(done);
    return done;
  }
}

interface Transaction {
  /** Sent, or to be sent. */
  readonly bytes: number;
  rows(delivery: Delivery): Promise<void>;
  note(note: Note): Promise<void>;
  /** Tells what is refused of it, which a commit does, too. @returns false: nothing is */
  refuse(): Promise<boolean>;
  /** The next begins with the next row. */
  commit(changes: readonly Change[]): Promise<void>;
}

/** @throws the signal's reason once it fires, whatever becomes of the work */
async function cutShort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let cut: (() => void) | undefined;
  const cutting = new Promise<never>((_, reject) => {
    cut = () => reject(signal.reason);
    if (signal.aborted) cut();
    else signal.addEventListener('abort', cut, { once: true });
  });
  try {
    return await Promise.race([work, cutting]);
  } finally {
    if (cut) signal.removeEventListener('abort', cut);
  }
}
