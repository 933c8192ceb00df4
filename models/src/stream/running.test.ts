import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { DayProfile } from './day-profile.js';
import { RowWindow } from './row-window.js';
import { RunningMean } from './running-mean.js';
import { RunningMedian } from './running-median.js';
import { TailSketch } from './tail-sketch.js';

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

test('means, changes and medians are those of the rows themselves, however many went before', () => {
  const seed = testSeed('running');
  const rng = seededRng(seed);
  const [running, median, window] = [
    new RunningMean(7),
    new RunningMedian(9),
    new RowWindow(2, [1, 4, 10], 6),
  ];
  const rows: number[][] = [];
  for (let r = 0; r < 3000; r++) {
    // Now and then a value that swallows the digits of all others.
    const row = [rng() < 0.01 ? 1e12 : Math.floor(rng() * 20), rng() - 0.5];
    rows.push(row);
    window.push(Float64Array.from(row));
    const first = rows.map(values => values[0]!);
    const second = rows.map(values => values[1]!);
    assert.ok(Math.abs(running.next(row[1]!) - mean(second.slice(-7))) < 1e-12, `row ${r}, SEED=${seed}`);
    median.add(row[0]!);
    const sorted = first.slice(-9).sort((a, b) => a - b);
    assert.equal(median.value, sorted[sorted.length >> 1]);
    for (const [w, rowsBack] of [1, 4, 10].entries())
      assert.ok(Math.abs(window.mean(w, 1) - mean(second.slice(-rowsBack))) < 1e-12);
    assert.equal(window.change(6, 1), second.at(-1)! - second.at(-Math.min(7, second.length))!);
  }
  window.reset();
  window.push(Float64Array.of(5, 3));
  assert.deepEqual([window.mean(2, 0), window.change(6, 1)], [5, 0]);
});

test('a sketch ranks as sorting does, and goes on above the highest as an exponential', () => {
  const seed = testSeed('sketch');
  const rng = seededRng(seed);
  const sketch = new TailSketch();
  const values = Array.from({ length: 20_000 }, () => -Math.log(1 - rng()) * 1e-3);
  for (const value of values) sketch.add(value);
  const sorted = values.sort((a, b) => a - b);
  for (const share of [0.1, 0.5, 0.9]) {
    const expected = -Math.log10(1 - share);
    const found = sketch.surprise(sorted[Math.floor(share * sorted.length)]!);
    assert.ok(Math.abs(found - expected) < 0.06, `${share}: ${found} for ${expected}, SEED=${seed}`);
  }
  // Of an exponential with mean 0.001, exp(−12) lie above 0.012.
  assert.ok(Math.abs(sketch.surprise(0.012) - 12 * Math.LOG10E) < 0.4);
  assert.equal(sketch.surprise(1), 12);
});

test('a sketch says nothing of its first values, nor of 0; among zeros anything else surprises', () => {
  const sketch = new TailSketch();
  for (let i = 0; i < 29; i++) {
    assert.equal(sketch.surprise(5), 0);
    sketch.add(0);
  }
  sketch.add(0);
  assert.equal(sketch.surprise(0), 0);
  assert.ok(sketch.surprise(1e-9) > 1.5);
  for (let i = 0; i < 1000; i++) sketch.add(i % 100 === 0 ? 2 : 0);
  assert.ok(sketch.surprise(2) > 1.3);
  assert.ok(sketch.surprise(20) > sketch.surprise(2) + 1);
});

test('values far beyond and far below all others keep their order', () => {
  const sketch = new TailSketch();
  for (let i = 1; i <= 100; i++) sketch.add(i);
  for (const value of [1e300, 1e-300]) sketch.add(value);
  const surprises = [1e-300, 1, 50, 99].map(value => sketch.surprise(value));
  assert.deepEqual(
    [...surprises].sort((a, b) => a - b),
    surprises,
  );
});

test('a profile speaks of a time of day from its second day on, and follows slowly', () => {
  const [hour, day] = [3_600_000, 86_400_000];
  const profile = new DayProfile(hour, 0.25);
  const at = (timeMs: number, value: number) => {
    const expected = profile.expected(timeMs);
    profile.add(value);
    return expected;
  };
  for (const minutes of [0, 20, 40]) assert.ok(Number.isNaN(at(minutes * 60_000, minutes)));
  assert.ok(Number.isNaN(at(hour, 100)));
  assert.equal(at(day + 60_000, 60), 20, 'the mean of the slot');
  assert.equal(at(day + hour, 100), 100);
  assert.equal(at(2 * day, 0), 20 + 0.25 * (60 - 20));
  // Before 1970 a day has the same hours.
  assert.equal(profile.expected(-day + hour), 100);
});
