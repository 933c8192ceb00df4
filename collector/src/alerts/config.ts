import { z } from 'zod';
import { maintenanceWindow } from './maintenance.js';

/** When rows become incidents. Times are in row time unless said otherwise. */
export const alertsConfig = z
  .strictObject({
    openAfter: z
      .int()
      .min(1)
      .default(3)
      .meta({ description: 'Flagged rows of a device that open an incident' }),
    openWithin: z
      .int()
      .min(1)
      .max(1000)
      .default(8)
      .meta({ description: 'Rows of the device among which they must lie' }),
    closeAfterMs: z.int().min(1).default(20_000).meta({
      description: 'Close once no row was flagged for this long; three times that if no row comes at all',
      unit: 'ms',
    }),
    reopenWithinMs: z.int().min(0).default(120_000).meta({
      description: 'An alarm this soon after closing reopens the incident; then its closing mail goes out',
      unit: 'ms',
    }),
    easeAfterMs: z.int().min(10_000).default(300_000).meta({
      description:
        'An open incident goes down a level once no flagged row was as bad as its severity says for this long',
      unit: 'ms',
    }),
    qualityAfter: z
      .int()
      .min(1)
      .default(5)
      .meta({ description: 'Stuck or out-of-range rows without a break that count as flagged from then on' }),
    maintenance: z
      .array(maintenanceWindow)
      .max(1000)
      .default([])
      .meta({ description: 'Times of work: incidents that open then are not mailed before its end' }),
    stormDevices: z.int().min(1).default(20).meta({
      description:
        'Openings within stormWithinMs whose mails go out; further ones are held back until it is over',
    }),
    stormWithinMs: z.int().min(1).default(60_000).meta({ description: 'Span of an alarm storm', unit: 'ms' }),
  })
  .refine(config => config.openAfter <= config.openWithin, {
    path: ['openAfter'],
    error: 'more flagged rows than openWithin has rows, so nothing would ever open',
  });

export type AlertsConfig = z.output<typeof alertsConfig>;
