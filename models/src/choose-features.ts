import type { RecordBatch } from '@edgeward/shared/contracts';
import type { ChannelRange } from './card.js';
import type { ChannelSpec, FeatureKind, FeatureSpec } from './feature-spec.js';
import { quantile, rounded, sortedFinite, variance } from './statistics.js';

/** Rows, not seconds: chosen on the simulated plant at one row every 2 s, and kept for everything else. */
export const rowConstants = { shortWeight: 0.2, longWeight: 0.02, warmUpRows: 30 };
/** A device silent for so many of its usual steps starts anew. */
const gapSteps = 30;
/** A channel whose 100-row changes vary so much more than its 10-row changes wanders. */
const wanderingRatio = 6;

export interface ChosenFeatures {
  readonly spec: FeatureSpec;
  readonly ranges: readonly ChannelRange[];
  /** Fields left out because they never changed. */
  readonly constant: readonly string[];
  readonly wandering: readonly string[];
}

/** @param train  [n] 1 = row may be looked at */
export function chooseFeatures(batch: RecordBatch, train: Uint8Array, stepMs: number): ChosenFeatures {
  const channels: ChannelSpec[] = [];
  const ranges: ChannelRange[] = [];
  const constant: string[] = [];
  const wandering: string[] = [];
  batch.schema.fields.forEach((field, f) => {
    const values = Float64Array.from(batch.values[f] as Float64Array);
    const sorted = sortedFinite(values.filter((_, r) => train[r] === 1));
    const [least, most] = [sorted[0], sorted.at(-1)];
    if (least === undefined || most === undefined || least === most) {
      constant.push(field.name);
      return;
    }
    const wanders = isWandering(batch, values, train);
    if (wanders) wandering.push(field.name);
    const median = rounded(quantile(sorted, 0.5));
    const margin = 3 * (most - least);
    channels.push({
      field: field.name,
      start: median,
      low: rounded(least - margin),
      high: rounded(most + margin),
      features: featuresOf(wanders),
    });
    ranges.push({
      field: field.name,
      expected: [rounded(quantile(sorted, 0.01)), rounded(quantile(sorted, 0.99))],
      median,
    });
  });
  return {
    spec: { channels, ...rowConstants, maxGapMs: gapSteps * stepMs },
    ranges,
    constant,
    wandering,
  };
}

function featuresOf(_wanders: boolean): FeatureKind[] {
  return ['value', 'change', 'spread'];
}

/** Compares how far the 10-row mean moves in 100 rows with how far it moves in 10, over all devices. */
function isWandering(batch: RecordBatch, values: Float64Array, train: Uint8Array): boolean {
  const near: number[] = [];
  const far: number[] = [];
  for (let device = 0; device < batch.schema.devices.length; device++) {
    const own = values.filter((v, r) => batch.device[r] === device && train[r] === 1 && Number.isFinite(v));
    const means = blockMeans(own, 10);
    for (let i = 1; i < means.length; i++) near.push(means[i]! - means[i - 1]!);
    for (let i = 10; i < means.length; i++) far.push(means[i]! - means[i - 10]!);
  }
  return variance(far) > wanderingRatio * variance(near);
}

function blockMeans(values: Float64Array, rows: number): Float64Array {
  const means = new Float64Array(Math.floor(values.length / rows));
  for (let i = 0; i < means.length * rows; i++) means[Math.floor(i / rows)]! += values[i]! / rows;
  return means;
}
