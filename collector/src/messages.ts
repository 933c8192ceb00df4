/** What gateways say besides blocks. Anything that does not fit is ignored by the caller, with a line in the log. */
import type { AgentEvent, AgentReport } from '@edgeward/shared/contracts';
import { namePattern } from '@edgeward/shared/topics';
import { epochPattern } from '@edgeward/shared/wire';
import { z } from 'zod';

const count = z.int().min(0);
const epoch = z.string().regex(epochPattern);
const name = z.string().regex(namePattern);

const stateSchema = z.object({
  online: z.boolean(),
  epoch,
  outbox: z.string().max(64),
  /** Counts this start's connections: an old connection's last will does not end a newer one. */
  link: count,
  version: z.string().max(64),
  site: name.optional(),
  /** What the blocks on their way need to be understood. */
  schemas: z.array(z.unknown()).max(1024).default([]),
});
export type GatewayState = z.infer<typeof stateSchema>;

const reportSchema = z.object({
  gateway: name,
  epoch,
  atMs: z.number(),
  site: name.optional(),
  version: z.string().max(64),
  devices: z
    .array(
      z.object({
        device: name,
        read: count,
        rejected: count,
        thinned: count,
        dropped: count,
        damaged: count,
        rows: z.array(z.object({ epoch, ranges: z.array(z.tuple([count, count])).max(100_000) })).max(1024),
        held: z.array(z.object({ epoch, from: count, through: count, count })).max(100_000),
      }),
    )
    .max(10_000),
  condensedThrough: count,
  outbox: z.object({
    id: z.string().max(64),
    blocks: count,
    bytes: count,
    maxBytes: count,
    oldestMs: z.number().nullable(),
    durability: z.enum(['deferred', 'always']),
  }),
  process: z.object({ pid: count, rssBytes: count, cpuSeconds: z.number() }),
  models: z.record(z.string().max(64), z.string().max(128)),
});

const eventSchema = z.object({
  gateway: name,
  epoch,
  atMs: z.number(),
  kind: z.enum([
    'gap',
    'damage',
    'dropped',
    'thinned',
    'model',
    'source',
    'clock',
    'identity',
    'disk',
    'journal',
  ]),
  text: z.string().max(1000),
  details: z.record(z.string().max(64), z.union([z.string().max(500), z.number(), z.null()])),
});

export function parseState(payload: Uint8Array): GatewayState | undefined {
  return parse(stateSchema, payload);
}

export function parseReport(payload: Uint8Array, gateway: string): AgentReport | undefined {
  const report = parse(reportSchema, payload);
  return report?.gateway === gateway ? (report as AgentReport) : undefined;
}

export function parseEvent(payload: Uint8Array, gateway: string): AgentEvent | undefined {
  const event = parse(eventSchema, payload);
  return event?.gateway === gateway ? event : undefined;
}

function parse<T>(schema: z.ZodType<T>, payload: Uint8Array): T | undefined {
  try {
    return schema.safeParse(JSON.parse(Buffer.from(payload).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
