import { nameOption, pathOption, secret } from '@edgeward/shared/config';
import { z } from 'zod';
import { blockOptions } from '../block-options.js';
import { namesIn, overlap, parsePattern } from './topic-pattern.js';

const field = z
  .strictObject({
    name: nameOption().meta({ description: 'Name of the field', examples: ['temperature'] }),
    path: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: 'Where it is in a JSON payload, dots between the keys; without it, under its name',
        examples: ['values.temp'],
      }),
    kind: z.enum(['float', 'int', 'bool', 'string']).optional().meta({
      description:
        'What the field holds; without it, what the payload says: text string, bool bool, else float',
    }),
    unit: z
      .string()
      .max(32)
      .optional()
      .meta({ description: 'Unit of the field', examples: ['Cel', 'bar'] }),
    min: z.number().optional().meta({ description: 'Physically possible lower bound' }),
    max: z.number().optional().meta({ description: 'Physically possible upper bound' }),
    maxRate: z
      .number()
      .positive()
      .optional()
      .meta({ description: 'Largest plausible change', unit: 'units per second' }),
    stuckAfter: z
      .int()
      .min(2)
      .optional()
      .meta({ description: 'So many equal values in a row mean that the channel is stuck' }),
  })
  .refine(({ min, max }) => min === undefined || max === undefined || min < max, {
    path: ['min'],
    message: 'must be less than max. Remedy: give a min below the max, or leave one of them out',
  });

const subscription = z
  .strictObject({
    topic: z.string().meta({
      description: 'Topic filter; levels may be named for use in device and field, + and # are any',
      examples: ['plant/{line}/{device}/{field}', 'plant/+/{device}'],
    }),
    qos: z
      .union([z.literal(0), z.literal(1)])
      .default(1)
      .meta({ description: '1: the broker keeps each message until it is stored here; 0: it may get lost' }),
    payload: z.enum(['json', 'number', 'bool', 'text']).default('json').meta({
      description: 'json: an object with several fields; else one plain value, of the field named by `field`',
    }),
    device: z
      .string()
      .default('{device}')
      .meta({
        description: 'Name of the device, with named levels of the topic',
        examples: ['{line}-{device}', 'boiler-1'],
      }),
    deviceType: nameOption().meta({
      description: 'Type of the devices, as rules and models know it',
      examples: ['pump'],
    }),
    field: z
      .string()
      .optional()
      .meta({
        description:
          'For plain values: name of the field; without it, {field} if the topic has it, else value',
        examples: ['{quantity}', 'temperature'],
      }),
    fields: z.array(field).min(1).max(256).optional().meta({
      description:
        'Fields of the device type, and no others; without it, every number and boolean that comes becomes a field',
    }),
    timePath: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: 'Where the time is in a JSON payload; without it, rows get the time of their arrival',
        examples: ['ts'],
      }),
    timeFormat: z
      .enum(['auto', 'iso', 'epochMs', 'epochS'])
      .default('auto')
      .meta({ description: 'How times are written; ISO times without a zone are UTC' }),
  })
  .superRefine((options, context) => {
    for (const { path, message } of troublesOf(options)) context.addIssue({ code: 'custom', path, message });
  });

export type SubscriptionConfig = z.output<typeof subscription>;

interface Trouble {
  readonly path: string[];
  readonly message: string;
}

function troublesOf(options: z.output<typeof subscription>): Trouble[] {
  const pattern = parsePattern(options.topic);
  if (typeof pattern === 'string') return [{ path: ['topic'], message: pattern }];
  const troubles: Trouble[] = [];
  for (const key of ['device', 'field'] as const) {
    const unknown = namesIn(options[key] ?? '').find(name => !pattern.names.includes(name));
    if (unknown === undefined) continue;
    const message = `the topic has no level {${unknown}}. Remedy: name it in topic, or write a fixed name here`;
    troubles.push({ path: [key], message });
  }
  if (options.payload === 'json') {
    const message = 'is for plain values only. Remedy: remove it, or set payload to number, bool or text';
    if (options.field !== undefined) troubles.push({ path: ['field'], message });
  } else {
    const message = 'needs payload json. Remedy: remove it, or set payload to json';
    if (options.timePath !== undefined) troubles.push({ path: ['timePath'], message });
  }
  return troubles;
}

/** Two filters that share a topic would bring its messages twice, and one id for both could not tell them apart. */
function distinctFilters(subscriptions: readonly SubscriptionConfig[], context: z.RefinementCtx): void {
  const patterns = subscriptions.map(({ topic }) => parsePattern(topic));
  for (const [i, one] of patterns.entries()) {
    const other = patterns.findIndex(
      (pattern, j) =>
        j < i && typeof pattern !== 'string' && typeof one !== 'string' && overlap(pattern, one),
    );
    if (other < 0) continue;
    context.addIssue({
      code: 'custom',
      path: [i, 'topic'],
      message: `subscriptions[${other}] has topics of this one too. Remedy: make the filters exclude each other, for example by a fixed level`,
    });
  }
}

export const mqttConfig = z.strictObject({
  url: z
    .string()
    .regex(
      /^mqtts?:\/\/[^@\s/]+$/,
      'must be mqtt://host:port or mqtts://host:port, without user or password. ' +
        'Remedy: write it like mqtt://10.0.0.5:1883; user and password go into username and password',
    )
    .meta({ description: "The plant's broker, MQTT 3.1.1", examples: ['mqtt://10.0.0.5:1883'] }),
  username: z.string().min(1).optional().meta({ description: 'User name at the broker' }),
  password: secret().optional().meta({ description: 'Where the password is kept: { file } or { env }' }),
  ca: pathOption('file')
    .optional()
    .meta({
      description:
        'For mqtts: certificates (PEM) that the broker must be signed by, instead of the well-known ones',
      examples: ['./plant-ca.pem'],
    }),
  clientId: z.string().min(1).max(128).optional().meta({
    description:
      'Name of our session at the broker, unique there; without it, edgeward-GATEWAY-SOURCE. The session outlives a restart: the broker keeps what comes meanwhile',
  }),
  keepAliveS: z.int().min(1).max(3600).default(30).meta({
    description: 'A dead connection is noticed within two of these',
    unit: 's',
  }),
  connectTimeoutMs: z
    .int()
    .min(100)
    .max(60_000)
    .default(5000)
    .meta({ description: 'Longest wait for a connection', unit: 'ms' }),
  retained: z.enum(['take', 'skip']).default('take').meta({
    description: 'What a broker has retained when the session begins: take it as readings, once, or skip it',
  }),
  subscriptions: z
    .array(subscription)
    .min(1)
    .max(1000)
    .superRefine(distinctFilters)
    .meta({ description: 'Topics, and what their messages mean' }),
  joinMs: z.int().min(0).max(60_000).default(50).meta({
    description:
      'Plain values of different fields that a device sends within this time become one row, if they are stored together; 0 = each its own row',
    unit: 'ms',
  }),
  maxPacketBytes: z
    .int()
    .min(1024)
    .max(16 * 1024 * 1024)
    .default(256 * 1024)
    .meta({ description: 'A longer message is rejected', unit: 'bytes' }),
  maxWaitingBytes: z
    .int()
    .min(16 * 1024)
    .max(256 * 1024 * 1024)
    .default(4 * 1024 * 1024)
    .meta({
      description: 'Messages that may wait to be stored; beyond it, nothing is read from the broker',
      unit: 'bytes',
    }),
  batchRows: blockOptions.batchRows,
  lingerMs: z.int().min(0).max(10_000).default(100).meta({
    description:
      'How long a message may wait for others to be stored with; less where the broker waits for acknowledgements',
    unit: 'ms',
  }),
});

export type MqttConfig = z.output<typeof mqttConfig>;
