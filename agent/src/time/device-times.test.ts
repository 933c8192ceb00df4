import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Quality } from '@edgeward/shared/quality';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { DeviceTimes, type DeviceTimesState } from './device-times.js';

const startMs = 1_790_000_000_000;
const withinMs = 600_000;

const throughJson = (state: DeviceTimesState) => JSON.parse(JSON.stringify(state)) as DeviceTimesState;

/** Reads a row every 100 ms. */
function readFor(times: DeviceTimes, fromMs: number, throughMs: number): Set<number> {
  const given = new Set<number>();
  for (let ms = fromMs; ms < throughMs; ms += 100) given.add(times.of('pump-1').claim(ms * 1000));
  return given;
}

test('times stay unique over a clean restart after which the clock is an hour back', () => {
  const times = new DeviceTimes();
  const before = readFor(times, startMs, startMs + 3_600_000);
  const after = DeviceTimes.from(throughJson(times.toState(startMs + 3_600_000)));
  for (const us of readFor(after, startMs, startMs + 3_600_000)) assert.ok(!before.has(us));
});

test('after a kill, what was given since the last save is not given again when the clock is back', () => {
  const times = new DeviceTimes();
  const before = readFor(times, startMs, startMs + 60_000);
  const state = throughJson(times.toState(startMs + 60_000));
  for (const us of readFor(times, startMs + 60_000, startMs + 300_000)) before.add(us);
  const after = DeviceTimes.from(state, { nowMs: startMs + 30_000, withinMs });
  for (const us of readFor(after, startMs + 30_000, startMs + 400_000)) assert.ok(!before.has(us));
});

test('after a kill, rows keep their times where the clock just went on', () => {
  const times = new DeviceTimes();
  readFor(times, startMs, startMs + 60_000);
  const nowMs = startMs + 130_000;
  const after = DeviceTimes.from(throughJson(times.toState(startMs + 60_000)), { nowMs, withinMs });
  assert.equal(after.of('pump-1').claim(nowMs * 1000 + 1), nowMs * 1000 + 1);
});

test('after a kill, a device with times of its own goes on where it was', () => {
  const times = new DeviceTimes();
  const recordedMs = Date.UTC(2020, 0, 1);
  readFor(times, recordedMs, recordedMs + 60_000);
  const lost = { nowMs: startMs + 130_000, withinMs };
  const after = DeviceTimes.from(throughJson(times.toState(startMs)), lost);
  const nextUs = (recordedMs + 60_000) * 1000;
  assert.equal(after.of('pump-1').claim(nextUs), nextUs);
});

test('says when a save is due: a clock that was set back, not one that goes on', () => {
  const times = new DeviceTimes();
  readFor(times, startMs, startMs + 10_000);
  assert.equal(times.unsaved, false);
  readFor(times, startMs, startMs + 5000);
  assert.equal(times.unsaved, true);
  times.toState(startMs);
  assert.equal(times.unsaved, false);
});

test('corrected rows keep clear of rows that were read at the right time', () => {
  const times = new DeviceTimes();
  const batch = new TestBatches().next(3, [0]);
  for (const ms of batch.time) times.of('probe-1').claim(ms * 1000);
  const claimed = times.claimCorrected(batch);
  assert.deepEqual(
    Array.from(claimed.time, (ms, i) => Math.round((ms - batch.time[i]!) * 1000)),
    [1, 1, 1],
  );
  assert.ok(claimed.quality.every(bits => (bits & Quality.timeMoved) !== 0));
  const free = { ...batch, time: batch.time.map(ms => ms + 3_600_000) };
  assert.equal(times.claimCorrected(free), free);
});

test('a state that is none is refused', () => {
  const devices = {
    'pump-1': { at: 1, spans: [[2, 1, false, '']] },
  } as unknown as DeviceTimesState['devices'];
  assert.throws(() => DeviceTimes.from({ savedMs: 0, devices }), TypeError);
});
