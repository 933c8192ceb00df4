import { z } from 'zod';
import { featureNames, featureSpecSchema } from './feature-spec.js';
import { channelModelSchema, forestFeatures } from './stream/channel-model.js';
import { switchingSchema } from './switching/switching-model.js';

/** The score of a model of channels where alarms begin. */
const channelThreshold = 0.5;

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

const trainingSchema = z.strictObject({
  source: z.string(),
  fromMs: z.number(),
  toMs: z.number(),
  rows: z.int(),
  devices: z.int(),
  seed: z.int(),
  /** Median time between two rows of a device. */
  stepMs: z.number(),
  skippedRows: z.int(),
});

const forestSizesSchema = z.strictObject({
  trees: z.int(),
  samples: z.int(),
  nodes: z.int(),
  /** Of an extended forest. */
  featuresASplit: z.int().optional(),
  planes: z.int().optional(),
});

/** Of every model: what it is, where it comes from and how it is to be used. */
const common = {
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/),
  /** Hash over everything that decides a score or an alarm; travels with every score. */
  revision: z.string().regex(/^[0-9a-f]{12}$/),
  deviceType: z.string().min(1).max(64),
  /** Numeric or boolean fields the device type must have. */
  fields: z.array(z.string()).min(1),
  /** From here on a single row judged without history is an alarm. */
  plainThreshold: unit,
  forest: forestSizesSchema,
  training: trainingSchema,
  metrics: metricsSchema,
  modelSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of machines that are switched on and off by turns. A program that does not know it refuses the card. */
  switching: switchingSchema.optional(),
};

/** A forest over features of rows. */
export const forestCardSchema = z.strictObject({
  format: z.literal(1),
  ...common,
  features: featureSpecSchema,
  /** A device's score is the mean over its last so many rows. */
  smoothingRows: z.int().min(1).max(1000),
  /** Smoothed scores from here on are alarms. */
  threshold: unit,
  channelRanges: z.array(channelRangeSchema),
  featureRanges: z.array(featureRangeSchema),
});
export type ForestCard = z.output<typeof forestCardSchema>;

/** Views of several channels and a forest that judge together; see stream/. */
export const channelCardSchema = z.strictObject({
  format: z.literal(2),
  ...common,
  channels: channelModelSchema,
});
export type ChannelCard = z.output<typeof channelCardSchema>;

export const cardSchema = z.discriminatedUnion('format', [forestCardSchema, channelCardSchema]);
export type Card = z.output<typeof cardSchema>;
export type ChannelRange = z.output<typeof channelRangeSchema>;
export type FeatureRange = z.output<typeof featureRangeSchema>;
export type Metrics = z.output<typeof metricsSchema>;

/** @throws TypeError if it is of another kind */
export function asForestCard(card: Card): ForestCard {
  if (card.format === 1) return card;
  throw new TypeError(`${card.name} is no forest over features`);
}

/** A device silent for longer starts anew. */
export function maxGapMsOf(card: Card): number {
  return card.format === 1 ? card.features.maxGapMs : card.channels.maxGapMs;
}

/** Scores from here on are alarms. */
export function thresholdOf(card: Card): number {
  return card.format === 1 ? card.threshold : channelThreshold;
}

/** What each field usually is. */
export function channelRangesOf(card: Card): readonly ChannelRange[] {
  return card.format === 1 ? card.channelRanges : card.channels.plan;
}

/** Columns of a model's forest. */
export function forestColumns(
  card: Pick<ForestCard, 'format' | 'features'> | Pick<ChannelCard, 'format' | 'channels'>,
): string[] {
  return card.format === 1 ? featureNames(card.features) : forestFeatures(card.channels.plan);
}

/** Feature rows with the scores that the model gave them when it was trained. */
export const goldenSchema = z.strictObject({
  format: z.literal(1),
  features: z.array(z.string()).min(1),
  rows: z.array(z.array(z.number())).min(32).max(4096),
  scores: z.array(unit),
});
export type Golden = z.output<typeof goldenSchema>;
