import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { SaveTimes } from './save-times.js';

const minuteMs = 60_000;

/** One save of so many bytes, then readings at this rate until the next is due. @returns minutes between the two */
async function minutesBetween(perS: number, savedBytes: number): Promise<number> {
  const clock = new FakeClock();
  const times = new SaveTimes(clock);
  times.saved(savedBytes);
  for (let minutes = 1; ; minutes++) {
    await clock.advance(minuteMs);
    times.read(perS * 60);
    if (times.dueMs <= clock.monotonic()) return minutes;
  }
}

test('a save is due every ten minutes, later where it is a large part of what is written, within half an hour', async () => {
  assert.equal(await minutesBetween(100_000, 4300), 10);
  assert.equal(
    await minutesBetween(150, 4300),
    19,
    'twenty readings for each byte of what was saved and a page',
  );
  assert.equal(await minutesBetween(80, 4300), 30);
  assert.equal(await minutesBetween(0.1, 100), 30);
});

test('while blocks are stored it goes along with them: as notes among many bytes, else at once', async () => {
  const clock = new FakeClock();
  const times = new SaveTimes(clock);
  times.saved(1000);
  await clock.advance(9999);
  assert.deepEqual([times.isDue(true), times.isDue(false)], [false, false], 'the last one is too young');
  await clock.advance(1);
  assert.deepEqual([times.isDue(true), times.isDue(false)], [false, true]);
  times.stored(64_000);
  assert.equal(times.isDue(true), true);
  times.saved(1000);
  await clock.advance(10 * minuteMs);
  assert.equal(times.isDue(true), true, 'not older than that, however few bytes there are');
});
