import assert from 'node:assert/strict';
import { test } from 'node:test';
import { total } from './collector-probe.js';
import { summaryTable } from './print.js';
import { spreadOf, summarise } from './statistics.js';
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
