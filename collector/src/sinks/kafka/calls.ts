/**
 * The requests this sink makes, each in a version that, as the protocol has it, brokers from 2.4 to 4.x take.
 * @see https://kafka.apache.org/protocol
 */
import { Bytes } from '../bytes.js';
import type { Answer } from './answer.js';
import { throwIfError } from './broker-error.js';
import type { ProducerIdentity } from './record-batch.js';

/** One request and how its answer is read. */
export interface Call<T> {
  readonly apiKey: number;
  readonly version: number;
  readonly name: string;
  /** One behind the other. */
  readonly body: readonly Buffer[];
  /** @throws BrokerError if that is the answer */
  read(answer: Answer): T;
}

function text(out: Bytes, value: string): void {
  const bytes = Buffer.from(value);
  out.int16(bytes.length);
  out.bytes(bytes);
}

function body(write: (out: Bytes) => void): Buffer[] {
  const out = new Bytes(256);
  write(out);
  return [out.take()];
}

/** Topic → partitions, as requests list them. */
type ByTopic<T> = ReadonlyMap<string, readonly T[]>;

function topicsWith<T>(out: Bytes, topics: ByTopic<T>, write: (item: T) => void): void {
  out.int32(topics.size);
  for (const [topic, items] of topics) {
    text(out, topic);
    out.int32(items.length);
    for (const item of items) write(item);
  }
}

export function placeOf(topic: string, partition: number): string {
  return `topic ${topic}, partition ${partition}`;
}

/** What an answer says of each partition. */
function eachPartition<T>(answer: Answer, read: (where: string, answer: Answer) => T): T[] {
  return answer
    .list(topic => {
      const name = topic.text();
      return topic.list(partition => read(placeOf(name, partition.int32()), partition));
    })
    .flat();
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface TopicMetadata {
  readonly name: string;
  /** 0, or why it cannot be told. */
  readonly code: number;
  /** Partition → id of its leader; −1 = it has none now. */
  readonly leaders: ReadonlyMap<number, number>;
}

export interface Metadata {
  /** By id. */
  readonly brokers: ReadonlyMap<number, Address>;
  readonly controller: number;
  readonly topics: readonly TopicMetadata[];
}

/** No topic is created by asking for it. */
export function metadataCall(topics: readonly string[]): Call<Metadata> {
  return {
    apiKey: 3,
    version: 4,
    name: 'Metadata',
    body: body(out => {
      out.int32(topics.length);
      for (const topic of topics) text(out, topic);
      out.byte(0);
    }),
    read: answer => {
      answer.int32(); // throttle time
      const brokers = answer.list(broker => {
        const found = [broker.int32(), { host: broker.text(), port: broker.int32() }] as const;
        broker.text(); // rack
        return found;
      });
      answer.text(); // cluster id
      const controller = answer.int32();
      return { brokers: new Map(brokers), controller, topics: answer.list(readTopic) };
    },
  };
}

function readTopic(answer: Answer): TopicMetadata {
  const code = answer.int16();
  const name = answer.text();
  answer.int8(); // is internal
  const leaders = answer.list(partition => {
    partition.int16(); // error
    const found = [partition.int32(), partition.int32()] as const;
    partition.list(replica => replica.int32());
    partition.list(inSync => inSync.int32());
    return found;
  });
  return { name, code, leaders: new Map(leaders) };
}

const coordinatorKinds = { group: 0, transaction: 1 } as const;

export type CoordinatorKind = keyof typeof coordinatorKinds;

export function coordinatorCall(kind: CoordinatorKind, id: string): Call<Address> {
  return {
    apiKey: 10,
    version: 1,
    name: 'FindCoordinator',
    body: body(out => {
      text(out, id);
      out.byte(coordinatorKinds[kind]);
    }),
    read: answer => {
      answer.int32(); // throttle time
      const code = answer.int16();
      throwIfError(code, kind === 'group' ? `group ${id}` : `transactional id ${id}`, answer.text());
      answer.int32(); // node
      return { host: answer.text(), port: answer.int32() };
    },
  };
}

export function initProducerCall(transactionalId: string, timeoutMs: number): Call<ProducerIdentity> {
  return {
    apiKey: 22,
    version: 0,
    name: 'InitProducerId',
    body: body(out => {
      text(out, transactionalId);
      out.int32(timeoutMs);
    }),
    read: answer => {
      answer.int32(); // throttle time
      throwIfError(answer.int16(), `transactional id ${transactionalId}`);
      return { producerId: answer.int64(), producerEpoch: answer.int16() };
    },
  };
}

function identify(
  out: Bytes,
  transactionalId: string,
  { producerId, producerEpoch }: ProducerIdentity,
): void {
  text(out, transactionalId);
  out.int64(producerId);
  out.int16(producerEpoch);
}

export function addPartitionsCall(
  transactionalId: string,
  identity: ProducerIdentity,
  partitions: ByTopic<number>,
): Call<void> {
  return {
    apiKey: 24,
    version: 0,
    name: 'AddPartitionsToTxn',
    body: body(out => {
      identify(out, transactionalId, identity);
      topicsWith(out, partitions, partition => out.int32(partition));
    }),
    read: answer => {
      answer.int32(); // throttle time
      const told = eachPartition(answer, (where, partition) => [partition.int16(), where] as const);
      // One that cannot be added keeps the others from it: theirs is no reason.
      const failed = told.filter(([code]) => code !== 0);
      const [reason] = [...failed.filter(([code]) => code !== notAttempted), ...failed];
      if (reason) throwIfError(...reason);
    },
  };
}

const notAttempted = 55;

export function endTransactionCall(
  transactionalId: string,
  identity: ProducerIdentity,
  commit: boolean,
): Call<void> {
  return {
    apiKey: 26,
    version: 0,
    name: 'EndTxn',
    body: body(out => {
      identify(out, transactionalId, identity);
      out.byte(commit ? 1 : 0);
    }),
    read: answer => {
      answer.int32(); // throttle time
      throwIfError(answer.int16(), `transactional id ${transactionalId}`);
    },
  };
}

export interface SealedPart {
  readonly partition: number;
  readonly batch: Buffer;
}

/** Batches are large: they are not copied into one more buffer. */
function produceBody(transactionalId: string, timeoutMs: number, parts: ByTopic<SealedPart>): Buffer[] {
  const pieces: Buffer[] = [];
  const out = new Bytes(256);
  text(out, transactionalId);
  out.int16(-1); // all replicas in sync
  out.int32(timeoutMs);
  topicsWith(out, parts, ({ partition, batch }) => {
    out.int32(partition);
    out.int32(batch.length);
    pieces.push(out.take(), batch);
    out.length = 0;
  });
  return pieces;
}

export function produceCall(
  transactionalId: string,
  timeoutMs: number,
  parts: ByTopic<SealedPart>,
): Call<void> {
  return {
    apiKey: 0,
    version: 3,
    name: 'Produce',
    body: produceBody(transactionalId, timeoutMs, parts),
    read: answer => {
      eachPartition(answer, (where, partition) => {
        throwIfError(partition.int16(), where);
        partition.int64(); // base offset
        partition.int64(); // append time
      });
    },
  };
}

export interface Fetched {
  readonly endOffset: number;
  readonly stableOffset: number;
  /** Where transactions begin that were given up. */
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
  readonly data: Buffer;
}

/** Of one partition. @param maxWaitMs  for the first byte */
export function fetchCall(
  topic: string,
  partition: number,
  offset: number,
  { maxBytes, maxWaitMs, committed }: { maxBytes: number; maxWaitMs: number; committed: boolean },
): Call<Fetched> {
  return {
    apiKey: 1,
    version: 4,
    name: 'Fetch',
    body: body(out => {
      out.int32(-1); // no replica
      out.int32(maxWaitMs);
      out.int32(1);
      out.int32(maxBytes);
      out.byte(committed ? 1 : 0);
      topicsWith(out, new Map([[topic, [partition]]]), () => {
        out.int32(partition);
        out.int64(BigInt(offset));
        out.int32(maxBytes);
      });
    }),
    read: answer => {
      answer.int32(); // throttle time
      return eachPartition(answer, readFetched)[0] ?? nothingFetched;
    },
  };
}

/** A broker that asks us to be slower answers without the partition. */
const nothingFetched: Fetched = { endOffset: -1, stableOffset: -1, aborted: [], data: Buffer.alloc(0) };

function readFetched(where: string, answer: Answer): Fetched {
  throwIfError(answer.int16(), where);
  const [endOffset, stableOffset] = [answer.offset(), answer.offset()];
  const aborted = answer.list(transaction => ({
    producerId: transaction.int64(),
    firstOffset: transaction.offset(),
  }));
  return { endOffset, stableOffset, aborted, data: answer.bytes() };
}

/**
 * The first offset (timestamp −2), or the next to come (−1).
 * @param committed  to come for who reads committed records: before what open transactions have
 */
export function listOffsetsCall(
  topic: string,
  partition: number,
  timestamp: -1 | -2,
  committed = false,
): Call<number> {
  return {
    apiKey: 2,
    version: 2,
    name: 'ListOffsets',
    body: body(out => {
      out.int32(-1); // no replica
      out.byte(committed ? 1 : 0);
      topicsWith(out, new Map([[topic, [partition]]]), () => {
        out.int32(partition);
        out.int64(BigInt(timestamp));
      });
    }),
    read: answer => {
      answer.int32(); // throttle time
      return eachPartition(answer, (where, found) => {
        throwIfError(found.int16(), where);
        found.int64(); // timestamp
        return found.offset();
      })[0]!;
    },
  };
}

export interface GroupOffset {
  readonly topic: string;
  readonly partition: number;
  /** Of the record it takes next. */
  readonly offset: number;
}

/** All that a consumer group has committed, whatever protocol it speaks; nothing of a group that there is not. */
export function groupOffsetsCall(group: string): Call<readonly GroupOffset[]> {
  return {
    apiKey: 9,
    version: 2,
    name: 'OffsetFetch',
    body: body(out => {
      text(out, group);
      out.int32(-1); // all topics
    }),
    read: answer => {
      const found = answer.list(of => {
        const topic = of.text();
        return of.list(one => {
          const committed = { topic, partition: one.int32(), offset: one.offset() };
          one.text(); // metadata
          throwIfError(one.int16(), `group ${group}`);
          return committed;
        });
      });
      const code = answer.int16();
      if (code !== noSuchGroup) throwIfError(code, `group ${group}`);
      return found.flat().filter(({ offset }) => offset >= 0);
    },
  };
}

const noSuchGroup = 69;

export interface TopicWanted {
  readonly name: string;
  readonly partitions: number;
  /** Undefined: the cluster's own default. */
  readonly replicationFactor: number | undefined;
  readonly settings: Readonly<Record<string, string>>;
}

/** One that is there already is fine. */
export function createTopicsCall(topics: readonly TopicWanted[], timeoutMs: number): Call<void> {
  return {
    apiKey: 19,
    version: 4,
    name: 'CreateTopics',
    body: body(out => {
      out.int32(topics.length);
      for (const { name, partitions, replicationFactor, settings } of topics) {
        text(out, name);
        out.int32(partitions);
        out.int16(replicationFactor ?? -1);
        out.int32(0); // no assignment by hand
        out.int32(Object.keys(settings).length);
        for (const part of Object.entries(settings).flat()) text(out, part);
      }
      out.int32(timeoutMs);
      out.byte(0);
    }),
    read: answer => {
      answer.int32(); // throttle time
      answer.list(topic => {
        const name = topic.text();
        const code = topic.int16();
        const reason = topic.text();
        if (code !== alreadyExists) throwIfError(code, `create topic ${name}`, reason);
      });
    },
  };
}

const alreadyExists = 36;
const topicResource = 2;

/** One setting of some topics; nothing of a topic whose settings we may not read. */
export function settingCall(topics: readonly string[], setting: string): Call<ReadonlyMap<string, string>> {
  return {
    apiKey: 32,
    version: 1,
    name: 'DescribeConfigs',
    body: body(out => {
      out.int32(topics.length);
      for (const topic of topics) {
        out.byte(topicResource);
        text(out, topic);
        out.int32(1);
        text(out, setting);
      }
      out.byte(0); // no synonyms
    }),
    read: answer => {
      answer.int32(); // throttle time
      return new Map(answer.list(readSetting).filter(([, value]) => value !== ''));
    },
  };
}

function readSetting(answer: Answer): readonly [string, string] {
  answer.int16(); // error
  answer.text(); // its text
  answer.int8(); // kind of resource
  const topic = answer.text();
  const values = answer.list(entry => {
    entry.text(); // name
    const value = entry.text();
    entry.int8(); // read only
    entry.int8(); // source
    entry.int8(); // sensitive
    entry.list(synonym => [synonym.text(), synonym.text(), synonym.int8()]);
    return value;
  });
  return [topic, values[0] ?? ''];
}
