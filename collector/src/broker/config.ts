import { nameOption, secret } from '@edgeward/shared/config';
import { isLoopback } from '@edgeward/shared/hosts';
import { z } from 'zod';
import { brokerLimits } from './limits.js';

const external = z.strictObject({
  url: z
    .string()
    .regex(
      /^mqtts?:\/\/[^@\s]+$/,
      'must be mqtt://host:port or mqtts://host:port, without user or password. ' +
        'Remedy: write it like mqtt://10.0.0.5:1883; ' +
        'user and password go into broker.external.username and broker.external.password',
    )
    .meta({ description: 'The broker that gateways publish to', examples: ['mqtt://10.0.0.5:1883'] }),
  username: z.string().min(1).max(256).optional().meta({ description: 'User of the collector there' }),
  password: secret().optional().meta({ description: 'Where its password is kept: { file } or { env }' }),
  clientId: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
    .default('edgeward-collector')
    .meta({ description: 'Its client id there; two collectors at one broker need two' }),
  keepAliveS: z.int().min(2).max(3600).default(30).meta({ description: 'MQTT keep-alive', unit: 's' }),
});

/** The embedded broker, or somebody else's. */
export const brokerConfig = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .meta({
        description: 'Address to listen on; any other than loopback needs users',
        examples: ['0.0.0.0'],
      }),
    port: z.int().min(0).max(65_535).default(1883).meta({ description: 'MQTT port; 0 = any free one' }),
    users: z.record(nameOption(), secret()).optional().meta({
      description: 'Gateway name → where its password is kept; without users nobody needs a password',
    }),
    takeoverAfterS: z
      .int()
      .min(0)
      .max(30 * 24 * 3600)
      .default(300)
      .meta({
        description:
          'How long a gateway must have been silent before another outbox, such as that of a new SD card, may have its name',
        unit: 's',
      }),
    limits: brokerLimits.prefault({}).meta({ description: 'What clients may ask of the embedded broker' }),
    external: external.optional().meta({
      description:
        'Gateways publish to this broker; the collector is its client and listens on no MQTT port itself',
    }),
  })
  .refine(broker => isLoopback(broker.host) || broker.users !== undefined || broker.external !== undefined, {
    path: ['host'],
    error:
      'other machines can reach it, but there are no users. ' +
      'Remedy: give broker.users, one per gateway, or keep 127.0.0.1',
  });

export type BrokerConfig = z.output<typeof brokerConfig>;
export type ExternalBrokerConfig = z.output<typeof external>;
