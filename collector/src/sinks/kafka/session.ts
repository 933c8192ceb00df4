import type { Clock } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import { Cluster } from './cluster.js';
import { compressorOf } from './compression.js';
import type { KafkaConfig } from './config.js';
import type { LearnedLimits } from './limits.js';
import { Producer } from './producer.js';
import { offsetsOf, readCommitted } from './reader.js';
import { Standing } from './standing.js';
import { openTopics, type Topic } from './topics.js';
import type { Wire } from './wire.js';

export interface SessionOptions {
  readonly config: KafkaConfig;
  /** This sink's and its collector's names. */
  readonly name: string;
  readonly collector: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Outlive a session, which ends when there is more to learn. */
  readonly limits: LearnedLimits;
  /** For one session. */
  readonly openWire: () => Promise<Wire>;
}

/** From one beginning to the first failure: a producer, and what it knows by heart of what is stored. */
export interface Session {
  readonly cluster: Cluster;
  readonly producer: Producer;
  readonly topics: ReadonlyMap<string, Topic>;
  readonly standing: Standing;
}

export function transactionalIdOf({ collector, name }: Pick<SessionOptions, 'collector' | 'name'>): string {
  return `edgeward-${collector}-${name}`;
}

/**
 * The order is what makes it exactly once: the producer's beginning ends what an earlier one left open and fences it;
 * only then the cursor is read, up to where the topic ended after that.
 */
export async function openSession(options: SessionOptions, deadline: AbortSignal): Promise<Session> {
  const { config, clock, collector, name } = options;
  const cluster = new Cluster(await options.openWire(), config.brokers);
  const cut = () => cluster.close();
  deadline.addEventListener('abort', cut, { once: true });
  try {
    deadline.throwIfAborted();
    const topics = await openTopics(cluster, config, options.limits, ms => clock.sleep(ms, deadline));
    const producer = await Producer.begin({
      cluster,
      clock,
      deadline,
      transactionalId: transactionalIdOf(options),
      transactionTimeoutMs: config.transactionTimeoutMs,
      requestTimeoutMs: config.requestTimeoutMs,
      compress: compressorOf(config.compression),
    });
    const standing = await readStanding(
      cluster,
      config.topics.cursors,
      new Standing(collector, name),
      deadline,
    );
    standing.use(producer.id);
    return { cluster, producer, topics, standing };
  } catch (error) {
    cluster.close();
    throw error;
  } finally {
    deadline.removeEventListener('abort', cut);
  }
}

export async function readStanding(
  cluster: Cluster,
  topic: string,
  standing: Standing,
  deadline: AbortSignal,
): Promise<Standing> {
  const offsets = await offsetsOf(cluster, topic, 0);
  for await (const records of readCommitted(cluster, topic, 0, offsets, deadline))
    for (const { key, value } of records)
      if (key) standing.take(key.toString(), value === null ? null : value.toString());
  return standing.ready();
}
