import { distinctNames, nameOption, secret } from '@edgeward/shared/config';
import { isLoopback } from '@edgeward/shared/hosts';
import { z } from 'zod';
import { fieldOption } from './field-options.js';
import type { Misfit } from './simulated-config.js';

/** Rows × fields of one request must fit one block: see wireLimits. */
export const mostRows = 10_000;
export const mostFields = 128;

const deviceType = z.strictObject({
  name: nameOption().meta({
    description: 'Name of the type, as rules and models know it',
    examples: ['press'],
  }),
  fields: z
    .array(fieldOption)
    .min(1)
    .max(mostFields)
    .superRefine(distinctNames('fields'))
    .meta({ description: 'Its fields' }),
});

const device = z.strictObject({
  name: nameOption().meta({ description: 'Name of the device', examples: ['press-1'] }),
  type: nameOption().meta({ description: 'Its type, one of deviceTypes', examples: ['press'] }),
});

export const httpConfig = z.strictObject({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .meta({
      description: 'Address to listen on; any other than loopback needs a token',
      examples: ['0.0.0.0'],
    }),
  port: z.int().min(0).max(65_535).default(8186).meta({ description: 'Port to listen on; 0 = any free one' }),
  token: secret()
    .optional()
    .meta({
      description: 'What clients send as "Authorization: Bearer …" or "Token …"',
      examples: [{ env: 'EDGEWARD_HTTP_TOKEN' }],
    }),
  deviceTypes: z
    .array(deviceType)
    .max(1000)
    .superRefine(distinctNames('deviceTypes'))
    .default([])
    .meta({ description: 'Types of devices with their fields, declared; anything else is discovered' }),
  devices: z
    .array(device)
    .max(4000)
    .superRefine(distinctNames('devices'))
    .default([])
    .meta({ description: 'Devices of declared types' }),
  discover: z
    .enum(['all', 'devices', 'nothing'])
    .default('all')
    .meta({
      description:
        'What may come undeclared: devices and fields (the first value of a field decides its kind); ' +
        'only devices of declared types; nothing',
    }),
  deviceType: nameOption().optional().meta({
    description:
      'Type of a device that is discovered; without it, the measurement of its first line, or "device" for rows that name none',
  }),
  deviceTags: z
    .array(z.string().min(1))
    .max(16)
    .default(['device'])
    .meta({
      description:
        'Line protocol: tags whose values, joined by dots, name the device; a line without any of them names it by its measurement',
      examples: [['host', 'cpu']],
    }),
  fieldNames: z.enum(['field', 'measurement']).default('field').meta({
    description:
      'Line protocol: a field has its own name, or that of its measurement (as measurement.field unless it is "value")',
  }),
  maxDevices: z
    .int()
    .min(1)
    .max(4000)
    .default(1000)
    .meta({ description: 'Devices that there may be, with those declared' }),
  maxFields: z
    .int()
    .min(1)
    .max(mostFields)
    .default(mostFields)
    .meta({ description: 'Fields that a device may have' }),
  maxBodyBytes: z
    .int()
    .min(1024)
    .max(16 * 1024 * 1024)
    .default(4 * 1024 * 1024)
    .meta({ description: 'Longest body of a request, before and after gzip is undone', unit: 'bytes' }),
  maxRows: z
    .int()
    .min(1)
    .max(mostRows)
    .default(mostRows)
    .meta({ description: 'Rows that a request may have' }),
  maxWaitingBytes: z
    .int()
    .min(64 * 1024)
    .default(8 * 1024 * 1024)
    .meta({
      description: 'Bodies that may wait to be stored; beyond it, clients are told to come later (429)',
      unit: 'bytes',
    }),
  patienceMs: z.int().min(100).max(3_600_000).default(10_000).meta({
    description: 'When storing takes longer than this, waiting requests are told to come later (429)',
    unit: 'ms',
  }),
  batchRows: z
    .int()
    .min(1)
    .max(mostRows)
    .default(5000)
    .meta({ description: 'Rows in a block at most, unless a single request has more' }),
  idempotencyKeys: z
    .int()
    .min(0)
    .max(10_000)
    .default(1000)
    .meta({ description: 'Newest values of Idempotency-Key that are remembered, across restarts too' }),
  maxConnections: z
    .int()
    .min(1)
    .max(100_000)
    .default(512)
    .meta({ description: 'Connections at a time; further ones are closed at once' }),
  idleTimeoutMs: z
    .int()
    .min(1000)
    .max(3_600_000)
    .default(60_000)
    .meta({ description: 'A connection without a request is kept so long', unit: 'ms' }),
  requestTimeoutMs: z
    .int()
    .min(1000)
    .max(3_600_000)
    .default(30_000)
    .meta({ description: 'Longest time for a request to arrive', unit: 'ms' }),
});

export type HttpConfig = z.output<typeof httpConfig>;

/** What the options alone cannot see of each other, and where it stands. */
export function httpMisfits(config: HttpConfig): Misfit[] {
  const { host, token, devices, deviceTypes, maxDevices, discover } = config;
  const types = new Set(deviceTypes.map(({ name }) => name));
  const misfits: Misfit[] = [];
  if (!isLoopback(host) && token === undefined) {
    misfits.push({
      path: ['host'],
      problem: 'other machines can reach it, but there is no token',
      remedy: 'set token to { file: PATH } or { env: NAME }, or keep 127.0.0.1',
    });
  }
  devices.forEach(({ type }, i) => {
    if (types.has(type)) return;
    const known = types.size > 0 ? `use one of ${[...types].slice(0, 10).join(', ')}, or ` : '';
    misfits.push({
      path: ['devices', i, 'type'],
      problem: 'not one of the deviceTypes of this source',
      remedy: `${known}declare it under deviceTypes`,
    });
  });
  if (devices.length > maxDevices)
    misfits.push({
      path: ['maxDevices'],
      problem: `there are ${devices.length} devices declared`,
      remedy: 'raise it',
    });
  if (discover === 'nothing' && devices.length === 0)
    misfits.push({
      path: ['discover'],
      problem: 'no device is declared, so that every point would be refused',
      remedy: 'declare devices, or set discover to devices or all',
    });
  if (config.maxWaitingBytes < 2 * config.maxBodyBytes)
    misfits.push({
      path: ['maxWaitingBytes'],
      problem: `a body of maxBodyBytes (${config.maxBodyBytes}) needs twice as much while gzip is undone`,
      remedy: 'raise it, or lower maxBodyBytes',
    });
  return misfits;
}
