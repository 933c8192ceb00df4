import type { Clock } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { settled } from '@edgeward/shared/settled';
import { BrokerError } from './broker-error.js';
import {
  addPartitionsCall,
  endTransactionCall,
  initProducerCall,
  placeOf,
  produceCall,
  type SealedPart,
} from './calls.js';
import type { Cluster } from './cluster.js';
import type { Compress } from './compression.js';
import { BatchTooLarge, isTooLarge } from './limits.js';
import type { BatchWriter, ProducerIdentity } from './record-batch.js';
import type { Node } from './wire.js';

/** What goes to one partition in one request. */
export interface Part {
  readonly topic: string;
  readonly partition: number;
  readonly batch: BatchWriter;
}

export interface ProducerOptions {
  readonly cluster: Cluster;
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly compress: Compress;
  readonly clock: Clock;
  readonly deadline?: AbortSignal;
}

/** Between two questions. */
const pauseMs = 5;
const longestPauseMs = 200;
const never = new AbortController().signal;

/**
 * Answers by which a broker says that it has done nothing yet and will soon: the coordinator answers a commit before
 * the markers of the transaction are written, and is found only once it has read its log.
 */
const soon = new Set([
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
]);

async function whenReady<T>(
  ask: () => Promise<T>,
  { clock, requestTimeoutMs, deadline = never }: ProducerOptions,
): Promise<T> {
  const end = clock.monotonic() + requestTimeoutMs;
  for (let waitMs = pauseMs; ; waitMs = Math.min(waitMs * 1.5, longestPauseMs)) {
    try {
      return await ask();
    } catch (error) {
      const isSoon = error instanceof BrokerError && soon.has(error.type);
      if (!isSoon || clock.monotonic() >= end || deadline.aborted) throw error;
    }
    await clock.sleep(waitMs, deadline);
  }
}

/**
 * A transactional producer that retries nothing. Once any call has thrown, what the broker has of it is unknown: only
 * `abort` may follow, and then another producer, whose beginning ends this one's transaction. So no sequence number is
 * ever used for other records than before, which a broker would drop in silence.
 */
export class Producer {
  readonly #options: ProducerOptions;
  readonly #coordinator: Node;
  readonly #identity: ProducerIdentity;
  /** Of the next record, by `topic/partition`. */
  readonly #sequences = new Map<string, number>();
  /** The last request is on its way. */
  #issued: Promise<unknown> = Promise.resolve();
  #underWay: Promise<unknown> = Promise.resolve();
  /** Of the transaction that is open, `topic/partition`. */
  readonly #added = new Set<string>();

  private constructor(options: ProducerOptions, coordinator: Node, identity: ProducerIdentity) {
    this.#options = options;
    this.#coordinator = coordinator;
    this.#identity = identity;
  }

  /** Fences every earlier producer of this id, and gives up what it left open. */
  static async begin(options: ProducerOptions): Promise<Producer> {
    const { cluster, transactionalId, transactionTimeoutMs } = options;
    const call = initProducerCall(transactionalId, transactionTimeoutMs);
    return whenReady(async () => {
      const coordinator = await cluster.coordinator('transaction', transactionalId);
      return new Producer(options, coordinator, await coordinator.call(call));
    }, options);
  }

  /** Given by the broker; mostly the same for each producer of a transactional id. */
  get id(): bigint {
    return this.#identity.producerId;
  }

  /**
   * Resolves once all replicas in sync have it; until then the batches are not to be touched. More than one may be under
   * way: they go in the order of the calls.
   * @throws BatchTooLarge
   */
  async send(parts: readonly Part[]): Promise<void> {
    const sealed = parts.map(part => this.#seal(part));
    const issued = this.#issued.then(() => this.#issue(parts, sealed));
    this.#issued = issued;
    const calls = await issued;
    this.#underWay = settled(Promise.allSettled([this.#underWay, ...calls]));
    try {
      await Promise.all(calls);
    } catch (error) {
      const part = isTooLarge(error) && parts.find(one => placeOf(one.topic, one.partition) === error.what);
      if (!part) throw error;
      const { size, count } = part.batch;
      throw new BatchTooLarge({ topic: part.topic, size, count }, error);
    }
  }

  async commit(): Promise<void> {
    await this.#end(true);
  }

  /** Once what is under way has ended, so that nothing comes after it. */
  async abort(): Promise<void> {
    await settled(this.#issued);
    await this.#underWay;
    await this.#end(false);
  }

  async #end(commit: boolean): Promise<void> {
    if (this.#added.size === 0) return;
    await this.#coordinator.call(endTransactionCall(this.#options.transactionalId, this.#identity, commit));
    this.#added.clear();
  }

  async #issue(parts: readonly Part[], sealed: readonly (Buffer | Promise<Buffer>)[]) {
    const { transactionalId, requestTimeoutMs, cluster } = this.#options;
    const batches = await Promise.all(sealed);
    await this.#add(parts);
    const nodes = new Map<Node, Map<string, SealedPart[]>>();
    for (const [i, { topic, partition }] of parts.entries()) {
      const topics = getOrMake(nodes, await cluster.leader(topic, partition), () => new Map());
      getOrMake(topics, topic, (): SealedPart[] => []).push({ partition, batch: batches[i]! });
    }
    return [...nodes].map(([node, topics]) =>
      node.call(produceCall(transactionalId, requestTimeoutMs, topics)),
    );
  }

  #seal({ topic, partition, batch }: Part): Promise<Buffer> | Buffer {
    const key = `${topic}/${partition}`;
    const sequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, (sequence + batch.count) % 2 ** 31);
    return this.#options.compress(batch, this.#identity, sequence);
  }

  async #add(parts: readonly Part[]): Promise<void> {
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of parts) {
      const key = `${topic}/${partition}`;
      if (this.#added.has(key)) continue;
      this.#added.add(key);
      getOrMake(topics, topic, (): number[] => []).push(partition);
    }
    if (topics.size === 0) return;
    const call = addPartitionsCall(this.#options.transactionalId, this.#identity, topics);
    await whenReady(() => this.#coordinator.call(call), this.#options);
  }
}
