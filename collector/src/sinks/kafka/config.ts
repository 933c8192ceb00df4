import { pathOption, secret } from '@edgeward/shared/config';
import { isLoopback } from '@edgeward/shared/hosts';
import { z } from 'zod';
import { compressions } from './compression.js';

const address = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/@[\]]+):\d{1,5}$/;

function topicOption() {
  return z
    .string()
    .max(249)
    .regex(
      /^(?!\.{1,2}$)[a-zA-Z0-9._-]+$/,
      'not a topic name. Remedy: use letters, digits, dots, dashes and underscores',
    );
}

const topics = z.strictObject({
  readings: topicOption()
    .nullable()
    .default('sensor.readings')
    .meta({ description: 'Every row; null: none' }),
  anomalies: topicOption()
    .nullable()
    .default('sensor.anomalies')
    .meta({ description: 'Rows that were flagged, with the evidence; null: none' }),
  incidents: topicOption()
    .nullable()
    .default('sensor.incidents')
    .meta({ description: 'What becomes of incidents; null: none' }),
  events: topicOption()
    .nullable()
    .default('sensor.gateway-events')
    .meta({ description: 'What gateways and the collector tell; null: none' }),
  cursors: topicOption().default('edgeward.cursors').meta({
    description:
      'Where the sink notes how far it has come, in the same transaction; one partition, compacted',
  }),
});

const milliseconds = (description: string, usual: number, most: number) =>
  z.int().min(100).max(most).default(usual).meta({ description, unit: 'ms' });

export const kafkaConfig = z.strictObject({
  brokers: z
    .array(z.string().regex(address, 'not an address. Remedy: write host:port'))
    .min(1)
    .meta({
      description: 'Some brokers of the cluster; it tells of the others',
      examples: [['127.0.0.1:9092']],
    }),
  clientId: z
    .string()
    .min(1)
    .max(200)
    .default('edgeward')
    .meta({ description: 'Name in the logs and quotas of the brokers' }),
  client: z.enum(['kafkajs']).default('kafkajs').meta({ description: 'Library that speaks to the brokers' }),
  tls: z
    .strictObject({
      ca: pathOption('file')
        .optional()
        .meta({
          description: 'PEM file of the authority that signed the brokers; absent: those that Node.js trusts',
          examples: ['./kafka-ca.pem'],
        }),
      certificate: pathOption('file')
        .optional()
        .meta({ description: 'PEM file of the client certificate', examples: ['./collector.pem'] }),
      key: pathOption('file')
        .optional()
        .meta({ description: 'PEM file of its private key', examples: ['./collector.key'] }),
      serverName: z
        .string()
        .min(1)
        .optional()
        .meta({ description: 'Name in the certificates of the brokers; absent: their host' }),
    })
    .optional()
    .meta({ description: 'Encrypt; absent: do not', examples: [{ ca: './kafka-ca.pem' }] }),
  sasl: z
    .strictObject({
      mechanism: z
        .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
        .default('scram-sha-512')
        .meta({ description: 'How to log in; plain needs tls unless the brokers are on this machine' }),
      username: z.string().min(1).meta({ description: 'Log in as' }),
      password: secret().meta({ description: 'Password of that user' }),
    })
    .optional()
    .meta({ description: 'Log in; absent: do not' }),
  topics: topics.prefault({}).meta({ description: 'Where what goes' }),
  createTopics: z
    .strictObject({
      allowed: z
        .boolean()
        .default(true)
        .meta({ description: 'Create topics that are missing; they never come by themselves' }),
      partitions: z
        .int()
        .min(1)
        .max(10_000)
        .default(6)
        .meta({ description: 'Of a topic that is created, but for the cursors' }),
      replicationFactor: z
        .int()
        .min(1)
        .max(32_767)
        .optional()
        .meta({ description: 'Of a topic that is created; absent: as the cluster is set up' }),
    })
    .prefault({})
    .meta({ description: 'Topics that are missing' }),
  format: z.enum(['json']).default('json').meta({ description: 'How rows are written' }),
  compression: z.enum(compressions).default('none').meta({ description: 'Of what is sent' }),
  maxMessageBytes: z
    .int()
    .min(1024)
    .max(100 * 1024 * 1024)
    .default(1_000_000)
    .meta({
      description:
        'Of one batch before compression; a topic that takes less is heeded. A row above it goes to the dead letters',
      unit: 'bytes',
    }),
  lagGroups: z
    .array(z.string().min(1).max(200))
    .max(100)
    .default([])
    .meta({
      description: 'Consumer groups whose lag is looked at, in metrics and for the health of the pipeline',
      examples: [['dashboards', 'lake']],
    }),
  lagEveryS: z.int().min(1).max(3600).default(5).meta({ description: 'How often', unit: 's' }),
  connectTimeoutMs: milliseconds('To reach a broker', 5000, 120_000),
  requestTimeoutMs: milliseconds('For an answer', 30_000, 600_000),
  transactionTimeoutMs: milliseconds(
    'After which the broker gives up a transaction of a sink that is gone; readers of committed records wait for it',
    60_000,
    900_000,
  ),
});

export type KafkaConfig = z.output<typeof kafkaConfig>;

/** What one option alone cannot tell. */
export function checkKafka(config: Partial<KafkaConfig>, context: z.RefinementCtx): void {
  const { brokers = [], sasl, tls } = config;
  if (config.topics) checkTopics(config.topics, context);
  const far = brokers.find(broker => !isLoopback(broker.slice(0, broker.lastIndexOf(':'))));
  if (sasl?.mechanism === 'plain' && !tls && far !== undefined)
    context.addIssue({
      code: 'custom',
      path: ['sasl', 'mechanism'],
      message: `the password would go to ${far} as it is. Remedy: add tls, or use scram-sha-512`,
    });
  if (tls && (tls.certificate === undefined) !== (tls.key === undefined))
    context.addIssue({
      code: 'custom',
      path: ['tls'],
      message: 'a client certificate needs its key and the key its certificate. Remedy: give both or none',
    });
}

function checkTopics(names: KafkaConfig['topics'], context: z.RefinementCtx): void {
  const taken = new Map<string, string>();
  for (const [option, name] of Object.entries(names)) {
    if (name === null) continue;
    const other = taken.get(name);
    if (other === undefined) taken.set(name, option);
    else
      context.addIssue({
        code: 'custom',
        path: ['topics', option],
        message: `is ${name}, as topics.${other}. Remedy: give each a topic of its own, or null for none`,
      });
  }
}
