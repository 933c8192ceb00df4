import type { Memory } from '../memory.js';
import { MetricStream, QuietPeriod } from '../stream/metric-stream.js';
import { TailSketch } from '../stream/tail-sketch.js';
import { FieldPoints } from './field-points.js';
import { surpriseSettings as settings } from './settings.js';

/** A row that the quiet period keeps from beginning an alarm has a score below that of an alarm. */
const quietScore = 0.4999;
const staleAfterPoints = 2;

/** Why the newest alarm of a field began. */
export interface FieldReason {
  /** Place in `surpriseNames`. */
  readonly surprise: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** For how long the field has been watched. */
  readonly pastMs: number;
  readonly isCounter: boolean;
}

/**
 * One numeric field of one device against its own past. The mean of its surprises has to be rare twice over: against a
 * fixed bound, and among its own past values, which says how often this field is as surprising as that.
 */
export class WatchedField {
  /** Of the newest point; NaN = not judged. */
  score = Number.NaN;
  inAlarm = false;
  reason: FieldReason | undefined;
  readonly #points = new FieldPoints();
  #stream = new MetricStream();
  #tail = new TailSketch();
  #quiet = new QuietPeriod(1);
  #count = 0;
  #firstMs = Number.NaN;

  get pointMs(): number {
    return this.#points.pointMs;
  }

  /**
   * @param alarmsADay  that this field may raise where nothing is wrong
   * @returns           whether `score` or `inAlarm` may have changed
   */
  next(timeMs: number, value: number, alarmsADay: number): boolean {
    const found = this.#points.next(timeMs, value);
    if (found === 'none') return false;
    if (found === 'anew') this.#begin();
    else this.#judge(alarmsADay);
    return true;
  }

  /**
   * A row of its device has been read, perhaps without a value of this field. The alarm of a slow field is of one row;
   * of a field that has said nothing for long the last point says nothing of now.
   */
  pass(timeMs: number): void {
    if (this.#points.newestMs >= timeMs) return;
    if (this.#points.isSlow && this.inAlarm) {
      this.inAlarm = false;
      this.score = quietScore;
    }
    if (timeMs - this.#points.newestMs > staleAfterPoints * this.pointMs) this.#fallSilent();
  }

  interrupt(): void {
    this.#points.interrupt();
  }

  remember(memory: Memory): void {
    this.score = memory.number(this.score);
    this.inAlarm = memory.count(Number(this.inAlarm)) === 1;
    this.#points.remember(memory);
    this.#stream.remember(memory);
    this.#tail.remember(memory);
    this.#quiet.remember(memory);
    this.#count = memory.count(this.#count);
    this.#firstMs = memory.number(this.#firstMs);
    const { surprise, value, low, high, pastMs, isCounter } = this.reason ?? noReason;
    const reason = {
      surprise: memory.count(surprise),
      value: memory.number(value),
      low: memory.number(low),
      high: memory.number(high),
      pastMs: memory.number(pastMs),
      isCounter: memory.count(Number(isCounter)) === 1,
    };
    this.reason = Number.isNaN(reason.value) ? undefined : reason;
  }

  #fallSilent(): void {
    this.score = Number.NaN;
    this.inAlarm = false;
  }

  #begin(): void {
    this.#stream = new MetricStream();
    this.#tail = new TailSketch();
    this.#quiet = new QuietPeriod(1);
    this.#count = 0;
    this.#firstMs = Number.NaN;
    this.#fallSilent();
  }

  #judge(alarmsADay: number): void {
    const { value, timeMs, isJudged } = this.#points;
    const surprise = this.#stream.next(timeMs, value);
    const rarity = this.#tail.surprise(surprise);
    this.#tail.add(surprise);
    this.#count += 1;
    if (Number.isNaN(this.#firstMs)) this.#firstMs = timeMs;
    const pastMs = timeMs - this.#firstMs;
    const { points, ms } = settings.warmUp;
    if (!isJudged || this.#count <= points || pastMs < ms) {
      this.#fallSilent();
      return;
    }
    const pointsADay = 86_400_000 / this.#points.pointMs;
    const decades = Math.max(1, Math.log10(pointsADay / alarmsADay));
    const { least, aDecade, offset } = settings.leastSurprise;
    const ratio = Math.min(surprise / Math.max(least, aDecade * decades - offset), rarity / decades);
    const begins = this.#quiet.begins(ratio);
    this.inAlarm = begins || (this.inAlarm && !this.#points.isSlow && ratio >= settings.goesOn);
    const score = ratio / (ratio + 1);
    this.score = this.inAlarm ? Math.max(score, 0.5) : Math.min(score, quietScore);
    if (begins) this.reason = { ...this.#stream.reason(), pastMs, isCounter: this.#points.isCounter };
  }
}

const noReason: FieldReason = {
  surprise: 0,
  value: Number.NaN,
  low: 0,
  high: 0,
  pastMs: 0,
  isCounter: false,
};
