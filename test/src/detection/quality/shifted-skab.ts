/**
 * SKAB files with their rows in another order. Nearly all anomalies of SKAB begin near row 570, so that a detector that
 * has learnt where they sit looks good on it; on these it does not.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { groupedCsvFilesIn } from '@edgeward/models/evaluate/numeric-csv';
import { parseSkab, trainingRows } from './skab.js';

/** `early`: it begins at row 420; `normal`: there is none; `swap`: what comes before it comes after it. */
export const shifts = ['early', 'normal', 'swap'] as const;
export type Shift = (typeof shifts)[number];

/** Normal rows between those that are learned from and the anomaly. */
const before = 20;
/** With an earlier anomaly there is nothing to shift. */
const earliestOnset = trainingRows + 60;

/**
 * Time stamps stay in place: the rows of the new file have the first ones of the old, in order.
 * @returns  undefined if the anomaly begins too early for that, or there is none
 */
export function shifted(text: string, shift: Shift): string | undefined {
  const [head, ...lines] = text.trimEnd().split(/\r?\n/);
  const { labels } = parseSkab(text);
  const onset = labels.indexOf(1);
  if (onset < earliestOnset) return undefined;
  const end = labels.lastIndexOf(1) + 1;
  const [learned, between] = [lines.slice(0, trainingRows), lines.slice(trainingRows, onset - before)];
  const orders = {
    early: () => [...learned, ...lines.slice(onset - before)],
    normal: () => lines.slice(0, onset),
    swap: () => [...learned, ...lines.slice(onset - before, end), ...between, ...lines.slice(end)],
  };
  const time = (line: string) => line.slice(0, line.indexOf(';'));
  const rows = orders[shift]().map((line, r) => time(lines[r]!) + line.slice(line.indexOf(';')));
  return `${[head, ...rows].join('\n')}\n`;
}

/** Writes the shifted copies of all files of a folder. */
export async function writeShifted(folder: string, shift: Shift, into: string): Promise<void> {
  for (const file of await groupedCsvFilesIn([folder])) {
    const text = shifted(await readFile(file.path, 'utf8'), shift);
    if (text === undefined) continue;
    const to = path.join(into, `${file.name}.csv`);
    await mkdir(path.dirname(to), { recursive: true });
    await writeFile(to, text);
  }
}
