/** Where things stand in the plot of an alarm. No DOM: positions are shares of a track's width, 0 = left, 1 = right. */
import type { IncidentChannel } from '../alerts/incident.js';

const mostShown = 8;

/** The largest parts first; what a person need not see at once is folded away. */
export function folded(channels: readonly IncidentChannel[]): {
  readonly shown: readonly IncidentChannel[];
  readonly more: readonly IncidentChannel[];
} {
  const sorted = channels.toSorted((a, b) => b.weight - a.weight);
  return { shown: sorted.slice(0, mostShown), more: sorted.slice(mostShown) };
}

export interface Bar {
  readonly from: number;
  readonly to: number;
}

const axes = [0.25, 0.5] as const;

/** The share at which a bar is as long as can be: few lengths, so that bars of different alarms compare. */
export function axisOf(channels: readonly IncidentChannel[]): number {
  const largest = Math.max(0, ...channels.map(({ weight }) => weight));
  return axes.find(axis => largest <= axis) ?? 1;
}

/** From the middle: to the right = high, to the left = low, to both sides = neither. */
export function barOf({ direction, weight }: IncidentChannel, axis: number): Bar {
  const length = within01(weight / axis) / 2;
  if (direction === 'high') return { from: 0.5, to: 0.5 + length };
  if (direction === 'low') return { from: 0.5 - length, to: 0.5 };
  return { from: 0.5 - length / 2, to: 0.5 + length / 2 };
}

/** A value on the scale of what is usual for it. */
export interface Track {
  /** The usual range; none where there is a limit. */
  readonly band?: Bar;
  /** A rule's limit, and what lies beyond it. */
  readonly limit?: number;
  readonly forbidden?: Bar;
  /** Undefined = there is no value. */
  readonly at?: number;
  /** Inside of the band, or on the limit's good side. */
  readonly isUsual: boolean;
  /** The value lies farther out than the track reaches; `at` is its end. */
  readonly beyond?: 'low' | 'high';
}

/** Undefined where nothing is known that the value could be compared with. A limit goes before a range. */
export function trackOf(channel: IncidentChannel): Track | undefined {
  const { limit, expected, value, direction } = channel;
  if (limit !== undefined) return limitTrack(value, limit, direction);
  if (!expected) return undefined;
  return bandTrack(value, Math.min(...expected), Math.max(...expected));
}

const band: Bar = { from: 1 / 3, to: 2 / 3 };

/** The track is three ranges wide, with the range in the middle. */
function bandTrack(value: number | null, low: number, high: number): Track {
  if (value === null) return { band, isUsual: false };
  const isUsual = value >= low && value <= high;
  if (high === low) return { band: { from: 0.5, to: 0.5 }, isUsual, ...placed(sideOf(value - low)) };
  return { band, isUsual, ...placed((1 + (value - low) / (high - low)) / 3) };
}

/** Of a range without width: on it, or farther out than any scale. */
function sideOf(off: number): number {
  return off === 0 ? 0.5 : off * Number.POSITIVE_INFINITY;
}

/** So far from the limit that one sees on which side of it the value lies. */
const leastOff = 0.06;

/** The track reaches from half of the limit to one and a half of it. */
function limitTrack(value: number | null, limit: number, direction: IncidentChannel['direction']): Track {
  const forbidden = direction === 'unusual' ? {} : { forbidden: forbiddenSide(direction) };
  const base = { limit: 0.5, isUsual: false, ...forbidden };
  if (value === null) return base;
  const reach = Math.abs(limit) > 0 ? Math.abs(limit) : 2 * Math.abs(value);
  const off = value === limit ? 0 : (value - limit) / reach;
  return { ...base, ...placed(0.5 + Math.sign(off) * Math.max(Math.abs(off), off === 0 ? 0 : leastOff)) };
}

function forbiddenSide(direction: 'high' | 'low'): Bar {
  return direction === 'high' ? { from: 0.5, to: 1 } : { from: 0, to: 0.5 };
}

function placed(at: number): Pick<Track, 'at' | 'beyond'> {
  if (at < 0) return { at: 0, beyond: 'low' };
  return at > 1 ? { at: 1, beyond: 'high' } : { at };
}

function within01(share: number): number {
  return Math.max(0, Math.min(1, share));
}
