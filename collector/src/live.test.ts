import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { Live } from './live.js';
import type { History } from './live-history.js';

const [gateway, device] = ['gw-1', 'probe-1'];

function deliver(live: Live, batch: RecordBatch) {
  return live.add([{ gateway, batch } as Delivery]);
}

function historyOf(live: Live): History {
  const history = live.get(gateway, device);
  assert.ok(history);
  return history;
}

const ask = { gateway, device, fields: ['temperature'], fromMs: 0, toMs: Number.MAX_VALUE, maxPoints: 60 };

test('thinning keeps every flagged row and both extremes, in time order', () => {
  const rng = seededRng(7);
  const batch = new TestBatches().next(2000, [0]);
  const temperature = Float64Array.from({ length: 2000 }, () => 20 + rng());
  [temperature[777], temperature[1234]] = [99, -40];
  const flagged = [3, 4, 1999];
  const anomaly = Uint8Array.from({ length: 2000 }, (_, i) => (flagged.includes(i) ? 1 : 0));
  const live = new Live();
  deliver(live, { ...batch, values: [temperature, batch.values[1]!], anomaly });
  const { time, values, anomaly: flags } = historyOf(live).series(ask);
  assert.ok(time.length <= 2 * ask.maxPoints, `${time.length}`);
  assert.deepEqual(time, [...time].sort());
  assert.ok(values.temperature?.includes(99) && values.temperature.includes(-40));
  assert.deepEqual(
    time.filter((_, i) => flags[i]),
    flagged.map(i => batch.time[i]),
  );
});

test('late rows stand where they belong, and only the span that was asked for comes', () => {
  const [live, batches] = [new Live(), new TestBatches()];
  const parts = [batches.next(3), batches.next(3), batches.next(3)];
  for (const i of [0, 2, 1]) deliver(live, parts[i]!);
  const { time } = historyOf(live).series(ask);
  assert.equal(time.length, 9);
  assert.deepEqual(time, [...time].sort());
  const [fromMs, toMs] = [time[2]!, time[5]!];
  assert.deepEqual(historyOf(live).series({ ...ask, fromMs, toMs }).time, time.slice(2, 6));
});

test('keeps the newest hour of rows, and begins anew when the fields change', () => {
  const [live, batches] = [new Live(), new TestBatches()];
  for (let i = 0; i < 5; i++) deliver(live, batches.next(1000, [0]));
  assert.equal(historyOf(live).size, 3600);
  const batch = batches.next(1, [0]);
  const [first, second] = batch.schema.fields;
  deliver(live, { ...batch, schema: { ...batch.schema, fields: [first!, { ...second!, name: 'flow' }] } });
  assert.equal(historyOf(live).size, 1);
  assert.deepEqual(Object.keys(historyOf(live).last().values), ['temperature', 'flow']);
});

test('tells what is new per device, with what is missing as null', () => {
  const updates = deliver(new Live(), new TestBatches().next(2));
  assert.deepEqual(
    updates.map(({ device, values }) => [device, values.temperature, values.pressure]),
    [
      ['probe-1', [20, 21], [0, 1]],
      ['probe-2', [20, 21], [null, null]],
    ],
  );
  assert.deepEqual(updates[0]?.score, [null, null]);
});

/** One row of each of these devices, of many that the schema names. */
function wide(named: number, fields: number, devices: readonly number[], value = 1): RecordBatch {
  const schema: Schema = {
    type: 'wide',
    fields: Array.from({ length: fields }, (_, f) => ({ name: `f${f}`, kind: 'float' })),
    devices: Array.from({ length: named }, (_, d) => `d${d}`),
  };
  const rows = devices.length;
  return {
    schema,
    time: Float64Array.from(devices, (_, i) => value * 1e6 + i),
    row: new Float64Array(rows).fill(1),
    device: Uint16Array.from(devices),
    values: schema.fields.map(() => new Float64Array(rows).fill(value)),
    quality: new Uint16Array(rows),
  };
}

test('a device that is only named costs nothing, and one with a row little', () => {
  const live = new Live();
  deliver(live, wide(1000, 30, [7]));
  assert.deepEqual(
    live.all().map(history => [history.device, history.size, history.schema.devices]),
    [['d7', 1, ['d7']]],
  );
  assert.ok(live.bytes < 30_000, `${live.bytes}`);
});

test('when room gets scarce, who was updated longest ago keeps a minute, and goes only when that is too much', () => {
  const [live, rows] = [new Live({ maxBytes: 110_000 }), Array.from({ length: 1000 }, () => 0)];
  deliver(live, wide(100, 5, rows)); // some 60 kB
  for (let block = 0; block < 400; block++) deliver(live, wide(100, 5, [1, 1, 1, 1, 1], 2));
  const sizes = () => live.all().map(({ device, size }) => [device, size]);
  assert.deepEqual(sizes(), [
    ['d0', 64],
    ['d1', 1024],
  ]);
  const [oldest] = live.all();
  assert.equal(oldest?.last().time, 1e6 + 999, 'the newest of its rows are left');
  assert.equal(oldest?.series({ ...ask, fields: ['f0'] }).time[0], 1e6 + 1000 - 64);
  for (let device = 2; device < 100; device++) {
    deliver(live, wide(100, 5, [device], 3));
    assert.ok(live.bytes <= 110_000, `${live.bytes}`);
    assert.equal(live.get(gateway, `d${device}`)?.size, 1, 'the newest is there');
  }
  assert.equal(live.get(gateway, 'd0'), undefined);
  deliver(
    live,
    wide(
      100,
      5,
      Array.from({ length: 100 }, (_, d) => d),
      4,
    ),
  );
  assert.ok(live.bytes <= 110_000 && live.bytes > 85_000, `${live.bytes}`);
});

test('devices that all speak keep the rows that there is room for, and take none from each other', () => {
  const [devices, maxBytes] = [100, 200_000]; // room for 32 rows of half of them, and for 16 of the others
  const live = new Live({ maxBytes });
  const all = Array.from({ length: devices }, (_, d) => d);
  const sizes = () => live.all().map(({ size }) => size);
  for (let value = 1; value <= 200; value++) deliver(live, wide(devices, 5, all, value));
  const settled = sizes();
  assert.ok(Math.min(...settled) >= 16, `${settled}`);
  assert.ok(live.bytes <= maxBytes && live.bytes > 0.75 * maxBytes, `${live.bytes}`);
  for (let value = 201; value <= 500; value++) {
    deliver(live, wide(devices, 5, all, value));
    assert.deepEqual(sizes(), settled);
  }
  assert.equal(live.get(gateway, 'd0')?.last().time, 500e6);
});

test('what silent devices had is for those that go on', () => {
  const live = new Live({ maxBytes: 110_000 });
  deliver(live, wide(2, 5, new Array(1000).fill(0)));
  deliver(live, wide(2, 5, new Array(600).fill(1), 2));
  for (let value = 3; value < 800; value++) deliver(live, wide(2, 5, [1], value));
  assert.deepEqual(
    live.all().map(({ device, size }) => [device, size]),
    [
      ['d0', 64],
      ['d1', 1024],
    ],
  );
});

test('a block of many rows makes nobody else look silent', () => {
  const live = new Live({ maxBytes: 500_000 });
  const speak = (rows: number) => {
    for (let device = 0; device < 20; device++) deliver(live, wide(20, 5, new Array(rows).fill(device)));
  };
  for (let round = 0; round < 60; round++) speak(20);
  const sizes = () => live.all().map(({ size }) => size);
  const settled = sizes();
  for (let round = 0; round < 20; round++) speak(2000);
  assert.deepEqual(sizes(), settled);
});
