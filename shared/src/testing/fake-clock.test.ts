import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './fake-clock.js';

const never = new AbortController().signal;

test('wakes sleepers in the order of their times and stops at the end of the span', async () => {
  const clock = new FakeClock({ nowMs: 1000 });
  const woken: [string, number][] = [];
  const sleep = async (name: string, ms: number) => {
    await clock.sleep(ms, never);
    woken.push([name, clock.now()]);
  };
  const all = [sleep('late', 30), sleep('early', 10), sleep('after', 50)];
  await clock.advance(40);
  assert.deepEqual(woken, [
    ['early', 1010],
    ['late', 1030],
  ]);
  assert.equal(clock.monotonic(), 40);
  await clock.advance(10);
  await Promise.all(all);
});

test('a sleep that follows a sleep falls within the same span', async () => {
  const clock = new FakeClock();
  let naps = 0;
  const napping = (async () => {
    for (; naps < 5; naps++) await clock.sleep(10, never);
  })();
  await clock.advance(49);
  assert.equal(naps, 4);
  await clock.advance(1);
  await napping;
});

test('an aborted sleep ends without moving time', async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const asleep = clock.sleep(1e9, stop.signal);
  await clock.someoneSleeps();
  stop.abort();
  await asleep;
  assert.equal(clock.monotonic(), 0);
  assert.equal(clock.sleepers, 0);
});

test('advancing by itself, nobody waits', async () => {
  const clock = new FakeClock({ autoAdvance: true });
  await clock.sleep(3_600_000, never);
  assert.equal(clock.monotonic(), 3_600_000);
});

test('a step of the wall clock leaves monotonic time alone', () => {
  const clock = new FakeClock({ nowMs: 5000 });
  clock.stepWall(-2000);
  assert.equal(clock.now(), 3000);
  assert.equal(clock.monotonic(), 0);
});
