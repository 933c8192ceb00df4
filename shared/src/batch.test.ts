import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BatchBuilder,
  cellOf,
  deviceRows,
  hasBit,
  numberOf,
  RowNumbers,
  setBit,
  type Value,
} from './batch.js';
import type { Schema } from './contracts.js';
import { Quality } from './quality.js';
import { FakeClock } from './testing/fake-clock.js';

const schema: Schema = {
  type: 'probe',
  fields: [
    { name: 'x', kind: 'float' },
    { name: 'n', kind: 'int' },
    { name: 'on', kind: 'bool' },
    { name: 'mode', kind: 'string' },
  ],
  devices: ['a', 'b'],
};

function build(clock = new FakeClock(), rows = new RowNumbers()): BatchBuilder {
  return new BatchBuilder(schema, { maxRows: 3, maxAgeMs: 1000 }, { clock, rows });
}

test('rows become columns, numbered by device', () => {
  const builder = build();
  builder.push(0, 10, [1.5, 2, true, 'auto']);
  builder.push(1, 11, [-0, 3n, false, '']);
  builder.push(0, 12, [Number.NaN, -4, true, 'hand']);
  const batch = builder.take();
  assert.deepEqual([...batch.time], [10, 11, 12]);
  assert.deepEqual([...batch.device], [0, 1, 0]);
  assert.deepEqual([...batch.row], [1, 1, 2]);
  assert.deepEqual(batch.values[0], Float64Array.of(1.5, -0, Number.NaN));
  assert.deepEqual(batch.values[1], BigInt64Array.of(2n, 3n, -4n));
  assert.deepEqual(batch.values[2], Uint8Array.of(1, 0, 1));
  assert.deepEqual(batch.values[3], ['auto', '', 'hand']);
  assert.equal(batch.missing, undefined);
  assert.deepEqual(deviceRows(batch), [
    { device: 'a', first: 1, last: 2, count: 2 },
    { device: 'b', first: 1, last: 1, count: 1 },
  ]);
  assert.equal(builder.size, 0);
  builder.push(0, 13, [1, 1, true, '']);
  assert.deepEqual([...builder.take().row], [3], 'numbers run on from batch to batch');
});

test('what is absent is missing, what is of another type is invalid, and neither is a value', () => {
  const wrong: [number, Value, number][] = [
    [0, null, Quality.missing],
    [0, undefined, Quality.missing],
    [0, '1', Quality.invalid],
    [1, 1.5, Quality.invalid],
    [1, 2n ** 63n, Quality.invalid],
    [1, Number.NaN, Quality.invalid],
    [1, true, Quality.invalid],
    [2, 1, Quality.invalid],
    [3, 7, Quality.invalid],
  ];
  for (const [field, value, bit] of wrong) {
    const builder = build();
    const row: Value[] = [1, 1, true, 'x'];
    row[field] = value;
    builder.push(0, 1, row);
    builder.push(0, 2, [1, 1, true, 'x']);
    const batch = builder.take();
    assert.equal(cellOf(batch, field, 0), undefined);
    assert.ok(Number.isNaN(numberOf(batch, field, 0)));
    assert.notEqual(cellOf(batch, field, 1), undefined);
    assert.deepEqual([...batch.quality], [bit, 0]);
    assert.deepEqual(batch.fieldQuality?.[field], Uint8Array.of(bit, 0));
  }
});

test('is ready when full or old, and a refused row leaves nothing behind', async () => {
  const clock = new FakeClock();
  const rows = new RowNumbers();
  const builder = build(clock, rows);
  const push = () => builder.push(0, 1, [1, 1, true, 'x']);
  assert.equal(builder.ready(), false);
  push();
  await clock.advance(999);
  assert.equal(builder.ready(), false);
  await clock.advance(1);
  assert.equal(builder.ready(), true);
  builder.take();
  for (let i = 0; i < 3; i++) push();
  assert.equal(builder.ready(), true);
  assert.throws(() => builder.push(9, 1, [1, 1, true, 'x']), TypeError);
  assert.equal(builder.size, 3);
  assert.equal(rows.last('a'), 4);
});

test('a device that two sources claim stops the second, and leaves no gap in the numbers of the first', () => {
  const rows = new RowNumbers();
  const [first, second] = [rows.of('line-1'), rows.of('line-2')];
  assert.deepEqual([first.next('a'), first.next('a'), second.next('b')], [1, 2, 1]);
  assert.throws(() => second.next('a'), { code: 'EW_SOURCE_INPUT', retryable: false });
  assert.equal(first.next('a'), 3);
  assert.equal(rows.of('line-1').next('a'), 4, 'the same source, entered again');
  assert.equal(rows.last('a'), 4);
});

test('bits are kept lowest first', () => {
  const bitmap = new Uint8Array(2);
  setBit(bitmap, 0);
  setBit(bitmap, 9);
  assert.deepEqual([...bitmap], [1, 2]);
  assert.deepEqual([hasBit(bitmap, 0), hasBit(bitmap, 1), hasBit(bitmap, 9)], [true, false, true]);
  assert.equal(hasBit(undefined, 3), false);
});
