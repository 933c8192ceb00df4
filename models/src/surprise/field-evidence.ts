import type { ChannelEvidence } from '@edgeward/shared/contracts';
import { metricSettings, surpriseNames } from '../stream/metric-stream.js';
import type { WatchedField } from './watched-field.js';

/** No name of a field makes evidence that no block takes. */
const maxLength = 128;

/** A field in alarm, as a reason that a person reads. */
export interface Explained {
  readonly channel: ChannelEvidence;
  /** What surprised, and against how long a past: `level, past 6 days`. */
  readonly source: string;
}

/** @param weight  its part of the device's alarm; undefined: it is in none */
export function explain(name: string, field: WatchedField, weight: number): Explained | undefined {
  const { reason } = field;
  if (!reason) return undefined;
  const { surprise, value, low, high, pastMs, isCounter } = reason;
  const metric = isCounter ? `rate(${name})` : name;
  const direction = value > high ? 'high' : value < low ? 'low' : 'unusual';
  const of = whatOf(metric, surprise, field.pointMs, isCounter);
  return {
    channel: {
      field: name,
      value: Number.isFinite(value) ? value : null,
      ...(Number.isFinite(low) && Number.isFinite(high) && { expected: [low, high] as const }),
      ...(of !== undefined && of.length <= maxLength && { of }),
      direction,
      weight,
    },
    source: `${surpriseNames[surprise]}, past ${spanOf(pastMs)}`,
  };
}

/** Undefined: of the reading itself. */
function whatOf(metric: string, surprise: number, pointMs: number, isCounter: boolean): string | undefined {
  const over = (points: number) => `mean(${metric}, ${spanOf(points * pointMs)})`;
  const name = surpriseNames[surprise];
  if (name === 'level') return over(metricSettings.level.newest);
  if (name === 'time of day') return over(metricSettings.residualRows[0]);
  if (name === 'hours beside the profile') return over(metricSettings.residualRows[1]);
  return isCounter ? metric : undefined;
}

/** `45 min`, `6 h`, `9 days`. */
function spanOf(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes < 90) return `${Math.max(1, Math.round(minutes))} min`;
  if (minutes < 48 * 60) return `${Math.round(minutes / 60)} h`;
  return `${Math.round(minutes / 1440)} days`;
}
