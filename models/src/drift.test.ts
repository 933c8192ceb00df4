import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { DriftWatch, driftRule, type Judged, type SeenDrift } from './drift.js';
import { sliceBatch } from './slice-batch.js';
import { machineBatch, trainedMachine } from './testing/machine.js';

const { card } = trainedMachine().bundle;
const range = (field: string) => card.channelRanges.find(one => one.field === field)!;
const stepMs = 20_000;
const hourRows = 3_600_000 / stepMs;
const devices = 2;
/** When rows are seen, where that does not matter. */
const nowMs = 5;

/** Hours of two machines, a row each 20 s. From `from` to `to` o'clock the first one's pressure stands elsewhere. */
function hours(count: number, from = count, to = count): RecordBatch {
  const batch = machineBatch({ rows: count * hourRows, devices, seed: 7 });
  const time = batch.time.map(ms => batch.time[0]! + ((ms - batch.time[0]!) / 2000) * stepMs);
  const pressure = batch.values[0] as Float64Array;
  for (let r = from * hourRows * devices; r < to * hourRows * devices; r++)
    if (batch.device[r] === 0) pressure[r]! += range('pressure').expected[1];
  return { ...batch, time };
}

/** All rows judged to be ordinary. */
function ordinary(batch: RecordBatch): Judged {
  const n = batch.time.length;
  const score = new Float32Array(n).fill(card.metrics.median);
  return { score, anomaly: new Uint8Array(n), warmUp: new Uint8Array(n) };
}

function watchAll(batch: RecordBatch, judged = ordinary(batch)): SeenDrift[] {
  const watch = new DriftWatch(card);
  watch.take(batch, judged, nowMs);
  return watch.drifts();
}

/** The drifts after each change, with the time of the row that made it; pieces of up to `most` rows. */
function story(batch: RecordBatch, most: () => number) {
  const watch = new DriftWatch(card);
  const told: { atMs: number; drifts: SeenDrift[] }[] = [];
  for (let from = 0; from < batch.time.length; ) {
    const to = Math.min(batch.time.length, from + most());
    const piece = sliceBatch(batch, from, to);
    if (watch.take(piece, ordinary(piece), nowMs))
      told.push({ atMs: piece.time.at(-1)!, drifts: watch.drifts() });
    from = to;
  }
  return { told, last: watch.drifts() };
}

test('healthy machines do not drift', () => {
  assert.deepEqual(watchAll(hours(48)), []);
});

test('a channel that stays elsewhere is told once, of its device, with share, range and median; and when it is over', () => {
  const batch = hours(72, 24, 48);
  const { told, last } = story(batch, () => 1);
  assert.equal(told.length, 2, 'begun and over');
  const [begun, over] = told;
  const hour = (ms: number) => (ms - batch.time[0]!) / 3_600_000;
  assert.ok(
    Math.abs(hour(begun!.atMs) - (24 + driftRule.farShare * 24)) <= 1,
    `told at ${hour(begun!.atMs)} h`,
  );
  assert.ok(
    Math.abs(hour(over!.atMs) - (48 + (1 - driftRule.nearShare) * 24)) <= 1.5,
    `over at ${hour(over!.atMs)} h`,
  );
  const [drift, ...others] = begun!.drifts;
  assert.equal(others.length, 0);
  assert.deepEqual(
    [drift!.device, drift!.type, drift!.revision],
    ['machine-1', card.deviceType, card.revision],
  );
  const [channel, ...more] = drift!.channels;
  assert.equal(more.length, 0);
  assert.equal(channel!.field, 'pressure');
  assert.deepEqual(channel!.expected, range('pressure').expected);
  assert.ok(channel!.share >= driftRule.farShare && channel!.median! > range('pressure').expected[1]);
  assert.ok(Math.abs(hour(channel!.sinceMs) - 24) <= 1);
  assert.deepEqual(last, []);
});

test('however batches are cut it says the same, and later rows change nothing of it', () => {
  const batch = hours(40, 10, 40);
  const seed = testSeed('drift: cuts');
  const rng = seededRng(seed);
  const whole = watchAll(batch);
  assert.equal(whole.length, 1);
  const cut = story(batch, () => 1 + Math.floor(rng() * 200));
  assert.deepEqual(cut.last, whole, `SEED=${seed}`);
  const rows = story(batch, () => 1);
  const until = batch.time.indexOf(rows.told[0]!.atMs) + devices;
  const prefix = story(sliceBatch(batch, 0, until), () => 1);
  assert.deepEqual(prefix.told, rows.told);
});

test('rows in alarm, warming up, not judged or of a faulty sensor are no drift', () => {
  const batch = hours(30, 2, 30);
  assert.equal(watchAll(batch).length, 1, 'without any of it there is one');
  const n = batch.time.length;
  const ones = new Uint8Array(n).fill(1);
  assert.deepEqual(watchAll(batch, { ...ordinary(batch), anomaly: ones }), []);
  assert.deepEqual(watchAll(batch, { ...ordinary(batch), warmUp: ones }), []);
  assert.deepEqual(watchAll(batch, { ...ordinary(batch), score: new Float32Array(n).fill(Number.NaN) }), []);
  assert.deepEqual(watchAll({ ...batch, anomaly: ones }, ordinary(batch)), [], 'in alarm by a rule');
  assert.deepEqual(watchAll({ ...batch, quality: new Uint16Array(n).fill(Quality.stuck) }), []);
});

test('scores that lie above what held-out rows had are a drift of their own', () => {
  const batch = hours(26);
  const judged = ordinary(batch);
  for (let r = 0; r < batch.time.length; r++)
    if (batch.device[r] === 1 && r % 8 < 6) judged.score[r] = card.metrics.p99 + 0.01;
  const [drift, ...others] = watchAll(batch, judged);
  assert.equal(others.length, 0);
  assert.equal(drift!.device, 'machine-2');
  assert.deepEqual(
    drift!.channels.map(({ field, share }) => [field, Math.round(share * 100)]),
    [[null, 75]],
  );
});

test('after a restart a drift that was told goes on until it is over, of the same revision only', () => {
  const before = watchAll(hours(30, 2, 30));
  const watch = new DriftWatch(card, { drifts: before, devices: [] });
  assert.deepEqual(watch.drifts(), before);
  const healthy = hours(26);
  assert.ok(watch.take(healthy, ordinary(healthy), nowMs));
  assert.deepEqual(watch.drifts(), []);
  assert.deepEqual(
    new DriftWatch({ ...card, revision: '000000000000' }, { drifts: before, devices: [] }).drifts(),
    [],
  );
});

test('what is saved and read back at any place goes on as if nothing had been', () => {
  const batch = hours(40, 10, 40);
  const seed = testSeed('drift: restarts');
  const rng = seededRng(seed);
  let watch = new DriftWatch(card);
  for (let from = 0; from < batch.time.length; ) {
    const to = Math.min(batch.time.length, from + 1 + Math.floor(rng() * 4000));
    const piece = sliceBatch(batch, from, to);
    watch.take(piece, ordinary(piece), nowMs);
    watch = new DriftWatch(card, { drifts: watch.drifts(), devices: watch.save() });
    from = to;
  }
  const [drift, ...others] = watch.drifts();
  assert.deepEqual([drift, others], [watchAll(batch)[0], []], `SEED=${seed}`);
  const [{ name, newestMs, numbers } = assert.fail()] = watch.save();
  const short = { drifts: [], devices: [{ name, newestMs, numbers: numbers.subarray(1) }] };
  assert.throws(() => new DriftWatch(card, short), RangeError);
});

test('a device that is seen no more is forgotten, and begins anew when it comes back', () => {
  const batch = hours(30, 2, 30);
  const watch = new DriftWatch(card);
  watch.take(batch, ordinary(batch), 1000);
  const only = (device: number) => sliceBatch({ ...batch, device: batch.device.map(() => device) }, 0, 20);
  watch.take(only(1), ordinary(only(1)), 2000);
  assert.deepEqual([...watch.forget(1000)], [], 'seen just then');
  assert.deepEqual([...watch.forget(1500)], ['machine-1']);
  assert.deepEqual(watch.drifts(), []);
  assert.ok(!watch.take(only(0), ordinary(only(0)), 3000));
  assert.deepEqual(
    watch.save().map(({ name, newestMs }) => [name, newestMs]),
    [
      ['machine-2', 2000],
      ['machine-1', 3000],
    ],
  );
});
