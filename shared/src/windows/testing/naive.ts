/** What windows mean, worked out anew from all rows of a device: the reference that the fast way is held against. */
import { rowsOfAnotherClock } from '../time-line.js';
import type { WindowFunction } from '../time-window.js';

export interface TimedRow {
  readonly timeMs: number;
}

export interface ValueRow extends TimedRow {
  /** NaN = none. */
  readonly value: number;
}

/** The rows since the last silence, without those that were late when they came. */
export function rowsInTime<T extends TimedRow>(rows: readonly T[], durationMs: number): T[] {
  let seen: T[] = [];
  let farBack = 0;
  for (const row of rows) {
    const newest = seen.at(-1)?.timeMs ?? Number.NEGATIVE_INFINITY;
    if (row.timeMs >= newest) {
      seen = row.timeMs - newest > durationMs ? [row] : [...seen, row];
      farBack = 0;
    } else if (newest - row.timeMs > durationMs && ++farBack === rowsOfAnotherClock) {
      seen = [row];
      farBack = 0;
    }
  }
  return seen;
}

/** What the function says at the last of the rows; NaN = not known. */
export function naiveWindow(what: WindowFunction, lengthMs: number, rows: readonly ValueRow[]): number {
  const seen = rowsInTime(rows, lengthMs);
  const now = rows.at(-1)!;
  if (seen.at(-1) !== now || now.timeMs - seen[0]!.timeMs < lengthMs) return Number.NaN;
  return over(
    what,
    seen.filter(({ timeMs, value }) => now.timeMs - timeMs <= lengthMs && !Number.isNaN(value)),
  );
}

function over(what: WindowFunction, kept: readonly ValueRow[]): number {
  const values = kept.map(({ value }) => value);
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const change = n > 1 ? values.at(-1)! - values[0]! : Number.NaN;
  switch (what) {
    case 'count':
      return n;
    case 'mean':
      return mean;
    case 'min':
      return n > 0 ? Math.min(...values) : Number.NaN;
    case 'max':
      return n > 0 ? Math.max(...values) : Number.NaN;
    case 'spread':
      return n > 1 ? Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n) : Number.NaN;
    case 'change':
      return change;
    case 'rate': {
      const seconds = n > 1 ? (kept.at(-1)!.timeMs - kept[0]!.timeMs) / 1000 : 0;
      return seconds > 0 ? change / seconds : Number.NaN;
    }
  }
}
