/**
 * What is usual of one pipeline device, from its own past, in bounded memory: of each feature its level at each hour of
 * the day (for rates also at each hour of the week), and how far it usually strays from that. Logarithms are compared, as
 * delays and rates differ by factors. Of the
 * last minutes the middle one is judged: bad minutes, and pauses, are none of what is told here.
 */
import type { Memory } from '@edgeward/models/memory';
import type { Feature } from './features.js';

const [hoursADay, hoursAWeek] = [24, 168];
const hourMs = 3_600_000;
/** Minutes of an hour that have to be known before it says what is usual; and over how many it is averaged. */
const hourKnown = 40;
const [dayMemory, weekMemory] = [300, 180];
const levelMemory = 360;
const spreadMemory = 2880;
/** The middle one of so many minutes is judged: half of them have to be out. */
const middleOf = 41;
/** So what is found to be out has been so for longer than this. */
export const outAfterMinutes = 20;
/** So many have to be there. */
const leastMinutes = 21;
/** A straying teaches no more than so many usual ones. */
const mostTaught = 4;
/** Minutes that have been compared with known hours before anything is said. */
export const learnedMinutes = 1440;
/** No feature is so steady that less is out. */
const leastSpread = 0.02;

export class OwnPast {
  /** [F] the middle of the last minutes: how far out in the direction that is trouble; in logarithms. NaN = unknown. */
  readonly stray: Float32Array;
  /** [F] how far that usually is. */
  readonly usualStray: Float32Array;
  /** [F] of the newest minute, as it is: how far above what was expected; and how far that usually is. */
  readonly away: Float32Array;
  readonly usualAway: Float32Array;
  /** [F] what was expected of the newest minute, in logarithms. */
  readonly expected: Float32Array;
  readonly #level: Float32Array;
  /** [F][24], and of the weekly ones [168]; with minutes that each has been learned from. */
  readonly #day: Float32Array;
  readonly #dayCounts: Float32Array;
  readonly #week: Float32Array;
  readonly #weekCounts: Float32Array;
  /** [F][middleOf] of the last minutes, and how many there have been. */
  readonly #last: Float32Array;
  readonly #minutes: Uint32Array;
  /** [F] minutes in all, and those compared with known hours. */
  readonly #counts: Float32Array;
  readonly #judged: Float32Array;

  constructor(private readonly features: readonly Feature[]) {
    const { length: F } = features;
    const weekly = features.filter(({ isWeekly }) => isWeekly).length;
    const none = () => new Float32Array(F).fill(Number.NaN);
    [this.stray, this.away, this.expected, this.#level] = [none(), none(), none(), none()];
    const zeros = (n: number) => new Float32Array(n);
    [this.usualStray, this.usualAway, this.#last] = [zeros(F), zeros(F), zeros(F * middleOf)];
    this.#minutes = new Uint32Array(F);
    [this.#counts, this.#judged] = [zeros(F), zeros(F)];
    [this.#day, this.#dayCounts] = [zeros(F * hoursADay), zeros(F * hoursADay)];
    [this.#week, this.#weekCounts] = [zeros(weekly * hoursAWeek), zeros(weekly * hoursAWeek)];
  }

  /**
   * @param values  [F] means of a minute; NaN = not there
   * @param learns  false while it is out: what is wrong must not become usual
   */
  next(atMs: number, values: Float64Array, learns: boolean): void {
    let week = 0;
    for (const [f, feature] of this.features.entries()) {
      const weekAt = feature.isWeekly ? hoursAWeek * week++ : -1;
      const value = values[f]!;
      if (Number.isNaN(value)) continue;
      this.#feature(f, weekAt, atMs, Math.log(Math.max(0, value) + feature.floor), learns);
    }
  }

  /** Nothing came for a while: what comes next has nothing to do with the last minutes. */
  interrupt(): void {
    this.stray.fill(Number.NaN);
    this.#minutes.fill(0);
  }

  /** What is out has lasted so long that it is how things are now: learned quickly. */
  accept(): void {
    const less = (counts: Float32Array, most: number) => {
      for (let i = 0; i < counts.length; i++) counts[i] = Math.min(counts[i]!, most);
    };
    less(this.#counts, 1);
    less(this.#judged, 0);
    this.#dayCounts.fill(0);
    this.#weekCounts.fill(0);
    this.interrupt();
  }

  remember(memory: Memory): void {
    const kept = [this.usualStray, this.#level, this.#day, this.#dayCounts, this.#week, this.#weekCounts];
    for (const array of [...kept, this.usualAway, this.#counts, this.#judged]) memory.array(array);
    for (const array of [this.stray, this.expected, this.#last, this.#minutes]) memory.array(array);
  }

  #feature(f: number, weekAt: number, atMs: number, x: number, learns: boolean): void {
    const away = this.#away(f, weekAt, atMs, x);
    this.away[f] = away;
    const isKnown = this.#counts[f]! > 0;
    const sign = this.features[f]!.worse === 'high' ? 1 : -1;
    const isOfHours = this.#dayCounts[f * hoursADay + hourOfDay(atMs)]! >= hourKnown;
    const isLearned = this.#judged[f]! >= learnedMinutes;
    // Saturdays are known once there was one.
    const isOfWeek = weekAt < 0 || this.#weekCounts[weekAt + hourOfWeek(atMs)]! >= hourKnown;
    if (!isOfWeek) learn(this.#week, this.#weekCounts, weekAt + hourOfWeek(atMs), x, weekMemory);
    const middle = isOfWeek ? this.#middle(f, away) : Number.NaN;
    this.stray[f] = isLearned ? sign * middle : Number.NaN;
    if (!learns) return;
    const most = mostTaught * Math.max(leastSpread, this.usualAway[f]!);
    const taught = isKnown && isLearned ? clip(away, most) : away;
    this.#teach(f, isOfWeek ? weekAt : -1, atMs, x - away + taught);
    if (!isOfHours || Number.isNaN(middle)) return;
    const judged = Math.min(this.#judged[f]! + 1, spreadMemory);
    this.#judged[f] = judged;
    this.usualAway[f]! +=
      (Math.min(Math.abs(away), isLearned ? most : Infinity) - this.usualAway[f]!) / judged;
    const stray = Math.abs(middle);
    const mostStray = mostTaught * Math.max(leastSpread, this.usualStray[f]!);
    this.usualStray[f]! += (Math.min(stray, isLearned ? mostStray : Infinity) - this.usualStray[f]!) / judged;
  }

  /** NaN until there are enough. */
  #middle(f: number, away: number): number {
    const from = f * middleOf;
    this.#last[from + (this.#minutes[f]! % middleOf)] = away;
    const count = Math.min(middleOf, ++this.#minutes[f]!);
    if (count < leastMinutes) return Number.NaN;
    return this.#last.slice(from, from + count).sort()[count >> 1]!;
  }

  /** From the hour of the week where that is known, else of the day. */
  #away(f: number, weekAt: number, atMs: number, x: number): number {
    const day = nearest(this.#day, this.#dayCounts, f * hoursADay, hoursADay, atMs, x);
    const week = weekAt < 0 ? Number.NaN : nearest(this.#week, this.#weekCounts, weekAt, hoursAWeek, atMs, x);
    const byDay = Number.isNaN(day) ? (Number.isNaN(this.#level[f]!) ? x : this.#level[f]!) : day;
    const expected = Number.isNaN(week) ? byDay : week;
    this.expected[f] = expected;
    return x - expected;
  }

  #teach(f: number, weekAt: number, atMs: number, x: number): void {
    const count = Math.min(this.#counts[f]! + 1, levelMemory);
    this.#counts[f] = count;
    this.#level[f] = count === 1 ? x : this.#level[f]! + (x - this.#level[f]!) / count;
    learn(this.#day, this.#dayCounts, f * hoursADay + hourOfDay(atMs), x, dayMemory);
    if (weekAt >= 0) learn(this.#week, this.#weekCounts, weekAt + hourOfWeek(atMs), x, weekMemory);
  }
}

const hourOfDay = (atMs: number) => Math.floor(atMs / hourMs) % hoursADay;
const hourOfWeek = (atMs: number) => Math.floor(atMs / hourMs) % hoursAWeek;
const clip = (value: number, most: number) => Math.max(-most, Math.min(most, value));

function learn(levels: Float32Array, counts: Float32Array, at: number, x: number, most: number): void {
  counts[at] = Math.min(counts[at]! + 1, most);
  levels[at] = counts[at] === 1 ? x : levels[at]! + (x - levels[at]!) / counts[at]!;
}

/** Anything from this hour's level to that of the hour nearest to now: loads step. NaN unless this hour is known. */
function nearest(
  levels: Float32Array,
  counts: Float32Array,
  from: number,
  hours: number,
  atMs: number,
  x: number,
): number {
  const at = (atMs / hourMs) % hours;
  const here = Math.floor(at);
  if (counts[from + here]! < hourKnown) return Number.NaN;
  const level = levels[from + here]!;
  const other = (here + (at - here < 0.5 ? -1 : 1) + hours) % hours;
  if (counts[from + other]! < hourKnown) return level;
  const beside = levels[from + other]!;
  return Math.max(Math.min(level, beside), Math.min(Math.max(level, beside), x));
}
