import { wireLimits } from '@edgeward/shared/wire';
import { z } from 'zod';

/** What one client, and all together, may ask of the embedded broker. */
export const brokerLimits = z.strictObject({
  maxConnections: z
    .int()
    .min(1)
    .default(10_000)
    .meta({ description: 'Connections at once; further ones are closed at once' }),
  maxConnectionsPerAddress: z
    .int()
    .min(1)
    .default(4000)
    .meta({ description: 'Connections at once from one IP address; gateways behind one router share one' }),
  maxPacketBytes: z
    .int()
    .min(1024)
    .max(268_435_460)
    .default(wireLimits.maxBytes + 65_536)
    .meta({ description: 'Longest PUBLISH; a longer one is refused before it is read', unit: 'bytes' }),
  maxControlBytes: z
    .int()
    .min(1024)
    .max(16 * 1024 * 1024)
    .default(131_072)
    .meta({
      description: 'Longest packet of any other kind, such as CONNECT with its last will',
      unit: 'bytes',
    }),
  connectTimeoutMs: z
    .int()
    .min(10)
    .max(600_000)
    .default(10_000)
    .meta({ description: 'Whoever has not said by then who it is is hung up on', unit: 'ms' }),
  maxIdleS: z.int().min(1).max(1_000_000).default(1800).meta({
    description: 'Longest silence of a client that asks for no keep-alive, or for a longer one',
    unit: 's',
  }),
  maxMessagesPerSecond: z
    .int()
    .min(1)
    .default(20_000)
    .meta({ description: 'Packets of one client; above it the broker reads it more slowly' }),
  maxBytesPerSecond: z
    .int()
    .min(1024)
    .default(64 * 1024 * 1024)
    .meta({ description: 'Bytes of one client; above it the broker reads it more slowly', unit: 'bytes' }),
  maxSubscriptions: z.int().min(1).default(16).meta({ description: 'Subscriptions of one client' }),
  maxTopicBytes: z
    .int()
    .min(100)
    .max(65_535)
    .default(256)
    .meta({ description: 'Longest topic', unit: 'bytes' }),
  maxTopicLevels: z.int().min(4).max(100).default(8).meta({ description: 'Most levels of a topic' }),
  maxUnreadBytes: z
    .int()
    .min(16 * 1024)
    .default(1024 * 1024)
    .meta({
      description: 'What may wait here for a client that does not read; above it the client is cut off',
      unit: 'bytes',
    }),
  drainTimeoutMs: z
    .int()
    .min(10)
    .max(600_000)
    .default(30_000)
    .meta({ description: 'A client that has not read by then what waits for it is cut off', unit: 'ms' }),
  maxHeldJson: z.int().min(1).max(100_000).default(1000).meta({
    description: 'Messages on json topics that may wait for the journal at once; further ones queue up',
  }),
});

export type BrokerLimits = z.output<typeof brokerLimits>;
export const defaultLimits: BrokerLimits = brokerLimits.parse({});
