import type { RecordBatch } from '@edgeward/shared/contracts';
import { z } from 'zod';
import type { Memory } from '../memory.js';
import { Moments, quantile, rounded, sortedFinite } from '../statistics.js';
import { RunningMean } from './running-mean.js';
import { channelSettings } from './settings.js';

/** How one channel of a device type is looked at. */
export const channelPlanSchema = z.strictObject({
  field: z.string().min(1).max(64),
  /** `increase`: a counter, which says something only by how fast it runs. */
  take: z.enum(['value', 'increase']),
  /**
   * A wandering channel is judged by its change: a temperature that follows the weather has no usual level. One that
   * comes and goes, but has shown all its levels, by both.
   */
  role: z.enum(['steady', 'roaming', 'wandering']),
  /** Mean and standard deviation of the training rows. */
  center: z.number(),
  scale: z.number().positive(),
  /** 1st and 99th percentile of the training rows, and their median, as read. */
  expected: z.tuple([z.number(), z.number()]),
  median: z.number(),
});
export type ChannelPlan = z.output<typeof channelPlanSchema>;

/** Rows of a device as standardised numbers. A missing value leaves the last one standing, 0 before the first. */
export class Standardizer {
  readonly #last: Float64Array;
  /** Of each counter: what it last stood at, and when. */
  readonly #counted: Float64Array;
  readonly #countedMs: Float64Array;

  /** @param stepMs  usual time between two rows of a device */
  constructor(
    private readonly plan: readonly ChannelPlan[],
    private readonly stepMs: number,
  ) {
    this.#last = new Float64Array(plan.length);
    this.#counted = new Float64Array(plan.length).fill(Number.NaN);
    this.#countedMs = new Float64Array(plan.length);
  }

  /**
   * @param columns  per channel, [n]; NaN = missing
   * @param into     [channels]
   */
  next(columns: readonly Float64Array[], row: number, timeMs: number, into: Float64Array): void {
    const { farthest } = channelSettings;
    for (let c = 0; c < this.plan.length; c++) {
      const { take, center, scale } = this.plan[c]!;
      const read = columns[c]![row]!;
      const value = take === 'value' || Number.isNaN(read) ? read : this.#increase(c, read, timeMs);
      const z = (value - center) / scale;
      if (!Number.isNaN(z)) this.#last[c] = z > farthest ? farthest : z < -farthest ? -farthest : z;
      into[c] = this.#last[c]!;
    }
  }

  /** A step's worth. NaN, which says nothing, at the first value and at one below the last: the counter began anew. */
  #increase(c: number, read: number, timeMs: number): number {
    const by = (read - this.#counted[c]!) * (this.stepMs / (timeMs - this.#countedMs[c]!));
    if (timeMs === this.#countedMs[c]) return Number.NaN;
    this.#counted[c] = read;
    this.#countedMs[c] = timeMs;
    return by >= 0 ? by : Number.NaN;
  }

  reset(): void {
    this.#last.fill(0);
    this.#counted.fill(Number.NaN);
    this.#countedMs.fill(0);
  }

  remember(memory: Memory): void {
    memory.array(this.#last);
    memory.array(this.#counted);
    memory.array(this.#countedMs);
  }
}

/** Share of a counter's rows that must have grown. */
const leastGrowth = 0.02;
/** A channel that never moved counts as moving by this share of its value. */
const stillShare = 0.01;
/** Rows that noise is averaged out over before a channel's wandering is looked at. */
const meanRows = 10;

/** Learns of each channel how to look at it, from rows in order of time of each device. */
export function planChannels(
  batch: RecordBatch,
  fields: readonly string[],
  columns: readonly Float64Array[],
  stepMs: number,
): ChannelPlan[] {
  return fields.map((field, c) => {
    const column = columns[c]!;
    const take = isCounter(batch, column) ? 'increase' : 'value';
    const values = take === 'value' ? column : increases(batch, column, stepMs);
    const sorted = sortedFinite(values);
    const center = sorted.length > 0 ? sorted.reduce((a, b) => a + b, 0) / sorted.length : 0;
    const squares = sorted.reduce((sum, value) => sum + (value - center) ** 2, 0);
    const deviation = Math.sqrt(squares / Math.max(1, sorted.length));
    const still = !(deviation > 1e-9 * Math.max(1, Math.abs(center)));
    const scale = still ? stillShare * Math.abs(center) || 1 : deviation;
    const asRead = sortedFinite(column);
    const at = (share: number) => (asRead.length > 0 ? rounded(quantile(asRead, share)) : 0);
    return {
      field,
      take,
      role: still ? 'steady' : roleOf(batch, values),
      center: rounded(center, 12),
      scale: rounded(scale, 12),
      expected: [at(0.01), at(0.99)],
      median: at(0.5),
    };
  });
}

/** Whether the record has seen it in one state only. */
export function isStill({ expected, center, scale, take }: ChannelPlan): boolean {
  const still = stillShare * Math.abs(center) || 1;
  return take === 'value' && expected[0] === expected[1] && Math.abs(scale - still) <= 1e-9 * still;
}

function isCounter(batch: RecordBatch, column: Float64Array): boolean {
  let grew = 0;
  const back = increases(batch, column, 1).some(by => {
    if (by > 0) grew += 1;
    return by < 0;
  });
  return !back && grew > 5 && grew >= leastGrowth * column.length;
}

/** By how much each row's value exceeds that of the row before it of its device, a step; NaN where there is none. */
function increases(batch: RecordBatch, column: Float64Array, stepMs: number): Float64Array {
  const last = new Float64Array(batch.schema.devices.length).fill(Number.NaN);
  const lastMs = new Float64Array(last.length);
  return column.map((value, r) => {
    const device = batch.device[r]!;
    const timeMs = batch.time[r]!;
    const by = (value - last[device]!) * (stepMs / (timeMs - lastMs[device]!));
    if (timeMs === lastMs[device]) return Number.NaN;
    if (!Number.isNaN(value)) {
      last[device] = value;
      lastMs[device] = timeMs;
    }
    return by;
  });
}

/** A channel is not steady if its changes over 100 rows vary many times more than those over 10, of 10-row means. */
function roleOf(batch: RecordBatch, values: Float64Array): ChannelPlan['role'] {
  const means = meansByDevice(batch, values, meanRows);
  const [short, long] = [changeVariance(means, 10), changeVariance(means, 100)];
  if (!(long > channelSettings.wanderingRatio * short)) return 'steady';
  return crossings(means) < channelSettings.knownCrossings ? 'wandering' : 'roaming';
}

/** NaN where there are too few rows to tell. */
function changeVariance(means: readonly (readonly number[])[], over: number): number {
  const changes = new Moments();
  for (const device of means)
    for (let i = over + meanRows - 1; i < device.length; i++) changes.add(device[i]! - device[i - over]!);
  return changes.count < over ? Number.NaN : changes.deviation ** 2;
}

/** How often the means went from the lower two fifths of all of them to the upper two fifths, or back. */
function crossings(means: readonly (readonly number[])[]): number {
  const sorted = Float64Array.from(means.flat()).sort();
  const [low, high] = [quantile(sorted, 0.4), quantile(sorted, 0.6)];
  let count = 0;
  for (const device of means) {
    let side = 0;
    for (const mean of device) {
      const now = mean <= low ? -1 : mean >= high ? 1 : side;
      if (side !== 0 && now !== side) count += 1;
      side = now;
    }
  }
  return count;
}

function meansByDevice(batch: RecordBatch, values: Float64Array, rows: number): number[][] {
  const found = batch.schema.devices.map(() => ({ means: [] as number[], mean: new RunningMean(rows) }));
  values.forEach((value, r) => {
    const device = found[batch.device[r]!]!;
    if (!Number.isNaN(value)) device.means.push(device.mean.next(value));
  });
  return found.map(({ means }) => means);
}
