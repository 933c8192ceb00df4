/** What a consumer of committed records gets, read by kafkajs's own consumer: it shares no code with the sink. */
import { silentLogger } from '@edgeward/shared/log';
import { Kafka, logLevel } from 'kafkajs';
import { Cluster } from '../sinks/kafka/cluster.js';
import { kafkaConfig } from '../sinks/kafka/config.js';
import { openWire } from '../sinks/kafka/connect.js';
import { offsetsOf } from '../sinks/kafka/reader.js';

export interface ConsumedRecord {
  readonly partition: number;
  readonly offset: string;
  readonly timestamp: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

let groups = 0;

/** All that is committed of a topic, by partition and offset; nothing if there is no such topic. */
export async function readTopic(broker: string, topic: string): Promise<ConsumedRecord[]> {
  const kafka = new Kafka({ brokers: [broker], clientId: 'reader', logLevel: logLevel.NOTHING });
  const ends = await endsOf(broker, topic);
  // By offset: a consumer that joins its group again reads again.
  const records = new Map<string, ConsumedRecord>();
  if (ends.size === 0) return [];
  groups += 1;
  const consumer = kafka.consumer({ groupId: `reader-${process.pid}-${groups}`, maxWaitTimeInMs: 100 });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
        if (!restart) reject(error);
      });
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
        // Markers of transactions count as offsets, too.
        if (Number(lastOffset) + 1 >= (ends.get(partition) ?? 0)) ends.delete(partition);
        if (ends.size === 0) resolve();
      });
      const eachMessage = async ({ partition, message }: Consumed) => {
        records.set(`${partition}/${message.offset}`, recordOf(partition, message));
      };
      consumer.run({ autoCommit: false, eachMessage }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return [...records.values()].sort(
    (a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset),
  );
}

interface Consumed {
  readonly partition: number;
  readonly message: {
    readonly offset: string;
    readonly timestamp: string;
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly headers?: object;
  };
}

/**
 * Of partitions that have anything. By our own request: kafkajs asks for the end of what is committed, and a commit is
 * answered before it can be read.
 */
async function endsOf(broker: string, topic: string): Promise<Map<number, number>> {
  const config = kafkaConfig.parse({ brokers: [broker] });
  const cluster = new Cluster(await openWire(config, silentLogger), config.brokers);
  try {
    const [found] = await cluster.topics([topic]);
    const ends = new Map<number, number>();
    for (const partition of found?.leaders.keys() ?? []) {
      const { first, end } = await offsetsOf(cluster, topic, partition);
      if (end > first) ends.set(partition, end);
    }
    return ends;
  } finally {
    cluster.close();
  }
}

function recordOf(
  partition: number,
  { offset, timestamp, key, value, headers }: Consumed['message'],
): ConsumedRecord {
  const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]);
  return {
    partition,
    offset,
    timestamp,
    key: key === null ? null : key.toString(),
    value: value === null ? null : value.toString(),
    headers: Object.fromEntries(texts),
  };
}
