/** What gateways say besides blocks. Anything that does not fit is ignored by the caller, with a line in the log. */
import type { AgentEvent } from '@edgeward/shared/contracts';
import { namePattern } from '@edgeward/shared/topics';
import { epochPattern } from '@edgeward/shared/wire';
import { z } from 'zod';
import { type GatewayReport, reportSchema } from './report.js';

const count = z.int().min(0);
const epoch = z.string().regex(epochPattern);
const name = z.string().regex(namePattern);

const stateSchema = z.object({
  online: z.boolean(),
  /** It has ended as it was asked to, and all it had is received. */
  stopped: z.boolean().exactOptional(),
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

const eventSchema = z.object({
  gateway: name,
  epoch,
  atMs: z.number(),
  kind: z.enum([
    'gap',
    'damage',
    'dropped',
    'model',
    'source',
    'thinned',
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

export function parseReport(
  payload: Uint8Array,
  gateway: string,
  outbox?: string,
): GatewayReport | undefined {
  const report = parse(reportSchema, payload);
  if (report?.gateway !== gateway) return undefined;
  // In another outbox's name nothing is believed: its account is not this one's to change.
  return outbox === undefined || report.outbox.id === outbox ? report : undefined;
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
