import { z } from 'zod';
import { type ChannelPlan, channelPlanSchema } from './channel-plan.js';
import { channelSettings, settingsVersion } from './settings.js';
import { viewSchema } from './view.js';

/** All of a model of several channels but its forest: kept in the card. */
export const channelModelSchema = z.strictObject({
  /** Of `channelSettings`: a model that was trained with others would judge wrongly. */
  settings: z.literal(settingsVersion),
  plan: z.array(channelPlanSchema).min(1).max(256),
  /** As many as `channelSettings.views`. */
  views: z.array(viewSchema).min(1),
  /** What the smoothed scores of the forest were on the training rows. */
  forest: z
    .strictObject({ median: z.number(), highest: z.number() })
    .refine(({ median, highest }) => highest > median, { error: 'highest is not above median' }),
  /** Alarms begin where all together stand at so many times the highest training rows, for so many rows. */
  threshold: z.number().min(1).max(1e4),
  holdRows: z.int().min(1).max(10_000),
  /** Rows of a device before it is judged. */
  warmUpRows: z.int().min(1).max(10_000),
  /** A device silent for longer starts anew. */
  maxGapMs: z.number().min(1),
});
export type ChannelModel = z.output<typeof channelModelSchema>;

/** Columns of the forest: means of channels that have a usual level, or where there are none changes of all. */
export function forestFeatures(plan: readonly ChannelPlan[]): string[] {
  const means = plan.filter(({ role }) => role !== 'wandering').map(({ field }) => `${field}.mean`);
  return means.length > 0 ? means : plan.map(({ field }) => `${field}.change`);
}

/** Parts of a judgement, each about 1 at the edge of the usual, as one number: their mean of a high power. */
export function together(parts: ArrayLike<number>): number {
  let sum = 0;
  for (let p = 0; p < parts.length; p++) sum += Math.min(parts[p]!, 1e6) ** channelSettings.power;
  return (sum / parts.length) ** (1 / channelSettings.power);
}
