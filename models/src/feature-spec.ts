import { z } from 'zod';

/**
 * What is taken of a channel, row by row:
 * `value`     the value itself;
 * `change`    short-term minus long-term mean (exponentially weighted): where it is heading, whatever its level;
 * `mean`      long-term mean: for flags, the share of time they are set;
 * `spread`    short-term standard deviation around the short-term mean: noise, oscillation, or the lack of it;
 * `residual`  how far the value is from what the other channels let expect, in training standard deviations.
 */
export const featureKinds = ['value', 'change', 'mean', 'spread', 'residual'] as const;
export type FeatureKind = (typeof featureKinds)[number];

const channelSchema = z.strictObject({
  field: z.string().min(1).max(64),
  /** Stands in until the device gives a first good value. */
  start: z.number(),
  /** Values are clamped to this, so that one absurd value cannot dominate the means for long. */
  low: z.number(),
  high: z.number(),
  features: z.array(z.enum(featureKinds)).min(1),
  /** Mean and standard deviation of the training rows. */
  center: z.number(),
  scale: z.number().positive(),
  /** What the channel usually is, in standard deviations; as a witness for others it never leaves this range. */
  usual: z.tuple([z.number(), z.number()]),
  /** For `residual`: weights of the terms (see terms.ts) whose sum is the expected value. */
  weights: z.array(z.number()).optional(),
});

/** Everything the extractor needs: kept in the model card, so that edge and training compute the same. */
export const featureSpecSchema = z
  .strictObject({
    channels: z.array(channelSchema).min(1).max(256),
    /** Weight of the newest row in the short-term mean and spread. */
    shortWeight: z.number().gt(0).max(1),
    /** Weight of the newest row in the long-term mean. */
    longWeight: z.number().gt(0).max(1),
    /** Rows of a device before its features mean anything. */
    warmUpRows: z.int().min(1).max(100_000),
    /** A device silent for longer starts anew. */
    maxGapMs: z.number().positive(),
  })
  .refine(
    spec =>
      spec.channels.every(
        ({ features, weights }) =>
          weights?.length === (features.includes('residual') ? termCount(spec.channels.length) : undefined),
      ),
    { error: 'a channel has no weights, or too many or too few of them, for its features' },
  );
export type ChannelSpec = z.output<typeof channelSchema>;
export type FeatureSpec = z.output<typeof featureSpecSchema>;

/** Terms of a residual: each channel's value, long-term mean and squared value, and a constant. */
export function termCount(channels: number): number {
  return 3 * channels + 1;
}

/** Column names in matrix order, such as `pressure.value`, `pressure.residual`. */
export function featureNames(spec: FeatureSpec): string[] {
  return spec.channels.flatMap(channel => channel.features.map(kind => `${channel.field}.${kind}`));
}

/** First column of each channel, and one past the last: channel c has columns starts[c] to starts[c + 1] − 1. */
export function channelStarts(spec: FeatureSpec): number[] {
  const starts = [0];
  for (const channel of spec.channels) starts.push(starts.at(-1)! + channel.features.length);
  return starts;
}
