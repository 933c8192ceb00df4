/** What a gateway says of itself on `reported`: its side of the ledger, and its health. */
import { maxReportedDrifts } from '@edgeward/shared/contracts';
import { namePattern } from '@edgeward/shared/topics';
import { epochPattern } from '@edgeward/shared/wire';
import { z } from 'zod';
import { startOf } from './journal/received.js';

const count = z.int().min(0);
const epoch = z.string().regex(epochPattern);
const name = z.string().regex(namePattern);

const deviceSchema = z.object({
  device: name,
  read: count,
  rejected: count,
  thinned: count,
  dropped: count,
  damaged: count,
  /** Row numbers that `read` counts, of epochs that are not condensed. */
  rows: z.array(z.object({ epoch, ranges: z.array(z.tuple([count, count])).max(100_000) })).max(1024),
  /** Rows not known to be journaled. */
  held: z.array(z.object({ epoch, from: count, through: count, count })).max(100_000),
});

const shadowSchema = z.object({
  rows: count,
  deviceHours: z.number().min(0),
  devices: count,
  alarms: z.object({ candidate: count, active: count, reproduced: count }),
  flagged: z.object({ candidate: count, active: count }),
  agreed: count,
  differences: z
    .array(
      z.object({
        device: name,
        by: z.enum(['active', 'candidate']),
        fromMs: z.number(),
        toMs: z.number(),
        rows: count,
        channels: z.array(z.string().max(64)).max(16),
      }),
    )
    .max(64),
});

const deploymentSchema = z.object({
  type: z.string().max(64),
  order: z.string().max(64),
  revision: z.string().max(128).nullable(),
  state: z.enum(['waiting', 'fetching', 'checking', 'shadow', 'active', 'refused', 'rolled-back']),
  doneBytes: count.exactOptional(),
  bytes: count.exactOptional(),
  code: z.string().max(64).exactOptional(),
  text: z.string().max(500).exactOptional(),
  shadow: shadowSchema.exactOptional(),
});

const driftSchema = z.object({
  type: z.string().max(64),
  revision: z.string().max(128),
  device: name,
  channels: z
    .array(
      z.object({
        field: z.string().max(64).nullable(),
        share: z.number().min(0).max(1),
        expected: z.tuple([z.number(), z.number()]),
        median: z.number().nullable(),
        sinceMs: z.number(),
      }),
    )
    .min(1)
    .max(16),
});

export const reportSchema = z.object({
  gateway: name,
  epoch,
  atMs: z.number(),
  startedMs: z.number().optional().catch(undefined),
  configuration: z.record(z.string().max(64), z.string().max(64)).optional().catch(undefined),
  site: name.optional(),
  version: z.string().max(64),
  devices: z.array(deviceSchema).max(10_000),
  outbox: z.object({
    id: z.string().max(64),
    blocks: count,
    bytes: count,
    maxBytes: count,
    oldestMs: z.number().nullable(),
    durability: z.enum(['deferred', 'always']),
    journal: z.string().max(64).optional(),
  }),
  /** Start counter: of epochs up to it the rows are no longer told, their counts stay in the sums. */
  condensedThrough: count,
  process: z.object({ pid: count, rssBytes: count, cpuSeconds: z.number() }),
  models: z.record(z.string().max(64), z.string().max(128)),
  /** A newer agent may say more of them than is known here: the ledger's side of the report counts all the same. */
  deployments: z.array(deploymentSchema).max(64).catch([]).exactOptional(),
  drifts: z.array(driftSchema).max(maxReportedDrifts).optional().catch(undefined),
});

export type GatewayReport = z.output<typeof reportSchema>;
export type DeviceSaid = GatewayReport['devices'][number];

/** Whether a start of this outbox has spoken that is later than the one this is of, held up on its way. */
export function isOutdated(report: GatewayReport, known: GatewayReport | undefined): boolean {
  return known?.outbox.id === report.outbox.id && startOf(report.epoch) < startOf(known.epoch);
}
