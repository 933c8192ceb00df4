import type { Memory } from '../memory.js';
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

/** Which surprise is the largest, what it looked at, and where that usually lies. */
export interface SurpriseReason {
  /** Place in `surpriseNames`. */
  readonly surprise: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** So much of what was before is usual, where the reason of an alarm says what is. */
const usualShare = 0.99;

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
  // Of the newest value: what each surprise looked at, and the middle of what was usual there.
  readonly #seen = new Float64Array(surpriseNames.length);
  readonly #middle = new Float64Array(surpriseNames.length);

  /** Mean of the surprises; they are in `surprises`. A missing value, NaN, surprises nobody and teaches nothing. */
  next(timeMs: number, value: number): number {
    if (Number.isNaN(value)) {
      this.surprises.fill(0);
      return 0;
    }
    const expected = this.#profile.expected(timeMs);
    const residual = value - expected;
    this.#shift(0, value, this.#rows > 0 ? this.#median.value : value);
    this.#levelShift(value);
    this.#saw(4, value, 0, this.#range.exit(value));
    if (Number.isNaN(residual)) this.surprises.fill(0, 1, 3).fill(0, 5);
    else {
      for (const [i, mean] of this.#residuals.entries()) {
        const size = mean.next(residual);
        this.#saw(1 + i, expected + size, expected, Math.abs(size));
      }
      this.#saw(5, value, expected, this.#residualRange.exit(residual));
    }
    this.#profile.add(value);
    this.#median.add(value);
    this.#rows += 1;
    return this.surprises.reduce((sum, one) => sum + one, 0) / surpriseNames.length;
  }

  /** Of the newest value; only right after `next`. */
  reason(): SurpriseReason {
    const surprise = this.surprises.indexOf(Math.max(...this.surprises));
    const [value, middle] = [this.#seen[surprise]!, this.#middle[surprise]!];
    const range = surprise === 4 ? this.#range : surprise === 5 ? this.#residualRange : undefined;
    if (range) return { surprise, value, low: middle + range.beforeLow, high: middle + range.beforeHigh };
    const usual = this.#sketches[surprise]!.quantile(usualShare);
    return { surprise, value, low: middle - usual, high: middle + usual };
  }

  remember(memory: Memory): void {
    for (const sketch of this.#sketches) sketch.remember(memory);
    this.#median.remember(memory);
    this.#newest.remember(memory);
    this.#before.remember(memory);
    memory.array(this.#delay);
    this.#profile.remember(memory);
    for (const residual of this.#residuals) residual.remember(memory);
    this.#range.remember(memory);
    this.#residualRange.remember(memory);
    this.#rows = memory.count(this.#rows);
  }

  /** How far the mean of the newest rows is from that of the rows before them. */
  #levelShift(value: number): void {
    const slot = this.#rows % this.#delay.length;
    const leaving = this.#delay[slot]!;
    this.#delay[slot] = value;
    const newest = this.#newest.next(value);
    if (this.#rows < this.#delay.length) this.#saw(3, value, value, 0);
    else this.#shift(3, newest, this.#before.next(leaving));
  }

  #shift(place: number, seen: number, middle: number): void {
    this.#saw(place, seen, middle, Math.abs(seen - middle));
  }

  #saw(place: number, seen: number, middle: number, size: number): void {
    this.#seen[place] = seen;
    this.#middle[place] = middle;
    const sketch = this.#sketches[place]!;
    this.surprises[place] = sketch.surprise(size);
    sketch.add(size);
  }
}

/** By how much a value leaves the range of all before it, in widths of that range. */
class PastRange {
  #low = Number.POSITIVE_INFINITY;
  #high = Number.NEGATIVE_INFINITY;
  /** Before the newest value. */
  beforeLow = this.#low;
  beforeHigh = this.#high;

  exit(value: number): number {
    this.beforeLow = this.#low;
    this.beforeHigh = this.#high;
    const width = this.#high - this.#low;
    const out = width > 0 ? Math.max(0, value - this.#high, this.#low - value) / width : 0;
    if (value < this.#low) this.#low = value;
    if (value > this.#high) this.#high = value;
    return out;
  }

  remember(memory: Memory): void {
    this.#low = memory.number(this.#low);
    this.#high = memory.number(this.#high);
  }
}

/** One alarm an event: tells the rows at which one begins. */
export class QuietPeriod {
  #height = 0;
  #left = 0;

  /** @param threshold  from which on an alarm begins */
  constructor(private readonly threshold: number = metricSettings.threshold) {}

  begins(surprise: number): boolean {
    const { quietRows, quietFactor } = metricSettings;
    this.#left = Math.max(0, this.#left - 1);
    if (surprise < this.threshold) return false;
    if (this.#left > 0 && surprise < quietFactor * this.#height) return false;
    this.#height = surprise;
    this.#left = quietRows;
    return true;
  }

  remember(memory: Memory): void {
    this.#height = memory.number(this.#height);
    this.#left = memory.count(this.#left);
  }
}
