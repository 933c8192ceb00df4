/** What a gateway says of itself on `reported`: its side of the ledger, and its health. */
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

export const reportSchema = z.object({
  gateway: name,
  epoch,
  atMs: z.number(),
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
});

export type GatewayReport = z.output<typeof reportSchema>;
export type DeviceSaid = GatewayReport['devices'][number];

/** Whether a start of this outbox has spoken that is later than the one this is of, held up on its way. */
export function isOutdated(report: GatewayReport, known: GatewayReport | undefined): boolean {
  return known?.outbox.id === report.outbox.id && startOf(report.epoch) < startOf(known.epoch);
}
