import type { Memory } from '../memory.js';
import { surpriseSettings as settings } from './settings.js';

/** Steps that are averaged before anything is said of a field, and over how many later ones it is averaged. */
const [firstSteps, stepMemory] = [8, 32];
/** A silence of so many steps counts as this many, so that it does not make a fast field a slow one. */
const longestStep = 8;
/** By how much a step must have changed for the field to be looked at in the other way. */
const hysteresis = 2;
/** Of the number of values in a bucket, how much is of the newest one. */
const newestBucket = 0.1;

/**
 * Makes points to be judged of the values of one field: means over a bucket of time where values come fast, else the
 * values themselves; of a counter its rate per second.
 */
export class FieldPoints {
  /** The newest point. */
  value = Number.NaN;
  timeMs = Number.NaN;
  /** False while it is a constant, a state with few values, or not known to be a counter or none. */
  isJudged = false;
  /** Its values are points. */
  isSlow = false;
  isCounter = false;
  #lastMs = Number.NaN;
  #last = Number.NaN;
  #steps = 0;
  #stepMs = 0;
  // The open bucket.
  #slot = Number.NaN;
  #sum = 0;
  #count = 0;
  /** Values that buckets usually have; 0 = none has been full. */
  #usualCount = 0;
  // Of a counter: where the last point ended.
  #endValue = Number.NaN;
  #endMs = Number.NaN;
  #rises = 0;
  #fell = false;
  #whole = true;
  readonly #values = new Float64Array(settings.leastValues.whole);
  #different = 0;

  /** Time between two points. */
  get pointMs(): number {
    return this.isSlow ? this.#stepMs : settings.bucketMs;
  }

  get newestMs(): number {
    return this.#lastMs;
  }

  /**
   * @param timeMs  not before the newest
   * @returns       'point': there is a new one. 'anew': what was learned of its points is of no use any more
   */
  next(timeMs: number, value: number): 'point' | 'none' | 'anew' {
    const changed = this.#learnStep(timeMs - this.#lastMs);
    const other = this.#learnKind(value);
    if (changed || other) this.#begin();
    const point = this.#steps >= firstSteps && this.#take(timeMs, value);
    this.#lastMs = timeMs;
    this.#last = value;
    if (changed || other) return 'anew';
    return point ? 'point' : 'none';
  }

  /** The clock was set back: what is open is no stretch of time. */
  interrupt(): void {
    this.#begin();
    this.#lastMs = Number.NaN;
  }

  remember(memory: Memory): void {
    this.value = memory.number(this.value);
    this.timeMs = memory.number(this.timeMs);
    this.isJudged = memory.count(Number(this.isJudged)) === 1;
    this.isSlow = memory.count(Number(this.isSlow)) === 1;
    this.isCounter = memory.count(Number(this.isCounter)) === 1;
    this.#lastMs = memory.number(this.#lastMs);
    this.#last = memory.number(this.#last);
    this.#steps = memory.count(this.#steps);
    this.#stepMs = memory.number(this.#stepMs);
    this.#slot = memory.number(this.#slot);
    this.#sum = memory.number(this.#sum);
    this.#count = memory.count(this.#count);
    this.#usualCount = memory.number(this.#usualCount);
    this.#endValue = memory.number(this.#endValue);
    this.#endMs = memory.number(this.#endMs);
    this.#rises = memory.count(this.#rises);
    this.#fell = memory.count(Number(this.#fell)) === 1;
    this.#whole = memory.count(Number(this.#whole)) === 1;
    memory.array(this.#values);
    this.#different = memory.count(this.#different);
  }

  /** @returns whether the field is now to be looked at in the other way */
  #learnStep(passedMs: number): boolean {
    if (!(passedMs > 0)) return false;
    const step = this.#steps === 0 ? passedMs : Math.min(passedMs, longestStep * this.#stepMs);
    this.#steps = Math.min(this.#steps + 1, stepMemory);
    this.#stepMs += (step - this.#stepMs) / this.#steps;
    if (this.#steps < firstSteps) return false;
    const was = this.isSlow;
    const margin = this.#steps === firstSteps ? 1 : was ? 1 / hysteresis : hysteresis;
    this.isSlow = this.#stepMs >= settings.slowStepMs * margin;
    return this.isSlow !== was;
  }

  /** @returns whether it is another kind of field than it was held for */
  #learnKind(value: number): boolean {
    if (!this.isJudged) this.#learnValues(value);
    if (value > this.#last && this.#rises < settings.counterRises) this.#rises += 1;
    const fell = value < this.#last;
    if (this.isCounter) {
      if (!fell || value <= this.#last * settings.counterReset) return false;
      this.#fell = true;
      this.isCounter = false;
      return true;
    }
    if (fell) this.#fell = true;
    this.isCounter = !this.#fell && this.#rises >= settings.counterRises;
    return this.isCounter;
  }

  #learnValues(value: number): void {
    const { whole, other } = settings.leastValues;
    if (!Number.isInteger(value)) this.#whole = false;
    if (this.#different < this.#values.length && !this.#values.subarray(0, this.#different).includes(value)) {
      this.#values[this.#different] = value;
      this.#different += 1;
    }
    const enough = this.#different >= (this.#whole ? whole : other);
    this.isJudged = enough && (this.isCounter || this.#fell);
  }

  #begin(): void {
    this.#slot = Number.NaN;
    this.#sum = 0;
    this.#count = 0;
    this.#endValue = Number.NaN;
    this.#endMs = Number.NaN;
  }

  /** @returns whether there is a new point */
  #take(timeMs: number, value: number): boolean {
    if (this.isSlow) return this.#close(timeMs, value, value);
    const slot = Math.floor(timeMs / settings.bucketMs);
    const closes = this.#count > 0 && slot !== this.#slot;
    const point = closes && this.#closeBucket();
    if (slot !== this.#slot) {
      this.#slot = slot;
      this.#sum = 0;
      this.#count = 0;
    }
    this.#sum += value;
    this.#count += 1;
    return point;
  }

  #closeBucket(): boolean {
    const count = this.#count;
    const enough = count >= this.#usualCount * settings.leastShare;
    this.#usualCount += this.#usualCount === 0 ? count : newestBucket * (count - this.#usualCount);
    const isPoint = this.#close(this.#lastMs, this.#sum / count, this.#last);
    return isPoint && enough;
  }

  #close(timeMs: number, mean: number, end: number): boolean {
    const [before, beforeMs] = [this.#endValue, this.#endMs];
    this.#endValue = end;
    this.#endMs = timeMs;
    this.timeMs = timeMs;
    this.value = mean;
    if (!this.isCounter) return true;
    const passedMs = timeMs - beforeMs;
    this.value = (1000 * (end - before)) / passedMs;
    // After a silence the rate is that of the silence.
    return end >= before && passedMs > 0 && passedMs <= longestStep * this.pointMs;
  }
}
