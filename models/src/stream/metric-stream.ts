import { DayProfile } from './day-profile.js';
import { RunningMean } from './running-mean.js';
import { RunningMedian } from './running-median.js';
import { TailSketch } from './tail-sketch.js';

/**
 * The one set of settings for single metrics. Windows are counted in rows, as metrics come at steps between a second
 * and an hour. Chosen on half of the public NAB files.
 */
export const metricSettings = {
  /** Rows that the usual level is the median of. */
  medianRows: 2000,
  /** Newest rows, and the rows before these that they are compared with. */
  level: { newest: 30, before: 400 },
  /** Slots of the time of day, and how much of a slot's mean is of its newest day. */
  profile: { slotMs: 1_800_000, newest: 0.25 },
  /** Rows that what is left beside the profile is averaged over. */
  residualRows: [6, 60],
  /** Mean surprise at which an alarm begins. */
  threshold: 1.35,
  /** After an alarm no other begins for so many rows, unless it is so many times higher. */
  quietRows: 100,
  quietFactor: 2,
} as const;

/** What can surprise of a metric. */
export const surpriseNames = [
  'value',
  'time of day',
  'hours beside the profile',
  'level',
  'range',
  'range beside the profile',
] as const;

/**
 * How surprising the newest value of one metric is, from what it was before: six surprises, each −log₁₀ of the share of
 * earlier rows that were as far out in that respect. Learns by itself, in bounded memory, and goes on learning.
 */
export class MetricStream {
  readonly surprises = new Float64Array(surpriseNames.length);
  readonly #sketches = surpriseNames.map(() => new TailSketch());
  readonly #median = new RunningMedian(metricSettings.medianRows);
  readonly #newest = new RunningMean(metricSettings.level.newest);
  readonly #before = new RunningMean(metricSettings.level.before);
  readonly #delay = new Float64Array(metricSettings.level.newest);
  readonly #profile = new DayProfile(metricSettings.profile.slotMs, metricSettings.profile.newest);
  readonly #residuals = metricSettings.residualRows.map(rows => new RunningMean(rows));
  readonly #range = new PastRange();
  readonly #residualRange = new PastRange();
  #rows = 0;
  /** What the value was compared with: the median, and the profile or NaN. */
  usual = Number.NaN;
  expected = Number.NaN;

  /** Mean of the surprises; they are in `surprises`. A missing value, NaN, surprises nobody and teaches nothing. */
  next(timeMs: number, value: number): number {
    if (Number.isNaN(value)) {
      this.surprises.fill(0);
      return 0;
    }
    this.usual = this.#rows > 0 ? this.#median.value : value;
    this.expected = this.#profile.expected(timeMs);
    const residual = value - this.expected;
    const known = !Number.isNaN(residual);
    this.#surprise(0, Math.abs(value - this.usual));
    this.#surprise(3, this.#levelShift(value));
    this.#surprise(4, this.#range.exit(value));
    for (const [i, place] of [1, 2].entries())
      this.#surprise(place, known ? Math.abs(this.#residuals[i]!.next(residual)) : Number.NaN);
    this.#surprise(5, known ? this.#residualRange.exit(residual) : Number.NaN);
    this.#profile.add(value);
    this.#median.add(value);
    this.#rows += 1;
    return this.surprises.reduce((sum, one) => sum + one, 0) / surpriseNames.length;
  }

  /** How far the mean of the newest rows is from that of the rows before them. */
  #levelShift(value: number): number {
    const slot = this.#rows % this.#delay.length;
    const leaving = this.#delay[slot]!;
    this.#delay[slot] = value;
    const newest = this.#newest.next(value);
    if (this.#rows < this.#delay.length) return 0;
    return Math.abs(newest - this.#before.next(leaving));
  }

  /** NaN: nothing can be said of it yet. */
  #surprise(place: number, size: number): void {
    this.surprises[place] = Number.isNaN(size) ? 0 : this.#sketches[place]!.surprise(size);
    if (!Number.isNaN(size)) this.#sketches[place]!.add(size);
  }
}

/** By how much a value leaves the range of all before it, in widths of that range. */
class PastRange {
  #low = Number.POSITIVE_INFINITY;
  #high = Number.NEGATIVE_INFINITY;

  exit(value: number): number {
    const width = this.#high - this.#low;
    const out = width > 0 ? Math.max(0, value - this.#high, this.#low - value) / width : 0;
    if (value < this.#low) this.#low = value;
    if (value > this.#high) this.#high = value;
    return out;
  }
}

/** One alarm an event: tells the rows at which one begins. */
export class QuietPeriod {
  #height = 0;
  #left = 0;

  begins(surprise: number): boolean {
    const { threshold, quietRows, quietFactor } = metricSettings;
    this.#left = Math.max(0, this.#left - 1);
    if (surprise < threshold) return false;
    if (this.#left > 0 && surprise < quietFactor * this.#height) return false;
    this.#height = surprise;
    this.#left = quietRows;
    return true;
  }
}
