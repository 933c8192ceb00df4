import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { total } from './collector-probe.js';
import { type ColumnarOptions, ColumnarSource } from './columnar-source.js';
import { lossFigure } from './delivery-losses.js';
import { figuresTable, meets } from './figures.js';
import { summaryTable } from './print.js';
import { percentile, spreadOf, summarise } from './statistics.js';
import { figure, ratio, table } from './table.js';

test('a spread is the median between least and most, whatever the order of the runs', () => {
  assert.deepEqual(spreadOf([30, 10, 20]), { median: 20, least: 10, most: 30 });
  assert.deepEqual(spreadOf([9, 100]), { median: 54.5, least: 9, most: 100 });
});

test('what was not measured has no spread', () => {
  assert.throws(() => spreadOf([]), TypeError);
  assert.throws(() => spreadOf([1, Number.NaN]), TypeError);
});

test('runs are summarised figure by figure, without a figure that one of them lacks', () => {
  const summary = summarise([
    { cpuUs: 2, bytes: 10 },
    { cpuUs: undefined, bytes: 14 },
  ]);
  assert.deepEqual(summary, { bytes: { median: 12, least: 10, most: 14 } });
});

test('figures have three digits, and n/a where there is none', () => {
  assert.deepEqual([0.93649, 66_854.7, 148.4, undefined].map(figure), ['0.936', '66,855', '148', 'n/a']);
  assert.deepEqual([ratio(3, 2), ratio(1, undefined), ratio(1, 0)], ['×1.50', 'n/a', 'n/a']);
});

test('columns of a table line up', () => {
  const lines = table([
    ['', 'rows/s'],
    ['with model', '5'],
  ]).split('\n');
  assert.deepEqual(lines, ['            rows/s', 'with model       5']);
});

test('variants stand beside the first one, with their ratio to it', () => {
  const of = (median: number) => ({ cpuUs: { median, least: median, most: median } });
  const lines = summaryTable({ plain: of(2), scored: of(3) }, { cpuUs: 'µs', rssMb: 'MB' }).split('\n');
  assert.deepEqual(
    lines.map(line => line.split(/\s{2,}/)),
    [
      ['', 'µs', 'MB'],
      ['plain', '2', 'n/a'],
      ['scored', '3 ×1.50', 'n/a n/a'],
    ],
  );
});

test('a metric is summed over its labels, and one that is not told is an error', () => {
  const text = [
    '# TYPE lag gauge',
    'lag{sink="file"} 3',
    'lag{sink="incidents"} 4',
    'lag_total 100',
    'rows 2e5',
  ].join('\n');
  assert.equal(total(text, 'lag'), 7);
  assert.equal(total(text, 'rows'), 200_000);
  assert.throws(() => total(text, 'bytes'), /does not tell bytes/);
});

test('a figure meets its goal at the goal itself; what was not measured does neither', () => {
  const atMost = { name: 'bytes', goal: { atMost: 2 } };
  assert.deepEqual(
    [2, 2.1, undefined].map(measured => meets({ ...atMost, measured })),
    [true, false, undefined],
  );
  assert.equal(meets({ name: 'rows/s', goal: { atLeast: 10 }, measured: 9 }), false);
  assert.equal(meets({ name: 'rows/s', measured: 9 }), undefined);
});

test('figures stand beside their goals, and notes below, each once', () => {
  const lines = figuresTable([
    { name: 'a', goal: { atMost: 1 }, measured: 2, note: 'noisy' },
    { name: 'b', goal: { atLeast: 1 }, measured: 2, note: 'noisy' },
    { name: 'c', measured: undefined },
  ]).split('\n');
  assert.deepEqual(
    lines.slice(1, 4).map(line => line.split(/\s{2,}/)),
    [
      ['a [1]', '≤ 1', '2', 'MISSED'],
      ['b [1]', '≥ 1', '2', 'met'],
      ['c', 'n/a'],
    ],
  );
  assert.deepEqual(lines.slice(4), ['', '[1] noisy']);
});

test('a percentile is a value that was seen', () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  assert.deepEqual([percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.99)], [101, 199, 7]);
  assert.throws(() => percentile([], 0.5), TypeError);
});

test('losses are those of a full run of the rig, and of no other', () => {
  const row = { name: 'kill', file: 'kills', result: 'holds', seconds: 1 } as const;
  const cut = { ...row, file: 'power-cuts' };
  assert.equal(lossFigure(undefined).measured, undefined);
  assert.equal(lossFigure({ amount: 'few', rows: [row, cut] }).measured, undefined);
  assert.equal(
    lossFigure({ amount: 'full', rows: [row, { ...cut, result: 'not shown' }] }).measured,
    undefined,
  );
  assert.equal(lossFigure({ amount: 'full', rows: [row, cut] }).measured, 0);
  assert.equal(lossFigure({ amount: 'full', rows: [{ ...row, result: 'BROKEN' }, cut] }).measured, 1);
});

test('the source with prepared columns numbers its rows without gaps and gives each device rising times', async () => {
  const options: ColumnarOptions = {
    blockReadings: 160,
    readings: 160_000,
    intervalMs: 0,
    blocksPerBeat: 1,
    devices: 10,
  };
  const source = new ColumnarSource(options, systemClock, () => undefined);
  const last = new Map<number, { row: number; time: number }>();
  let readings = 0;
  for await (const batch of source.read(new AbortController().signal)) {
    readings += batch.values.length * batch.time.length;
    for (let i = 0; i < batch.time.length; i++) {
      const before = last.get(batch.device[i]!) ?? { row: 0, time: 0 };
      assert.equal(batch.row[i], before.row + 1);
      assert.ok(batch.time[i]! > before.time);
      last.set(batch.device[i]!, { row: batch.row[i]!, time: batch.time[i]! });
    }
  }
  assert.deepEqual([readings, last.size], [160_000, 10]);
});
