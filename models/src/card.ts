import { z } from 'zod';
import { featureSpecSchema } from './feature-spec.js';

const unit = z.number().min(0).max(1);

const channelRangeSchema = z.strictObject({
  field: z.string(),
  /** 1st and 99th percentile of the training rows. */
  expected: z.tuple([z.number(), z.number()]),
  median: z.number(),
});

const featureRangeSchema = z.strictObject({
  feature: z.string(),
  median: z.number(),
  /** 1st and 99th percentile of the training rows. */
  low: z.number(),
  high: z.number(),
});

const metricsSchema = z.strictObject({
  heldOutRows: z.int(),
  /** Devices the held-out rows come from. */
  heldOutDevices: z.int(),
  /** Share of held-out rows above the threshold, and runs of such rows. */
  falseAlarmShare: unit,
  falseAlarmEpisodes: z.int(),
  /** Of the smoothed score on held-out rows. */
  median: unit,
  p99: unit,
  highest: unit,
});

/** What a model is, where it comes from and how it is to be used. */
export const cardSchema = z.strictObject({
  format: z.literal(1),
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/),
  /** Hash over everything that decides a score or an alarm; travels with every score. */
  revision: z.string().regex(/^[0-9a-f]{12}$/),
  deviceType: z.string().min(1).max(64),
  /** Numeric or boolean fields the device type must have. */
  fields: z.array(z.string()).min(1),
  features: featureSpecSchema,
  /** A device's score is the mean over its last so many rows. */
  smoothingRows: z.int().min(1).max(1000),
  /** Smoothed scores from here on are alarms. */
  threshold: unit,
  /** The same for a single row judged without history. */
  plainThreshold: unit,
  channelRanges: z.array(channelRangeSchema),
  featureRanges: z.array(featureRangeSchema),
  forest: z.strictObject({ trees: z.int(), samples: z.int(), nodes: z.int() }),
  training: z.strictObject({
    source: z.string(),
    fromMs: z.number(),
    toMs: z.number(),
    rows: z.int(),
    devices: z.int(),
    seed: z.int(),
    /** Median time between two rows of a device. */
    stepMs: z.number(),
    skippedRows: z.int(),
  }),
  metrics: metricsSchema,
  modelSha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type Card = z.output<typeof cardSchema>;
export type ChannelRange = z.output<typeof channelRangeSchema>;
export type FeatureRange = z.output<typeof featureRangeSchema>;
export type Metrics = z.output<typeof metricsSchema>;

/** Feature rows with the scores that the model gave them when it was trained. */
export const goldenSchema = z.strictObject({
  format: z.literal(1),
  features: z.array(z.string()).min(1),
  rows: z.array(z.array(z.number())).min(32).max(4096),
  scores: z.array(unit),
});
export type Golden = z.output<typeof goldenSchema>;
