import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery, RecordBatch } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { type History, Live } from './live.js';

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
