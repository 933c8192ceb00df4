/** Kafka sinks for tests: options, and a wire that fails. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { kafka } from '@edgeward/collector/sinks/kafka';
import type { KafkaConfig } from '@edgeward/collector/sinks/kafka/config';
import { openWire } from '@edgeward/collector/sinks/kafka/connect';
import { KafkaSink } from '@edgeward/collector/sinks/kafka/sink';
import type { Wire } from '@edgeward/collector/sinks/kafka/wire';
import { systemClock } from '@edgeward/shared/clock';
import type { Refusal, Rng } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import type { AnswerCutter } from './answer-cutter.js';
import { freePort } from './processes.js';
import { Service } from './services.js';

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

interface Listener {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  /** Where clients are told to go instead. */
  readonly advertised?: number;
}

export interface BrokerOptions {
  /** Where clients are told to go instead of the broker itself. */
  readonly through?: AnswerCutter;
  /** Further listeners, on ports of their own. */
  readonly beside?: readonly Listener[];
  /** Further lines for server.properties. */
  readonly properties?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface TestBroker extends AsyncDisposable {
  readonly service: Service;
  /** Past whatever clients are sent through. */
  readonly direct: string;
}

const host = '127.0.0.1';

/** A broker that keeps records however old they say they are: those of tests have times of their own. */
export async function startBroker(options: BrokerOptions = {}): Promise<TestBroker> {
  const { through, beside = [], properties = [], env = {} } = options;
  const folder = mkdtempSync(path.join(tmpdir(), 'edgeward-broker-'));
  const extra = path.join(folder, 'extra.properties');
  const [port, controller, clients] = [await freePort(), await freePort(), await freePort()];
  const own: Listener[] = [{ name: 'PLAINTEXT', port, protocol: 'PLAINTEXT' }, ...beside];
  if (through) {
    through.target = clients;
    own.push({ name: 'CLIENT', port: clients, protocol: 'PLAINTEXT', advertised: through.port });
  }
  const all = [...own, { name: 'CONTROLLER', port: controller, protocol: 'PLAINTEXT' }];
  const lines = [
    'log.retention.ms=-1',
    `listeners=${all.map(({ name, port: at }) => `${name}://${host}:${at}`)}`,
    `advertised.listeners=${own.map(({ name, port: at, advertised }) => `${name}://${host}:${advertised ?? at}`)}`,
    `listener.security.protocol.map=${all.map(({ name, protocol }) => `${name}:${protocol}`)}`,
    ...properties,
  ];
  writeFileSync(extra, `${lines.join('\n')}\n`);
  const ports = { KAFKA_PORT: String(port), KAFKA_CTRL_PORT: String(controller) };
  const service = await Service.start('kafka', { ...ports, KAFKA_EXTRA: extra, ...env });
  return {
    service,
    direct: `${host}:${port}`,
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** By hand, as an administrator would. */
export async function createTopic(
  { service, direct }: TestBroker,
  topic: string,
  settings: Readonly<Record<string, string | number>> = {},
  partitions = 1,
): Promise<void> {
  const config = Object.entries(settings).flatMap(([name, value]) => ['--config', `${name}=${value}`]);
  const what = ['--create', '--topic', topic, '--partitions', String(partitions), ...config];
  const where = ['--bootstrap-server', direct];
  await service.run('tool', 'org.apache.kafka.tools.TopicCommand', ...where, ...what);
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
