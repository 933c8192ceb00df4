/** Kafka sinks for tests: options, and a wire that fails. */
import { kafka } from '@edgeward/collector/sinks/kafka';
import type { KafkaConfig } from '@edgeward/collector/sinks/kafka/config';
import { openWire } from '@edgeward/collector/sinks/kafka/connect';
import { KafkaSink } from '@edgeward/collector/sinks/kafka/sink';
import type { Wire } from '@edgeward/collector/sinks/kafka/wire';
import { systemClock } from '@edgeward/shared/clock';
import type { Refusal, Rng } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';

export interface SinkOptions {
  readonly broker: string;
  /** Also part of the topics' names: two sinks share only the cursor topic. */
  readonly name: string;
  readonly config?: object;
  /** Around each wire that is opened. */
  readonly wrap?: (wire: Wire) => Wire;
  readonly refuse?: (refusals: readonly Refusal[]) => Promise<void>;
}

export const readingsOf = (name: string) => `${name}.readings`;

export function kafkaConfigOf({ broker, name, config }: SinkOptions): KafkaConfig {
  const none = { anomalies: null, incidents: null, events: null };
  return kafka.config.parse({
    brokers: [broker],
    topics: { readings: readingsOf(name), ...none },
    createTopics: { partitions: 1 },
    ...config,
  });
}

export function kafkaSink(options: SinkOptions): KafkaSink {
  const config = kafkaConfigOf(options);
  const wrap = options.wrap ?? (wire => wire);
  const refuse = options.refuse ?? (() => Promise.reject(new Error('nothing was to be refused')));
  return new KafkaSink({
    name: options.name,
    collector: 'test',
    log: silentLogger,
    clock: systemClock,
    refuse,
    config,
    openWire: async () => wrap(await openWire(config, silentLogger)),
  });
}

/** Fails while `failing()` says so: before the broker hears of it, or once it has done it and nobody hears its answer. */
export function failingWire(wire: Wire, failing: () => boolean, rng: Rng): Wire {
  const lost = () => new Error('the connection broke');
  return {
    close: () => wire.close(),
    connect: async (host, port) => {
      const node = await wire.connect(host, port);
      return {
        call: async call => {
          if (!failing()) return node.call(call);
          if (rng() < 0.5) throw lost();
          await node.call(call);
          throw lost();
        },
      };
    },
  };
}
