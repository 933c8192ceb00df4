import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { MetricStream, QuietPeriod, surpriseNames } from './metric-stream.js';

const stepMs = 300_000;
const rowsADay = 288;

/** A metric with a day's rhythm, at a row in five minutes. */
function days(count: number, change: (row: number, value: number) => number = (_, value) => value): number[] {
  const random = gaussian(seededRng(seed));
  return Array.from({ length: count * rowsADay }, (_, r) =>
    change(r, 50 + 20 * Math.sin((2 * Math.PI * r) / rowsADay) + random()),
  );
}

const seed = testSeed('metric');

function alarms(values: readonly number[]): { row: number; surprises: number[] }[] {
  const [stream, quiet] = [new MetricStream(), new QuietPeriod()];
  return values.flatMap((value, row) =>
    quiet.begins(stream.next(row * stepMs, value)) ? [{ row, surprises: [...stream.surprises] }] : [],
  );
}

test('two usual weeks give no alarm after the first day', () => {
  const late = alarms(days(14)).filter(({ row }) => row > rowsADay);
  assert.deepEqual(late, [], `SEED=${seed}`);
});

for (const [what, from, change] of [
  ['a value far outside', 10 * rowsADay, (value: number) => value + 60],
  ['a level that shifts', 9 * rowsADay, (value: number) => value + 30],
  // At six in the morning of a day it is highest.
  ['a usual value at an unusual time', 10 * rowsADay + 40, () => 50],
] as const)
  test(`${what} is an alarm soon, and one alarm`, () => {
    const until = from + (what.startsWith('a value') ? 1 : 72);
    const found = alarms(days(12, (r, value) => (r >= from && r < until ? change(value) : value)));
    const soon = found.filter(({ row }) => row >= from && row < from + 60);
    assert.ok(soon.length >= 1 && soon.length <= 2, `${JSON.stringify(found)}, SEED=${seed}`);
    assert.ok(found.filter(({ row }) => row > rowsADay && row < from).length === 0);
    assert.equal(soon[0]!.surprises.length, surpriseNames.length);
  });

test('the quiet period ends, and is broken by what is twice as high', () => {
  const quiet = new QuietPeriod();
  const begins = (surprise: number) => quiet.begins(surprise);
  assert.deepEqual([1, 2, 2, 3.9, 4, 7].map(begins), [false, true, false, false, true, false]);
  for (let row = 0; row < 98; row++) assert.equal(begins(0), false);
  assert.equal(begins(2), true);
});

test('missing values surprise nobody and change nothing', () => {
  const [whole, gaps] = [new MetricStream(), new MetricStream()];
  for (const [row, value] of days(3).entries()) {
    if (row % 5 === 0) assert.equal(gaps.next(row * stepMs - 1, Number.NaN), 0);
    assert.equal(gaps.next(row * stepMs, value), whole.next(row * stepMs, value));
  }
});
