/** The tabular sets: scores of `edgeward evaluate tabular` against labels, and against scikit-learn's forest. */
import { execFile } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { csvFilesIn, readNumericCsv } from '@edgeward/models/evaluate/numeric-csv';
import type { Figure } from '../../bench/figures.js';
import { spreadOf } from '../../bench/statistics.js';
import { cli, root } from '../../support/root.js';
import { type Ranking, rank } from './ranking.js';

/** Of scikit-learn's forest on one set. */
export interface Reference {
  readonly aucMean: number;
  readonly aucSd: number;
  readonly seeds: number;
}

/** A ranking for each seed, by set. */
export type Rankings = ReadonlyMap<string, readonly Ranking[]>;

export function references(): Readonly<Record<string, Reference>> {
  const text = readFileSync(path.join(root, 'test', 'detection', 'tabular-reference.json'), 'utf8');
  return (JSON.parse(text) as { sets: Record<string, Reference> }).sets;
}

/** Runs the command on a folder, ten seeds, as an own process. */
export async function evaluateTabular(folder: string, forest: 'isolation' | 'extended'): Promise<Rankings> {
  const own = await mkdtemp(path.join(tmpdir(), 'edgeward-tabular-'));
  try {
    const out = path.join(own, 'predictions.csv');
    const args = ['evaluate', 'tabular', '--data', folder, '--forest', forest, '--out', out];
    await promisify(execFile)(process.execPath, [cli, ...args]);
    return await rankings(folder, out);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** @throws TypeError for rows without a score */
export async function rankings(folder: string, predictions: string): Promise<Rankings> {
  const labels = await labelsIn(folder);
  const found = new Map<string, Ranking[]>();
  let run: { key: string; scores: Float64Array } = { key: '', scores: new Float64Array(0) };
  const finish = () => {
    const set = run.key.split(',')[0]!;
    if (set) found.set(set, [...(found.get(set) ?? []), rank(labels.get(set)!, run.scores)]);
  };
  let head = true;
  for await (const line of createInterface({ input: createReadStream(predictions) })) {
    const [set, seed, row, score] = line.split(',');
    if (head || !set) head = false;
    else {
      const key = `${set},${seed}`;
      if (key !== run.key) {
        finish();
        run = { key, scores: new Float64Array(labels.get(set)?.length ?? 0).fill(Number.NaN) };
      }
      run.scores[Number(row)] = Number(score);
    }
  }
  finish();
  return found;
}

async function labelsIn(folder: string): Promise<Map<string, Float32Array>> {
  const labels = new Map<string, Float32Array>();
  for (const { path: file, name } of await csvFilesIn([folder])) {
    const { columns } = await readNumericCsv(file, new Set(['label']));
    labels.set(name, (await readNumericCsv(file, new Set(columns))).x);
  }
  return labels;
}

/** Each set within max(0.005, 3 standard errors) of scikit-learn's mean, their mean within 0.004. */
export function parityFigures(found: Rankings): Figure[] {
  const off: number[] = [];
  const figures = Object.entries(references()).map(([set, reference]): Figure => {
    const aucs = found.get(set)?.map(({ auc }) => auc);
    if (!aucs) return { name: setName(set), measured: undefined, failed: true, note: 'no predictions' };
    const difference = meanOf(aucs) - reference.aucMean;
    off.push(difference);
    return {
      name: setName(set),
      goal: { atMost: allowance(aucs, reference) },
      measured: Math.abs(difference),
    };
  });
  return [
    ...figures,
    {
      name: 'mean over the sets of the difference of the mean AUC from scikit-learn’s, either way',
      goal: { atMost: 0.004 },
      measured: Math.abs(meanOf(off)),
    },
  ];
}

const setName = (set: string) => `${set}: difference of the mean AUC from scikit-learn’s, either way`;

export function allowance(aucs: readonly number[], { aucSd, seeds }: Reference): number {
  const mean = meanOf(aucs);
  const variance = meanOf(aucs.map(auc => (auc - mean) ** 2));
  return Math.max(0.005, 3 * Math.sqrt(aucSd ** 2 / seeds + Math.max(variance, aucSd ** 2) / aucs.length));
}

/** Mean over the sets of the median over the seeds. */
export function extendedFigures(found: Rankings): Figure[] {
  const sets = Object.keys(references()).map(set => found.get(set) ?? []);
  const mean = meanOf(sets.map(seeds => spreadOf(seeds.map(({ auc }) => auc)).median));
  return [{ name: 'extended forest: mean AUC over the ten sets', goal: { atLeast: 0.872 }, measured: mean }];
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
