import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchBuilder, RowNumbers, type Value } from '@edgeward/shared/batch';
import type { Field, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { Quality, qualityReasons } from '@edgeward/shared/quality';
import { seededRng } from '@edgeward/shared/rng';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { DeviceTimes } from '../time/device-times.js';
import { Validate } from './validate.js';

type Row = readonly [timeMs: number, ...values: Value[]];

const float = (name: string, more: Partial<Field> = {}): Field => ({ name, kind: 'float', ...more });

function schemaOf(fields: readonly Field[], devices = ['pump-1']): Schema {
  return { type: 'pump', fields, devices };
}

function batchOf(schema: Schema, rows: readonly Row[], device = 0): RecordBatch {
  const limits = { maxRows: 1e6, maxAgeMs: 1e6 };
  const builder = new BatchBuilder(schema, limits, { clock: new FakeClock(), rows: new RowNumbers() });
  for (const [timeMs, ...values] of rows) builder.push(device, timeMs, values);
  return builder.take();
}

const reasonsOf = (batch: RecordBatch) => Array.from(batch.quality, bits => qualityReasons(bits).join('+'));

test('marks values that are missing, invalid or out of range, in the cell and in the row', () => {
  const schema = schemaOf([float('pressure', { min: 0, max: 10 }), float('flow')]);
  const before = batchOf(schema, [
    [1000, 5, 1],
    [2000, null, 1],
    [3000, 5, Number.NaN],
    [4000, -0.1, Number.POSITIVE_INFINITY],
    [5000, 10, 1],
    [6000, 10.1, 1],
  ]);
  const after = new Validate().process(before);
  assert.deepEqual(reasonsOf(after), ['', 'missing', 'invalid', 'invalid+outOfRange', '', 'outOfRange']);
  assert.deepEqual(Array.from(after.fieldQuality?.[0] ?? []), [
    0,
    Quality.missing,
    0,
    Quality.outOfRange,
    0,
    Quality.outOfRange,
  ]);
});

test('leaves the batch it was given alone and shares what it did not touch', () => {
  const schema = schemaOf([float('pressure', { max: 10 }), float('flow')]);
  const before = batchOf(schema, [
    [1000, 50, 1],
    [2000, 5, 1],
  ]);
  const after = new Validate().process(before);
  assert.deepEqual(Array.from(before.quality), [0, 0]);
  assert.equal(before.fieldQuality, undefined);
  assert.equal(after.time, before.time);
  assert.equal(after.values, before.values);
  assert.equal(after.row, before.row);
  assert.equal(after.fieldQuality?.[1], undefined);
});

test('keeps bits that the source set', () => {
  const schema = schemaOf([float('pressure', { max: 10 })]);
  const before = batchOf(schema, [
    [1000, 'text'],
    [2000, 11],
  ]);
  const after = new Validate().process(before);
  assert.deepEqual(reasonsOf(after), ['missing+invalid', 'outOfRange']);
});

test('judges the rate against the last good value, and accepts a new level with time', () => {
  const schema = schemaOf([float('pressure', { maxRate: 2 })]);
  const after = new Validate().process(
    batchOf(schema, [
      [0, 10],
      [1000, 12],
      [2000, 20],
      [3000, 14],
      [4000, 20],
      [5000, 20],
      [6000, 20],
    ]),
  );
  // 20 against 14 at 3 s: too fast after 1 and 2 s, possible after 3 s.
  assert.deepEqual(reasonsOf(after), ['', '', 'rateOfChange', '', 'rateOfChange', 'rateOfChange', '']);
});

test('a value out of range is no base for the rate of the next', () => {
  const schema = schemaOf([float('pressure', { max: 10, maxRate: 2 })]);
  const after = new Validate().process(
    batchOf(schema, [
      [0, 9],
      [1000, 10.9],
      [2000, 7],
    ]),
  );
  assert.deepEqual(reasonsOf(after), ['', 'outOfRange', '']);
});

test('judges no rate over a span shorter than clocks can tell', () => {
  const schema = schemaOf([float('pressure', { maxRate: 1 })]);
  const after = new Validate().process(
    batchOf(schema, [
      [1000, 1],
      [1000, 2],
      [1001.5, 1.001],
    ]),
  );
  assert.deepEqual(reasonsOf(after), ['', 'timeMoved', '']);
});

test('a channel is stuck after as many equal values as the field says, across batches and per device', () => {
  const schema = schemaOf([float('pressure', { stuckAfter: 3 })], ['pump-1', 'pump-2']);
  const validate = new Validate();
  const marked = (rows: Row[], device: number) => reasonsOf(validate.process(batchOf(schema, rows, device)));
  assert.deepEqual(
    marked(
      [
        [1, 7],
        [2, 7],
      ],
      0,
    ),
    ['', ''],
  );
  assert.deepEqual(marked([[1, 7]], 1), ['']);
  assert.deepEqual(
    marked(
      [
        [3, null],
        [4, 7],
        [5, 7],
        [6, 8],
        [7, 8],
      ],
      0,
    ),
    ['missing', 'stuck', 'stuck', '', ''],
  );
});

test('whole numbers, booleans and text are checked in their own way', () => {
  const schema = schemaOf([
    { name: 'starts', kind: 'int', max: 5, maxRate: 1 },
    { name: 'running', kind: 'bool', stuckAfter: 2 },
    { name: 'mode', kind: 'string' },
  ]);
  const after = new Validate().process(
    batchOf(schema, [
      [1000, 1n, true, 'auto'],
      [2000, 4n, false, null],
      [9000, 9n, false, 'auto'],
    ]),
  );
  assert.deepEqual(reasonsOf(after), ['', 'missing+rateOfChange', 'outOfRange+stuck']);
});

test('a second row at the same time moves by 1 µs, a third by 2', () => {
  const schema = schemaOf([float('pressure')]);
  const time = 1_790_000_000_123;
  const before = batchOf(schema, [
    [time, 1],
    [time, 2],
    [time, 3],
    [time + 1, 4],
  ]);
  const after = new Validate().process(before);
  assert.deepEqual(
    Array.from(after.time, ms => Math.round((ms - time) * 1000)),
    [0, 1, 2, 1000],
  );
  assert.deepEqual(reasonsOf(after), ['', 'timeMoved', 'timeMoved', '']);
  assert.equal(before.time[1], time);
});

test('times that differ by less than a microsecond are equal to the stores, and so move', () => {
  const schema = schemaOf([float('pressure')]);
  const after = new Validate().process(
    batchOf(schema, [
      [1000.0001, 1],
      [1000.0002, 2],
    ]),
  );
  assert.deepEqual(reasonsOf(after), ['', 'timeMoved']);
});

test('times stay unique per device when its clock is set back (random, seeded)', () => {
  const seed = 20261121;
  const rng = seededRng(seed);
  const schema = schemaOf([float('pressure')], ['pump-1', 'pump-2']);
  const validate = new Validate();
  const seen = [new Set<number>(), new Set<number>()];
  let rows = 0;
  let backwards = 0;
  let now = 1_790_000_000_000;
  for (let b = 0; b < 60; b++) {
    if (rng() < 0.3) now -= Math.floor(rng() * 50);
    const device = b % 2;
    const times = Array.from({ length: 5 }, (): Row => {
      now += Math.floor(rng() * 3);
      return [now, 1];
    });
    const after = validate.process(batchOf(schema, times, device));
    for (const time of after.time) seen[device]?.add(Math.round(time * 1000));
    rows += times.length;
    backwards += after.quality.filter(bits => (bits & Quality.timeBackwards) !== 0).length;
  }
  assert.equal((seen[0]?.size ?? 0) + (seen[1]?.size ?? 0), rows, `seed ${seed}`);
  assert.ok(backwards > 0, `seed ${seed}: the clock never went back`);
});

test('time going back is marked once, and the rate starts anew there', () => {
  const schema = schemaOf([float('pressure', { maxRate: 1 })]);
  const after = new Validate().process(
    batchOf(schema, [
      [10_000, 1],
      [5000, 50],
      [6000, 50.5],
    ]),
  );
  assert.deepEqual(reasonsOf(after), ['', 'timeBackwards', '']);
});

test('a time that is no number is marked and moves nothing', () => {
  const schema = schemaOf([float('pressure')]);
  const after = new Validate().process(
    batchOf(schema, [
      [1000, 1],
      [Number.NaN, 1],
      [2000, 1],
    ]),
  );
  assert.deepEqual(reasonsOf(after), ['', 'invalid', '']);
});

test('a schema that gained a device keeps the state of the others', () => {
  const fields = [float('pressure', { stuckAfter: 2 })];
  const validate = new Validate();
  validate.process(batchOf(schemaOf(fields), [[1000, 1]]));
  const after = validate.process(batchOf(schemaOf(fields, ['pump-0', 'pump-1']), [[2000, 1]], 1));
  assert.deepEqual(reasonsOf(after), ['stuck']);
});

test('any split of the rows into batches gives the same marks', () => {
  const seed = 7;
  const rng = seededRng(seed);
  const schema = schemaOf([float('pressure', { min: 0, max: 9, maxRate: 3, stuckAfter: 2 })]);
  const rows = Array.from({ length: 300 }, (_, i): Row => [i * 500, Math.floor(rng() * 11)]);
  const whole = reasonsOf(new Validate().process(batchOf(schema, rows)));
  const validate = new Validate();
  const pieces: string[] = [];
  for (let from = 0; from < rows.length; ) {
    const through = from + 1 + Math.floor(rng() * 20);
    pieces.push(...reasonsOf(validate.process(batchOf(schema, rows.slice(from, through)))));
    from = through;
  }
  assert.deepEqual(pieces, whole, `seed ${seed}`);
  for (const reason of ['outOfRange', 'rateOfChange', 'stuck']) {
    assert.ok(
      whole.some(reasons => reasons.includes(reason)),
      `seed ${seed}: nothing was ${reason}`,
    );
  }
});

test('times too far from now for whole microseconds are marked, and nothing hangs on them', () => {
  const schema = schemaOf([float('pressure')]);
  const far = 8e18;
  const after = new Validate().process(
    batchOf(schema, [
      [far, 1],
      [far, 1],
      [-far, 1],
      [1000, 1],
    ]),
  );
  assert.deepEqual(reasonsOf(after), ['invalid', 'invalid', 'invalid', '']);
  assert.equal(after.time[1], far);
});

test('a device keeps its times when its schema changes, and over a restart', () => {
  const times = new DeviceTimes();
  new Validate(times).process(batchOf(schemaOf([float('pressure')]), [[1000, 1]]));
  const wider = schemaOf([float('pressure'), float('flow')]);
  const same: Row[] = [[1000, 1, 2]];
  assert.deepEqual(reasonsOf(new Validate(times).process(batchOf(wider, same))), ['timeMoved']);
  const later = DeviceTimes.from(JSON.parse(JSON.stringify(times.toState(2000))));
  const after = new Validate(later).process(batchOf(wider, same));
  assert.deepEqual(reasonsOf(after), ['timeMoved+timeBackwards']);
  assert.equal(Math.round(after.time[0]! * 1000), 1_000_002);
});
