import type { RecordBatch } from '@edgeward/shared/contracts';
import type { ChannelRange } from './card.js';
import type { ChannelSpec, FeatureKind, FeatureSpec } from './feature-spec.js';
import { relationsOf } from './relations.js';
import { Moments, quantile, rounded, sortedFinite } from './statistics.js';

/** Rows, not seconds: chosen on the simulated plant at one row every 2 s, and kept for everything else. */
const rowWeights = { shortWeight: 0.2, longWeight: 0.01 };
/** A device silent for so many of its usual steps starts anew. */
const gapSteps = 30;

export interface ChosenFeatures {
  readonly spec: FeatureSpec;
  readonly ranges: readonly ChannelRange[];
  /** Fields left out because they never changed. */
  readonly constant: readonly string[];
}

/** @param train  [n] 1 = row may be looked at */
export function chooseFeatures(
  batch: RecordBatch,
  train: Uint8Array,
  stepMs: number,
  warmUpRows: number,
): ChosenFeatures {
  const described = batch.schema.fields.map((field, f) => describe(field.name, batch.values[f]!, train));
  const varying = described.filter(channel => channel !== undefined);
  const channels = varying.map(({ spec, isFlag }) => ({
    ...spec,
    features: featuresOf(isFlag, varying.length),
  }));
  const spec = { channels, ...rowWeights, warmUpRows, maxGapMs: gapSteps * stepMs };
  return {
    spec: varying.length > 1 ? withRelations(batch, spec, train) : spec,
    ranges: varying.map(({ range }) => range),
    constant: batch.schema.fields.filter((_, f) => !described[f]).map(field => field.name),
  };
}

/** A single channel has no others to be explained by: then its own course must do. */
function featuresOf(isFlag: boolean, channels: number): FeatureKind[] {
  if (isFlag) return ['mean'];
  return channels > 1 ? ['value', 'spread', 'residual'] : ['value', 'change', 'spread'];
}

interface Described {
  readonly spec: Omit<ChannelSpec, 'features'>;
  readonly range: ChannelRange;
  /** Only ever 0 or 1. */
  readonly isFlag: boolean;
}

/** Undefined for a channel that never changes. */
function describe(
  field: string,
  column: RecordBatch['values'][number],
  train: Uint8Array,
): Described | undefined {
  const sorted = sortedFinite(Array.from(column, Number).filter((_, r) => train[r] === 1));
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (least === undefined || most === undefined || least === most) return undefined;
  const median = rounded(quantile(sorted, 0.5));
  const moments = new Moments();
  for (const value of sorted) moments.add(value);
  const [center, scale] = [rounded(moments.mean), rounded(moments.deviation)];
  const standard = (value: number) => rounded((value - center) / scale);
  const margin = 3 * (most - least);
  return {
    spec: {
      field,
      start: median,
      low: rounded(least - margin),
      high: rounded(most + margin),
      center,
      scale,
      usual: [standard(quantile(sorted, 0.001)), standard(quantile(sorted, 0.999))],
    },
    range: { field, expected: [rounded(quantile(sorted, 0.01)), rounded(quantile(sorted, 0.99))], median },
    isFlag: least === 0 && most === 1 && sorted.every(value => value === 0 || value === 1),
  };
}

function withRelations(batch: RecordBatch, spec: FeatureSpec, train: Uint8Array): FeatureSpec {
  const weights = relationsOf(batch, spec, Uint8Array.from(train));
  const channels = spec.channels.map((channel, c) =>
    channel.features.includes('residual') ? { ...channel, weights: weights[c]! } : channel,
  );
  return { ...spec, channels };
}
