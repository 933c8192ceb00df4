/** What `edgeward evaluate` says of files, row by row. */
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { cli } from '../../support/root.js';

/** By file; a row that nothing is said of has no entry. */
export type Predictions = ReadonlyMap<string, readonly (number | undefined)[]>;

export type SeriesKind = 'skab' | 'nab' | 'pipeline';

/** Runs the command on a folder, as an own process. */
export async function evaluate(
  kind: SeriesKind,
  folder: string,
  options: readonly string[] = [],
): Promise<Predictions> {
  return await withFolder(async own => {
    const out = path.join(own, 'predictions.csv');
    const args = ['evaluate', kind, '--data', folder, ...options, '--out', out];
    await promisify(execFile)(process.execPath, [cli, ...args]);
    return await readPredictions(out);
  });
}

/** Columns: file, row, prediction. */
export async function readPredictions(file: string): Promise<Predictions> {
  const found = new Map<string, (number | undefined)[]>();
  let head = true;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const [name, row, value] = line.split(',');
    if (!head && name) {
      let rows = found.get(name);
      if (!rows) {
        rows = [];
        found.set(name, rows);
      }
      rows[Number(row)] = Number(value);
    }
    head = false;
  }
  return found;
}

/** @throws TypeError if a row has no prediction, or one that is no number */
export function predictionsOf(
  predictions: Predictions,
  name: string,
  from: number,
  to: number,
): Float64Array {
  const rows = predictions.get(name);
  return Float64Array.from({ length: to - from }, (_, r) => {
    const value = rows?.[from + r];
    if (value === undefined || Number.isNaN(value))
      throw new TypeError(`no prediction for row ${from + r} of ${name}`);
    return value;
  });
}

/** An own folder for as long as `use` runs. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-quality-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
