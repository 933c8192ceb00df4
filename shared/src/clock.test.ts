import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff, systemClock } from './clock.js';
import { seededRng } from './rng.js';

test('waits double from the first to the longest, drawn from the upper half of each span', () => {
  const lowest = new Backoff(100, 1000, () => 0);
  assert.deepEqual(
    Array.from({ length: 6 }, () => lowest.next()),
    [50, 100, 200, 400, 500, 500],
  );
  const drawn = new Backoff(100, 1000, seededRng(3));
  for (const span of [100, 200, 400, 800, 1000, 1000]) {
    const wait = drawn.next();
    assert.ok(wait >= span / 2 && wait < span, `${wait} of ${span}`);
  }
});

test('starts again after a success, and never overflows', () => {
  const backoff = new Backoff(100, 1000, () => 0);
  for (let i = 0; i < 2000; i++) assert.ok(Number.isFinite(backoff.next()));
  backoff.reset();
  assert.equal(backoff.next(), 50);
});

test('sleeping ends with the signal, without throwing', async () => {
  const stop = new AbortController();
  const asleep = systemClock.sleep(1e9, stop.signal);
  stop.abort();
  await asleep;
  await systemClock.sleep(1e9, stop.signal);
});
