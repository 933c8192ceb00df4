import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import { seededRng } from '@edgeward/shared/rng';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { testSeed } from '@edgeward/shared/testing/seed';
import { clockSpanOf, correctTimes } from './correct.js';

const usOf = (batch: RecordBatch) => Array.from(batch.time, ms => Math.round(ms * 1000));

test('every row moves by the same number of microseconds, whatever the offset (seeded)', () => {
  const seed = testSeed('correct');
  const rng = seededRng(seed);
  for (let run = 0; run < 200; run++) {
    const batch = new TestBatches().next(50);
    const startUs = Math.floor(rng() * 1e9);
    // As a clock in 1970 shows them: many within one millisecond.
    const time = batch.time.map((_, i) => (startUs + Math.floor(i / 2)) / 1000);
    const offsetMs = rng() * 1.8e12;
    const corrected = correctTimes({ ...batch, time }, offsetMs, false);
    const moved = usOf(corrected).map((us, i) => us - usOf({ ...batch, time })[i]!);
    assert.deepEqual([...new Set(moved)], [Math.round(offsetMs * 1000)], `seed ${seed} run ${run}`);
    for (const device of [0, 1]) {
      const own = usOf(corrected).filter((_, i) => batch.device[i] === device);
      assert.equal(new Set(own).size, own.length, `seed ${seed} run ${run}: two rows at one time`);
      assert.deepEqual(
        own,
        [...own].sort((a, b) => a - b),
        `seed ${seed} run ${run}: order`,
      );
    }
  }
});

test('the batch given stays as it is, and all but times and marks is shared', () => {
  const batch = new TestBatches().next(3);
  const before = [...batch.time];
  const corrected = correctTimes(batch, 1000.5, true);
  assert.deepEqual([...batch.time], before);
  assert.ok(batch.quality.every(bits => (bits & Quality.timeUnsure) === 0));
  assert.ok(corrected.quality.every(bits => (bits & Quality.timeUnsure) !== 0));
  assert.equal(corrected.values, batch.values);
  assert.equal(corrected.row, batch.row);
  assert.equal(correctTimes(batch, 0, false), batch);
});

test('rows whose times are not from the clock stay', () => {
  const batch = new TestBatches().next(3, [0]);
  const atMs = 60_000; // the clock was in 1970
  const time = Float64Array.of(59_000, Date.UTC(2026, 5, 1), Number.NaN);
  const corrected = correctTimes({ ...batch, time }, 1e12, true, clockSpanOf(atMs));
  assert.deepEqual([...corrected.time], [1e12 + 59_000, time[1], Number.NaN]);
  assert.deepEqual(
    Array.from(corrected.quality, bits => (bits & Quality.timeUnsure) !== 0),
    [true, false, false],
  );
});
