import { pathOption, secret } from '@edgeward/shared/config';
import { isLoopback } from '@edgeward/shared/hosts';
import { z } from 'zod';

const text = () => z.string().min(1).max(256);

export const influxdbConfig = z.strictObject({
  url: z
    .string()
    .regex(
      /^https?:\/\/[^@\s?#]+$/,
      'must be http://host:port or https://host:port, without user, password or token. ' +
        'Remedy: write it like https://influx.example.com:8086; the token goes into token',
    )
    .refine(url => URL.canParse(url), 'is not a URL. Remedy: write it like http://127.0.0.1:8086')
    .meta({ description: 'The InfluxDB server, 2.x', examples: ['http://127.0.0.1:8086'] }),
  org: text().meta({ description: 'Its organisation, by name or id', examples: ['plant'] }),
  bucket: text().meta({ description: 'The bucket to write to', examples: ['sensors'] }),
  token: secret().meta({
    description:
      'Where a token is kept that may write the bucket, and read it for maxSeries to hold over restarts',
  }),
  allowPlainHttp: z.boolean().default(false).meta({
    description: 'Send the token over http to another machine, where everybody on the way can read it',
  }),
  tls: z
    .strictObject({
      ca: pathOption('file').meta({
        description: 'Certificates (PEM) of the authority behind the server',
        examples: ['./secrets/ca.pem'],
      }),
    })
    .optional()
    .meta({ description: 'For https with an authority of your own' }),
  createBucket: z
    .strictObject({
      allowed: z.boolean().default(false).meta({
        description: 'Create the bucket where it is missing; the token must have the right to',
      }),
      retentionS: z
        .union([z.literal(0), z.int().min(3600)])
        .default(0)
        .meta({
          description: 'How long a bucket that is created keeps points; 0 = for ever',
          unit: 's',
          examples: [2_592_000],
        }),
    })
    .prefault({})
    .meta({ description: 'What to do when there is no such bucket' }),
  gzip: z.boolean().default(true).meta({
    description: 'Compress requests: a tenth of the bytes for about a third more CPU here',
  }),
  batchBytes: z
    .int()
    .min(1024)
    .max(32 * 1024 * 1024)
    .default(1024 * 1024)
    .meta({ description: 'Size of one request before compression', unit: 'bytes' }),
  timeoutMs: z
    .int()
    .min(100)
    .max(600_000)
    .default(30_000)
    .meta({ description: 'How long one request may take', unit: 'ms' }),
  maxSeries: z
    .strictObject({
      perMeasurement: z.int().min(1).default(100_000).meta({ description: 'Devices of one type' }),
      total: z.int().min(1).default(250_000).meta({ description: 'Devices in all' }),
    })
    .prefault({})
    .meta({
      description:
        'Series that the bucket may come to have; rows of devices beyond go to the dead letters, those it has go on',
    }),
});

export type InfluxdbConfig = z.output<typeof influxdbConfig>;

/** What no single option can tell. */
export function checkInfluxdb(config: InfluxdbConfig, context: z.RefinementCtx): void {
  if (!URL.canParse(config.url)) return;
  const { protocol, hostname } = new URL(config.url);
  if (protocol === 'http:' && !isLoopback(hostname) && !config.allowPlainHttp)
    context.addIssue({
      code: 'custom',
      path: ['url'],
      input: config.url,
      message:
        'the token would cross the network in plain text. ' +
        'Remedy: use https, or set allowPlainHttp: true where the network is trusted',
    });
  if (protocol === 'http:' && config.tls)
    context.addIssue({
      code: 'custom',
      path: ['tls'],
      message: 'is for https only. Remedy: write the url with https, or leave tls out',
    });
}
