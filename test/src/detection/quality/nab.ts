/** The score of the Numenta Anomaly Benchmark, version 1.1 (Lavin and Ahmad 2015). */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Predictions, predictionsOf } from './predictions.js';

export interface NabFile {
  /** As in windows.json: folder and name, with .csv. */
  readonly name: string;
  readonly rows: number;
  /** First and last row of each labelled window, in order. */
  readonly windows: readonly (readonly [number, number])[];
}

/** What a window found, a false row and a missed window weigh. */
export const profiles = {
  standard: { found: 1, false: 0.11, missed: 1 },
  lowFP: { found: 1, false: 0.22, missed: 1 },
  lowFN: { found: 1, false: 0.11, missed: 2 },
} as const;
export type Profile = keyof typeof profiles;

export interface NabScore {
  /** 100 = every window found at its first row, 0 = no alarm at all. */
  readonly score: number;
  readonly threshold: number;
  readonly windows: number;
  readonly hit: number;
  /** Rows in alarm outside all windows. */
  readonly falseRows: number;
}

interface Point {
  readonly score: number;
  readonly weight: number;
  /** Undefined outside all windows. */
  readonly window: object | undefined;
}

/**
 * @param threshold  rows at or above it alarm; without one, the best single threshold over all files is taken, as for
 *                   published figures
 * @throws TypeError if a row has no prediction
 */
export function scoreNab(
  files: readonly NabFile[],
  predictions: Predictions,
  profile: Profile,
  threshold?: number,
): NabScore {
  const points = files.flatMap(file => pointsOf(file, predictionsOf(predictions, file.name, 0, file.rows)));
  points.sort((a, b) => b.score - a.score);
  const counted = new Set(points.flatMap(({ window }) => (window ? [window] : [])));
  const weights = profiles[profile];
  const [none, all] = [-weights.missed * counted.size, weights.found * counted.size];
  const finish = (raw: number, at: Omit<NabScore, 'score' | 'windows'>): NabScore => ({
    score: counted.size === 0 ? 0 : (100 * (raw - none)) / (all - none),
    windows: counted.size,
    ...at,
  });
  const best = new Map<object, number>();
  let [raw, falseRows] = [none, 0];
  const so = (value: number) => ({ threshold: value, hit: best.size, falseRows });
  let top = { raw, at: so(Number.POSITIVE_INFINITY) };
  for (const [i, { score, weight, window }] of points.entries()) {
    if (threshold !== undefined && score < threshold) break;
    if (window === undefined) {
      raw += weights.false * weight;
      falseRows += 1;
    } else {
      const former = best.get(window) ?? -weights.missed;
      const own = Math.max(former, weights.found * weight);
      raw += own - former;
      best.set(window, own);
    }
    // A threshold takes all rows of a score or none.
    if (points[i + 1]?.score !== score && raw > top.raw) top = { raw, at: so(score) };
  }
  return threshold === undefined ? finish(top.raw, top.at) : finish(raw, so(threshold));
}

/** Rows that count, with what an alarm there is worth. */
function pointsOf({ rows, windows }: NabFile, scores: Float64Array): Point[] {
  const weights = new Float64Array(rows).fill(-1);
  const within: (object | undefined)[] = new Array(rows).fill(undefined);
  for (const [w, window] of windows.entries()) {
    const [from, to] = window;
    const length = to - from + 1;
    for (let r = from; r <= to; r++) {
      weights[r] = sigmoid(-(to - r + 1) / length) / sigmoid(-1);
      within[r] = window;
    }
    const next = windows[w + 1]?.[0] ?? rows;
    for (let r = to + 1; r < next; r++) weights[r] = sigmoid((r - to) / Math.max(length - 1, 1));
  }
  const probation = probationRows(rows);
  return Array.from({ length: rows - probation }, (_, i) => {
    const r = probation + i;
    return { score: scores[r]!, weight: weights[r]!, window: within[r] };
  });
}

/** In these a detector only learns: 15 % of a file, at most 750 rows. */
export function probationRows(rows: number): number {
  return Math.floor(Math.min(Math.floor(0.15 * rows), 0.15 * 5000));
}

/** 1 far before the end of a window, 0 at its end, −1 far behind it. */
function sigmoid(place: number): number {
  return place > 3 ? -1 : 2 / (1 + Math.exp(5 * place)) - 1;
}

export async function nabFilesIn(folder: string): Promise<NabFile[]> {
  const json = await readFile(path.join(folder, 'windows.json'), 'utf8');
  const windows = Object.entries(JSON.parse(json) as Record<string, [string, string][]>);
  return await Promise.all(
    windows.map(async ([name, spans]) => {
      const text = await readFile(path.join(folder, 'data', name), 'utf8');
      return nabFileOf(name, text, spans);
    }),
  );
}

/** @param spans  first and last time stamp of each window */
export function nabFileOf(
  name: string,
  text: string,
  spans: readonly (readonly [string, string])[],
): NabFile {
  const stamps = text
    .trimEnd()
    .split(/\r?\n/)
    .slice(1)
    .map(line => line.slice(0, line.indexOf(',')));
  const rowOf = (stamp: string) => {
    const row = stamps.indexOf(stamp.slice(0, 19));
    if (row < 0) throw new TypeError(`${name} has no row at ${stamp}`);
    return row;
  };
  return { name, rows: stamps.length, windows: spans.map(([from, to]) => [rowOf(from), rowOf(to)] as const) };
}
