import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { readPredictions, withFolder } from './predictions.js';
import { shifted } from './shifted-skab.js';
import { parseSkab, type SkabFile, scoreSkab, trainingRows } from './skab.js';

/** One row every 2 s; the first 400 are normal, and not judged. */
function file(name: string, judged: readonly number[]): SkabFile {
  const labels = [...new Array<number>(trainingRows).fill(0), ...judged];
  return { name, labels, timeMs: labels.map((_, r) => 2000 * r) };
}

/** An alarm among the first 400 rows must not count. */
const told = (alarms: readonly number[]) => [...new Array<number>(trainingRows).fill(1), ...alarms];

const near = (found: number, expected: number) =>
  assert.ok(Math.abs(found - expected) < 1e-9, `${found} instead of ${expected}`);

test('counts are pooled over the files, and each group has its own', () => {
  const files = [file('a/1', [0, 0, 1, 1, 1]), file('b/1', [0, 0, 0, 1, 0])];
  const score = scoreSkab(
    files,
    new Map([
      ['a/1', told([0, 1, 0, 1, 1])],
      ['b/1', told([0, 0, 0, 0, 0])],
    ]),
  );
  // 2 right, 1 wrong, 2 missed, 5 quiet.
  near(score.f1, 4 / 7);
  near(score.farPercent, 100 / 6);
  near(score.marPercent, 50);
  near(score.groups.get('a')!.f1, 4 / 6);
  near(score.groups.get('a')!.farPercent, 50);
  assert.deepEqual(score.groups.get('b'), { f1: 0, farPercent: 0, marPercent: 100 });
  assert.deepEqual([score.files, score.anomalies, score.found, score.delayS], [2, 2, 1, 2]);
});

test('the delay is the median of those found; an alarm before the onset or after the end finds nothing', () => {
  const files = ['a/1', 'a/2', 'a/3'].map(name => file(name, [0, 1, 1, 1, 0]));
  const alarms = [
    [1, 1, 1, 1, 1],
    [0, 0, 0, 1, 0],
    [1, 0, 0, 0, 1],
  ];
  const score = scoreSkab(files, new Map(files.map(({ name }, f) => [name, told(alarms[f]!)])));
  assert.deepEqual([score.found, score.anomalies, score.delayS], [2, 3, (0 + 4) / 2]);
});

test('a file without an anomaly has a rate of false alarms and nothing else', () => {
  const score = scoreSkab([file('a/1', [0, 0, 0, 0])], new Map([['a/1', told([0, 0, 0, 1])]]));
  assert.deepEqual(
    [score.f1, score.farPercent, score.marPercent, score.anomalies, score.delayS],
    [0, 25, 0, 0, undefined],
  );
});

test('a row without a prediction is an error, and so is a file without any', async () => {
  const files = [file('a/1', [0, 1])];
  assert.throws(() => scoreSkab(files, new Map()), /no prediction for row 400 of a\/1/);
  await withFolder(async folder => {
    const out = path.join(folder, 'predictions.csv');
    await writeFile(out, 'file,row,pred\na/1,401,1\n');
    const predictions = await readPredictions(out);
    assert.equal(predictions.get('a/1')?.[401], 1);
    assert.throws(() => scoreSkab(files, predictions), /no prediction for row 400 of a\/1/);
  });
});

/** Value = number of the row; anomalous from row 600 to 699 of 900. */
const text = `datetime;a;anomaly;changepoint\n${Array.from({ length: 900 }, (_, r) => {
  const time = new Date(1000 * r).toISOString().slice(0, 19).replace('T', ' ');
  return `${time};${r};${r >= 600 && r < 700 ? '1.0' : '0.0'};0.0`;
}).join('\n')}\n`;

const valuesOf = (csv: string) =>
  csv
    .trimEnd()
    .split('\n')
    .slice(1)
    .map(line => Number(line.split(';')[1]));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

test('shifted files have the rows in another order, and the clock in the old one', () => {
  const expected = {
    early: [...range(0, 400), ...range(580, 900)],
    normal: range(0, 600),
    swap: [...range(0, 400), ...range(580, 700), ...range(400, 580), ...range(700, 900)],
  };
  for (const shift of ['early', 'normal', 'swap'] as const) {
    const csv = shifted(text, shift)!;
    assert.deepEqual(valuesOf(csv), expected[shift], shift);
    const { timeMs, labels } = parseSkab(csv);
    assert.deepEqual(
      timeMs,
      range(0, timeMs.length).map(r => 1000 * r),
    );
    assert.equal(labels.indexOf(1), shift === 'normal' ? -1 : 420);
  }
  assert.equal(shifted(text.replaceAll(';0.0;', ';1.0;'), 'early'), undefined);
});
