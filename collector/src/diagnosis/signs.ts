/**
 * What each channel of a device shows since an incident began, against what it showed before.
 *
 * Model contributions say which channels make a row unlikely; they do not say what the others do, and a cause is told
 * from its neighbours by that as well. So every channel is compared with its own last hour.
 */
import { quantile } from '@edgeward/models/statistics';
import { type Crossing, crossingOf } from './onset.js';

/** Rows of one device in order of time; null = missing. */
export interface Rows {
  readonly time: readonly number[];
  readonly channels: readonly {
    readonly field: string;
    readonly unit: string | null;
    /** Width of what is physically possible, where that is known. */
    readonly span?: number | undefined;
    /** Values are 0 and 1. */
    readonly isSwitch?: boolean;
    readonly values: readonly (number | null)[];
  }[];
}

export interface Sign {
  readonly field: string;
  readonly unit: string | null;
  /** Middle of its last rows; null = it says nothing. */
  readonly now: number | null;
  /** Where it usually lies, 2nd to 98th percentile; null = too little is known. */
  readonly usual: readonly [low: number, high: number] | null;
  /** Where that is from: its own past, or the rows its model was trained on. */
  readonly since: 'past' | 'training';
  /** Distance of `now` from the middle of `usual`, in half widths of it; 0 where that is not known. */
  readonly shift: number;
  /** When it left the range it had before for good, ms; null = it has not. */
  readonly leftMs: number | null;
  /** How it left, where that is clear enough to be held against others. */
  readonly crossing?: Crossing | undefined;
  /** Single readings that stand apart from the readings around them. */
  readonly jumps: number;
  /** Differences from row to row, now against before; 1 = as before. */
  readonly noise: number;
  /** It has left within a few rows, and not gone on. */
  readonly stepped: boolean;
  /** Times that it stepped to so many times what it showed, noise and all: as if in another unit. Absent: it did not. */
  readonly scaledBy?: number | undefined;
  /** It has not moved at all for a while, which it never did before. */
  readonly still: boolean;
  /** It is on or off: `high` is on, `low` is off for longer than ever. */
  readonly isSwitch: boolean;
}

/** Fewer rows say too little of how a channel varies. */
const leastBefore = 20;
const mostBefore = 3000;
/**
 * What came so shortly before the first flagged row may be part of the trouble already, since faults that grow are not
 * seen at once; less of a short record.
 */
const leadMs = 240_000;
const leadShare = 0.1;
const leastLead = 10;
/** Fewer rows before than these have not seen all that is usual: a part of what training saw is usual as well. */
const shortBefore = 300;
const trainedShare = 0.25;
/** Rows that `now` is the middle of. */
const nowRows = 15;
/** Off is below, on above this share of the highest value; some of the time it is either. */
const [offShare, onShare, leastAtRest] = [0.05, 0.4, 0.1];
/** A channel that never moved may move by this share of its value without a word. */
const stillShare = 0.005;
/** And by this share of what is physically possible: half an hour does not show what a day does. */
const spanShare = 0.01;
/** Half widths beyond which a channel has left. */
const leftAt = 1.5;
/** Rows in a row that it must stay outside. */
const leftFor = 3;
/** Rows that tell how much noise there is: in fewer, a single step is most of it. */
const leastNoise = 8;
/** Times the noise that a single reading must stand apart. */
const jumpNoises = 8;
/** Rows without any movement. */
const stillRows = 20;
/** Rows that tell how often they come. */
const intervalRows = 600;
/** Rows of a step, from inside to where it stays. */
const stepRows = 3;

/**
 * @param sinceMs  time of the first flagged row
 * @param trained  what models know of channels, for those whose own past is too short
 */
export function signsOf(
  rows: Rows,
  sinceMs: number,
  trained: ReadonlyMap<string, readonly [low: number, high: number]> = new Map(),
): Sign[] {
  const first = rows.time.findIndex(timeMs => timeMs >= sinceMs);
  const onset = first < 0 ? rows.time.length : first;
  const early = rows.time.findIndex(timeMs => timeMs >= sinceMs - leadMs);
  const lead = Math.max(leastLead, Math.min(onset - Math.max(0, early), Math.floor(leadShare * onset)));
  const at = { lead: Math.max(0, onset - lead), onset };
  return rows.channels.map(channel => signOf(rows.time, channel, at, trained.get(channel.field)));
}

function signOf(
  time: readonly number[],
  { field, unit, values, span = 0, isSwitch = false }: Rows['channels'][number],
  { lead, onset }: { readonly lead: number; readonly onset: number },
  trained: readonly [number, number] | undefined,
): Sign {
  const start = Math.max(0, lead - mostBefore);
  const shown = isSwitch ? values : atWork(values, start, lead);
  const base = finite(shown.slice(start, lead));
  const recent = finite(shown.slice(Math.max(onset, values.length - nowRows)));
  const now = recent.length > 0 ? middle(recent) : null;
  const blank = {
    field,
    unit,
    now,
    usual: null,
    since: 'past' as const,
    shift: 0,
    leftMs: null,
    jumps: 0,
    noise: 1,
    isSwitch,
  };
  if (base.length < leastBefore)
    return { ...blank, ...byTraining(now, trained), stepped: false, still: false };
  if (isSwitch) return { ...blank, ...heldOf(time, values, lead), stepped: false, still: false };
  const seen = base.length < shortBefore && trained ? (trainedShare * (trained[1] - trained[0])) / 2 : 0;
  const usual = usualOf(base, Math.max(spanShare * span, seen));
  const since = finite(shown.slice(onset));
  const noise = since.length < leastNoise ? usual.noise : noiseOf(since);
  const shift = now === null ? 0 : (now - usual.center) / usual.half;
  const departed = departure(shown, lead, usual, Math.sign(shift));
  const stepped = departed >= 0 && isStep(shown, departed, usual);
  return {
    ...blank,
    usual: [usual.low, usual.high],
    crossing: departed < 0 ? undefined : crossingOf(time, shown, lead, usual),
    shift,
    leftMs: departed < 0 ? null : time[departed]!,
    jumps: jumpsOf(shown.slice(lead), usual, noise),
    noise: noise / usual.noise,
    stepped,
    scaledBy: stepped && now !== null ? scaleOf(now / usual.center, noise / usual.noise) : undefined,
    still: longestRest(finite(shown.slice(lead))) >= stillRows && longestRest(base) < stillRows / 2,
  };
}

function byTraining(
  now: number | null,
  trained: readonly [number, number] | undefined,
): Partial<Pick<Sign, 'usual' | 'since' | 'shift'>> {
  if (!trained || now === null || !(trained[1] > trained[0])) return {};
  const [low, high] = trained;
  return { usual: trained, since: 'training', shift: (2 * now - low - high) / (high - low) };
}

/** From row to row, as it mostly is, ms. */
export function intervalOf({ time }: Pick<Rows, 'time'>): number {
  const steps = time
    .slice(-intervalRows)
    .flatMap((timeMs, i, all) => (i === 0 ? [] : [timeMs - all[i - 1]!]));
  return steps.length === 0 ? 0 : middle(steps);
}

/** Of a channel that is off for some of the time, as a compressor's current, only what it shows when on. */
function atWork(values: readonly (number | null)[], from: number, to: number): readonly (number | null)[] {
  const sorted = Float64Array.from(finite(values.slice(from, to))).sort();
  if (sorted.length < leastBefore) return values;
  const top = quantile(sorted, 0.98);
  const share = (test: (value: number) => boolean) => sorted.filter(test).length / sorted.length;
  const isOff = share(value => Math.abs(value) < offShare * top) >= leastAtRest;
  const isOn = share(value => value > onShare * top) >= leastAtRest;
  if (!(top > 0 && isOff && isOn)) return values;
  return values.map(value => (value !== null && value > onShare * top ? value : null));
}

/** A switch is unusual if it stays as it is for much longer than it ever did. */
function heldOf(
  time: readonly number[],
  values: readonly (number | null)[],
  lead: number,
): Pick<Sign, 'usual' | 'shift' | 'leftMs' | 'crossing'> {
  const state = values.at(-1);
  const runs = [0];
  let since = values.length - 1;
  while (since > 0 && values[since - 1] === state) since -= 1;
  for (let i = 0; i < Math.min(lead, since); i++)
    if (values[i] === state) runs[runs.length - 1]! += 1;
    else if (runs.at(-1)! > 0) runs.push(0);
  const held = (values.length - since) / Math.max(nowRows, ...runs);
  const shift = held > 1 ? (state === 1 ? held : -held) : 0;
  const left = Math.abs(shift) > leftAt;
  const crossing = left && since > lead ? { insideMs: time[since - 1]!, outsideMs: time[since]! } : undefined;
  return { usual: [0, 1], shift, leftMs: left ? time[since]! : null, crossing };
}

interface Usual {
  readonly low: number;
  readonly high: number;
  readonly center: number;
  readonly half: number;
  readonly noise: number;
}

/** @param least  half width that it has at least */
function usualOf(base: readonly number[], least: number): Usual {
  const sorted = Float64Array.from(base).sort();
  const [low, high] = [quantile(sorted, 0.02), quantile(sorted, 0.98)];
  const center = (low + high) / 2;
  const noise = noiseOf(base);
  // What has drifted all the time may go on: a dock warms all morning.
  const third = Math.floor(base.length / 3);
  const drifted = Math.abs(middle(base.slice(-third)) - middle(base.slice(0, third)));
  const own = Math.max((high - low) / 2, 1.5 * drifted, 3 * noise);
  const half = Math.max(own, stillShare * Math.abs(center), least, 1e-9);
  return { low, high, center, half, noise: Math.max(noise, own / 50, 1e-12) };
}

/** Standard deviation from row to row, by the smaller half of the differences, so that a few jumps do not count. */
function noiseOf(values: readonly number[]): number {
  if (values.length < 3) return 0;
  const steps = Float64Array.from({ length: values.length - 1 }, (_, i) =>
    Math.abs(values[i + 1]! - values[i]!),
  ).sort();
  const kept = steps.subarray(0, Math.max(1, Math.floor(0.5 * steps.length)));
  // The mean of those is 0.325 deviations of a normal difference, which has √2 of those of a row.
  return kept.reduce((sum, step) => sum + step, 0) / kept.length / (0.325 * Math.SQRT2);
}

/**
 * Index of the first of the rows that have stayed outside on that side ever since; -1 = it is not outside there: the way
 * back may lead to the other side for some rows.
 */
function departure(values: readonly (number | null)[], from: number, usual: Usual, side: number): number {
  let at = -1;
  let stay = 0;
  for (let i = from; i < values.length; i++) {
    const value = values[i];
    if (value === null || value === undefined) continue;
    if (side === 0 || sideOf(value, usual) !== side) {
      at = -1;
      stay = 0;
      continue;
    }
    if (at < 0) at = i;
    stay += 1;
  }
  return stay >= leftFor ? at : -1;
}

function sideOf(value: number, { center, half }: Usual): -1 | 0 | 1 {
  const distance = (value - center) / half;
  return distance > leftAt ? 1 : distance < -leftAt ? -1 : 0;
}

/** @param noise  of late: much noise is not many jumps */
function jumpsOf(values: readonly (number | null)[], usual: Usual, noise: number): number {
  const known = finite(values);
  const least = Math.max(jumpNoises * Math.max(noise, usual.noise), usual.half);
  let count = 0;
  for (let i = 2; i < known.length - 2; i++) {
    const around = middleOfFour(known[i - 2]!, known[i - 1]!, known[i + 1]!, known[i + 2]!);
    const agree = Math.abs(known[i - 1]! - known[i + 1]!) < least / 2;
    if (agree && Math.abs(known[i]! - around) > least) count += 1;
  }
  return count;
}

/** Without an array a row. */
function middleOfFour(a: number, b: number, c: number, d: number): number {
  return (a + b + c + d - Math.min(a, b, c, d) - Math.max(a, b, c, d)) / 2;
}

/** All the way within a few rows, however far that is. */
function isStep(values: readonly (number | null)[], at: number, { center }: Usual): boolean {
  const after = finite(values.slice(at + stepRows));
  const before = finite(values.slice(Math.max(0, at - stepRows), at));
  const within = finite(values.slice(at, at + stepRows));
  if (after.length < leftFor || before.length === 0 || within.length === 0) return false;
  const [from, to] = [middle(before), middle(after)];
  const reached = (within.at(-1)! - from) / (to - from);
  return Math.abs(to - center) > 0 && reached > 0.7 && reached < 1.4;
}

/** Level and noise are so many times what they were; nearer to 1 it is no other unit. */
const leastScale = 1.6;
/** By so much they may differ. */
const scaleSlack = 1.5;

function scaleOf(level: number, noise: number): number | undefined {
  const far = level > leastScale || (level > 0 && level < 1 / leastScale);
  const together = noise / level < scaleSlack && level / noise < scaleSlack;
  return far && together ? level : undefined;
}

/** Most rows of the same value that follow each other. */
function longestRest(values: readonly number[]): number {
  let [longest, run] = [0, 0];
  for (let i = 1; i < values.length; i++) {
    run = values[i] === values[i - 1] ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

function finite(values: readonly (number | null)[]): number[] {
  return values.filter((value): value is number => value !== null && Number.isFinite(value));
}

function middle(values: readonly number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}
