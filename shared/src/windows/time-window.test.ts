import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../testing/properties.js';
import { naiveWindow, type ValueRow } from './testing/naive.js';
import { cellsPerWindow, kindOf, TimeWindow, type WindowFunction, windowFunctions } from './time-window.js';

function readAll(what: WindowFunction, lengthMs: number, rows: readonly ValueRow[]): number[] {
  const window = new TimeWindow(kindOf[what], lengthMs);
  return rows.map(({ timeMs, value }) => (window.push(timeMs, value) ? window.read(what) : Number.NaN));
}

function close(found: readonly number[], expected: readonly number[], what: string): void {
  assert.equal(found.length, expected.length);
  for (const [i, value] of expected.entries()) {
    const off = Math.abs(found[i]! - value);
    const near = Object.is(found[i], value) || off <= 1e-9 * Math.max(1, Math.abs(value));
    assert.ok(near, `${what}, row ${i}: ${found[i]} instead of ${value}`);
  }
}

const step = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 0, max: 30 }) },
  { weight: 2, arbitrary: fc.integer({ min: -40, max: 0 }) },
  { weight: 1, arbitrary: fc.constantFrom(150, 400, -600, 1e9) },
);
const value = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -50, max: 50 }) },
  { weight: 1, arbitrary: fc.constant(Number.NaN) },
);
const streams = fc.array(fc.tuple(step, value), { maxLength: 150 }).map(steps => {
  let timeMs = 1_790_000_000_000;
  return steps.map(([by, one]): ValueRow => {
    timeMs += by;
    return { timeMs, value: one };
  });
});
const functions = fc.constantFrom(...windowFunctions);

describe('a window over time', () => {
  test('is what its values give when they are gathered anew for every row', () => {
    // Whole ms never share a cell of these.
    fc.assert(
      fc.property(functions, fc.constantFrom(1, 50, 400, 500), streams, (what, length, rows) => {
        const expected = rows.map((_, i) => naiveWindow(what, length, rows.slice(0, i + 1)));
        close(readAll(what, length, rows), expected, `${what} of ${length} ms`);
      }),
      { numRuns: 1500 },
    );
  });

  test('does not change at a row when those after it are cut off', () => {
    fc.assert(
      fc.property(functions, streams, fc.nat(150), (what, rows, cut) => {
        const all = readAll(what, 100, rows);
        assert.deepEqual(readAll(what, 100, rows.slice(0, cut)), all.slice(0, cut));
      }),
      { numRuns: 300 },
    );
  });

  test('goes on from what was saved, through JSON, bit for bit', () => {
    fc.assert(
      fc.property(functions, streams, fc.nat(150), (what, rows, cut) => {
        const first = new TimeWindow(kindOf[what], 100);
        const second = new TimeWindow(kindOf[what], 100);
        for (const row of rows.slice(0, cut)) first.push(row.timeMs, row.value);
        const saved = first.save();
        if (saved) second.load(JSON.parse(JSON.stringify(saved)));
        for (const row of rows.slice(cut)) {
          assert.equal(first.push(row.timeMs, row.value), second.push(row.timeMs, row.value));
          assert.ok(Object.is(first.read(what), second.read(what)));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('refuses a state that is none of its kind', () => {
    const moments = new TimeWindow('moments', 100);
    for (let i = 0; i < 9; i++) moments.push(i, i);
    const lowest = new TimeWindow('lowest', 100);
    assert.throws(() => lowest.load(moments.save()!), TypeError);
    const { line, queue } = moments.save()!;
    for (const wrong of [
      { ...queue, front: 9 },
      { ...queue, back: [] },
      { ...queue, cells: [1] },
    ]) {
      assert.throws(() => moments.load({ line, queue: wrong }), TypeError);
    }
  });

  test('with rows that come too fast for its cells is at most 0.2 % too short, and never too long', () => {
    const lengthMs = 10_000;
    const rows = Array.from({ length: 60_000 }, (_, i) => ({ timeMs: i, value: i }));
    const counts = readAll('count', lengthMs, rows);
    const lows = readAll('min', lengthMs, rows);
    for (let i = lengthMs; i < rows.length; i++) {
      const age = i - lows[i]!;
      assert.ok(age <= lengthMs && age >= lengthMs * (1 - 1 / cellsPerWindow), `the oldest is ${age} ms old`);
      assert.equal(counts[i], age + 1);
    }
  });

  test('keeps no more than its cells, however fast rows come', () => {
    const window = new TimeWindow('moments', 60_000);
    for (let i = 0; i < 200_000; i++) window.push(i / 2, i);
    assert.ok(window.save()!.queue.cells.length <= 4 * (cellsPerWindow + 1));
  });

  test('does not drift over a million rows, and equal values have no spread', () => {
    const window = new TimeWindow('moments', 100_000);
    const [rows, quiet] = [1e6, 101];
    for (let i = 0; i < rows; i++) window.push(i * 1000, i % 1000 === 0 ? 1e15 : 0.1 * (i % 7));
    for (let i = rows; i < rows + quiet; i++) window.push(i * 1000, 0.3);
    assert.equal(window.read('mean'), 0.3);
    assert.equal(window.read('spread'), 0);
    assert.equal(window.read('count'), quiet);
  });
});
