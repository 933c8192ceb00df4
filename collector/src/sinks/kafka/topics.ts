import { EdgewardError } from '@edgeward/shared/errors';
import { BrokerError, throwIfError } from './broker-error.js';
import { createTopicsCall, settingCall, type TopicMetadata, type TopicWanted } from './calls.js';
import type { Cluster } from './cluster.js';
import type { KafkaConfig } from './config.js';
import type { LearnedLimits, Limits } from './limits.js';
import { offsetsOf } from './reader.js';

/** What the sink has to know of a topic. */
export interface Topic extends Limits {
  readonly name: string;
  readonly partitions: number;
}

const unknownTopic = 3;
const notYet = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE', 'NOT_LEADER_OR_FOLLOWER']);
const looks = 100;
const pauseMs = 100;

/** Settings of the cursor topic: small segments, because only closed ones are compacted. */
const compacted = 'compact';
const cursorNeeds = `one partition and cleanup.policy=${compacted}`;
const cursorSettings = {
  'cleanup.policy': compacted,
  'segment.bytes': String(16 * 1024 * 1024),
  'min.cleanable.dirty.ratio': '0.1',
};

/** Finds the sink's topics, and creates those that are missing if it may. */
export async function openTopics(
  cluster: Cluster,
  config: KafkaConfig,
  learned: LearnedLimits,
  sleep: (ms: number) => Promise<void>,
): Promise<ReadonlyMap<string, Topic>> {
  const { cursors, ...others } = config.topics;
  const names = [...new Set([cursors, ...Object.values(others)])].filter(name => name !== null);
  let found = present(await cluster.topics(names));
  const missing = names.filter(name => !found.has(name));
  if (missing.length > 0) {
    await create(cluster, config, missing);
    await untilReady(cluster, missing, sleep);
    found = present(await cluster.topics(names));
  }
  await checkCursors(cluster, cursors, found.get(cursors)?.leaders.size ?? 0);
  return describe(cluster, config, learned, [...found.values()]);
}

/** @throws EW_SINK_DENIED if records of it would be lost, or be out of order */
async function checkCursors(cluster: Cluster, topic: string, partitions: number): Promise<void> {
  const policies = await cluster.ask(settingCall([topic], 'cleanup.policy'));
  const policy = policies.get(topic) ?? compacted; // if we may not read it
  const found =
    partitions !== 1
      ? `${partitions} partitions`
      : policy !== compacted
        ? `cleanup.policy=${policy}`
        : undefined;
  if (found !== undefined)
    throw new EdgewardError(
      'EW_SINK_DENIED',
      `The cursor topic ${topic} has ${found}. Remedy: give topics.cursors a topic of its own with ${cursorNeeds}.`,
    );
}

/** Brokers hear of a new topic one after the other, and lead its partitions a little later. */
async function untilReady(
  cluster: Cluster,
  topics: readonly string[],
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  for (let look = 1; ; look++) {
    try {
      const found = [...present(await cluster.topics(topics)).values()];
      for (const { name, leaders } of found)
        await Promise.all([...leaders.keys()].map(partition => offsetsOf(cluster, name, partition)));
      if (found.length === topics.length) return;
      throw new BrokerError(unknownTopic, `topic ${topics.join(', ')}`);
    } catch (error) {
      const isSoon = error instanceof BrokerError && notYet.has(error.type);
      if (!isSoon || look >= looks) throw error;
    }
    for (const topic of topics) cluster.forget(topic);
    await sleep(pauseMs);
  }
}

function present(topics: readonly TopicMetadata[]): Map<string, TopicMetadata> {
  const found = new Map<string, TopicMetadata>();
  for (const topic of topics) {
    if (topic.code === unknownTopic) continue;
    throwIfError(topic.code, `topic ${topic.name}`);
    found.set(topic.name, topic);
  }
  return found;
}

async function create(cluster: Cluster, config: KafkaConfig, names: readonly string[]): Promise<void> {
  const { allowed, partitions, replicationFactor } = config.createTopics;
  if (!allowed) {
    const how = names.includes(config.topics.cursors)
      ? ` (${config.topics.cursors} with ${cursorNeeds})`
      : '';
    throw new EdgewardError(
      'EW_SINK_DENIED',
      `There is no topic ${names.join(', ')}. Remedy: create it${how}, or set createTopics.allowed.`,
    );
  }
  const wanted = names.map((name): TopicWanted => {
    const isCursors = name === config.topics.cursors;
    const settings = isCursors ? cursorSettings : {};
    return { name, partitions: isCursors ? 1 : partitions, replicationFactor, settings };
  });
  const controller = await cluster.controller();
  await controller.call(createTopicsCall(wanted, config.requestTimeoutMs));
}

async function describe(
  cluster: Cluster,
  { maxMessageBytes }: KafkaConfig,
  learned: LearnedLimits,
  topics: readonly TopicMetadata[],
): Promise<Map<string, Topic>> {
  const names = topics.map(({ name }) => name);
  const limits = await cluster.ask(settingCall(names, 'max.message.bytes'));
  return new Map(
    topics.map(({ name, leaders }) => {
      const own = Number(limits.get(name) ?? maxMessageBytes);
      const most = learned.of(name, Math.min(own, maxMessageBytes));
      return [name, { name, partitions: leaders.size, ...most }];
    }),
  );
}
