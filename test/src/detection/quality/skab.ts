/** SKAB by the protocol of its leaderboard: rows after the 400th of every file, counts pooled over the files. */
import { readFile } from 'node:fs/promises';
import { groupedCsvFilesIn } from '@edgeward/models/evaluate/numeric-csv';
import { spreadOf } from '../../bench/statistics.js';
import { type Predictions, predictionsOf } from './predictions.js';

export const trainingRows = 400;

export interface SkabFile {
  /** Folder and name, without .csv. */
  readonly name: string;
  readonly timeMs: readonly number[];
  /** 1 = anomalous. */
  readonly labels: readonly number[];
}

export interface Rates {
  readonly f1: number;
  /** Normal rows in alarm. */
  readonly farPercent: number;
  /** Anomalous rows without an alarm. */
  readonly marPercent: number;
}

export interface SkabScore extends Rates {
  readonly files: number;
  readonly groups: ReadonlyMap<string, Rates>;
  /** Files whose anomaly was found before it ended, of those that have one. */
  readonly found: number;
  readonly anomalies: number;
  /** From the first anomalous row to the first alarm, median of those found; undefined if none was. */
  readonly delayS: number | undefined;
}

interface Judged extends SkabFile {
  readonly alarms: Float64Array;
}

/** @throws TypeError if a row has no prediction */
export function scoreSkab(files: readonly SkabFile[], predictions: Predictions): SkabScore {
  const judged = files.map(
    (file): Judged => ({
      name: file.name,
      timeMs: file.timeMs.slice(trainingRows),
      labels: file.labels.slice(trainingRows),
      alarms: predictionsOf(predictions, file.name, trainingRows, file.labels.length),
    }),
  );
  const names = [...new Set(judged.map(groupOf))];
  const withAnomaly = judged.filter(({ labels }) => labels.includes(1));
  const delays = withAnomaly.map(delayOf).filter(delay => delay !== undefined);
  return {
    ...ratesOf(judged),
    files: files.length,
    groups: new Map(names.map(group => [group, ratesOf(judged.filter(file => groupOf(file) === group))])),
    found: delays.length,
    anomalies: withAnomaly.length,
    delayS: delays.length > 0 ? spreadOf(delays).median : undefined,
  };
}

const groupOf = ({ name }: SkabFile) => name.split('/')[0]!;

/** A rate over no rows is 0. */
export function ratesOf(files: readonly Pick<Judged, 'labels' | 'alarms'>[]): Rates {
  const counts = [0, 0, 0, 0];
  for (const { labels, alarms } of files)
    for (const [r, label] of labels.entries()) counts[2 * label + (alarms[r] ? 1 : 0)]! += 1;
  const [quiet, wrong, missed, right] = counts as [number, number, number, number];
  return {
    f1: (2 * right) / Math.max(2 * right + wrong + missed, 1),
    farPercent: (100 * wrong) / Math.max(wrong + quiet, 1),
    marPercent: (100 * missed) / Math.max(missed + right, 1),
  };
}

function delayOf({ timeMs, labels, alarms }: Judged): number | undefined {
  const [from, to] = [labels.indexOf(1), labels.lastIndexOf(1)];
  const first = alarms.findIndex((alarm, r) => r >= from && r <= to && alarm > 0);
  return first < 0 ? undefined : (timeMs[first]! - timeMs[from]!) / 1000;
}

export async function skabFilesIn(folder: string): Promise<SkabFile[]> {
  const files = await groupedCsvFilesIn([folder]);
  return await Promise.all(
    files.map(async ({ path, name }) => ({ name, ...parseSkab(await readFile(path, 'utf8')) })),
  );
}

export function parseSkab(text: string): Omit<SkabFile, 'name'> {
  const [head, ...lines] = text.trimEnd().split(/\r?\n/);
  const columns = head!.split(';');
  const [time, label] = [columns.indexOf('datetime'), columns.indexOf('anomaly')];
  const rows = lines.map(line => line.split(';'));
  return {
    timeMs: rows.map(cells => Date.parse(`${cells[time]!.replace(' ', 'T')}Z`)),
    labels: rows.map(cells => Math.trunc(Number(cells[label]))),
  };
}
