/** Fails where the product finds less in public recordings than it must. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { groupedCsvFilesIn } from '@edgeward/models/evaluate/numeric-csv';
import { type Figure, figuresTable, meets } from '../../bench/figures.js';
import { detectionData } from './data.js';
import { evaluate, type SeriesKind, withFolder } from './predictions.js';
import { nabFigures, pipelineFigures, skabFigures } from './series-figures.js';

function holds(figures: readonly Figure[]): void {
  assert.ok(
    figures.some(one => meets(one)) && figures.every(one => meets(one) !== false),
    figuresTable(figures),
  );
}

/** Copies of the files that end after this share of their rows. */
async function writeCut(folder: string, share: number, into: string): Promise<void> {
  for (const file of await groupedCsvFilesIn([folder])) {
    const lines = (await readFile(file.path, 'utf8')).trimEnd().split(/\r?\n/);
    const to = path.join(into, `${file.name}.csv`);
    await mkdir(path.dirname(to), { recursive: true });
    await writeFile(to, `${lines.slice(0, 1 + Math.floor(share * (lines.length - 1))).join('\n')}\n`);
  }
}

/** @param within  folder of the kind's folder that the folders of files are in */
async function sameWhenCut(kind: SeriesKind, folder: string, share: number, within = ''): Promise<void> {
  const whole = await evaluate(kind, folder);
  await withFolder(async own => {
    await writeCut(path.join(folder, within), share, path.join(own, within));
    const cut = await evaluate(kind, own);
    assert.deepEqual([...cut.keys()], [...whole.keys()]);
    for (const [name, rows] of cut) assert.deepEqual(rows, whole.get(name)!.slice(0, rows.length), name);
  });
}

const skab = detectionData('skab');
if (skab !== undefined) {
  test('SKAB: F1, FAR and MAR are what they must be, also of the forest alone', async () => {
    holds(await skabFigures(skab, [1]));
  });

  test('SKAB: no alarm changes when the rows after it are cut off', async () => {
    await sameWhenCut('skab', skab, 0.6);
  });
}

const nab = detectionData('nab');
if (nab !== undefined) {
  test('NAB: the score is what it must be, also at the product’s own threshold', async () => {
    holds(await nabFigures(nab));
  });

  test('NAB: no score changes when the rows after it are cut off', async () => {
    await sameWhenCut('nab', nab, 0.5, 'data');
  });
}

const pipeline = detectionData('pipeline');
if (pipeline !== undefined)
  test('undisturbed pipelines: hardly a false alarm', async () => {
    holds(await pipelineFigures(pipeline));
  });
