/** What of a journal is learned from, and what is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineBatch } from '@edgeward/models/testing/machine';
import { setBit } from '@edgeward/shared/batch';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import { selectRows } from '@edgeward/shared/select-rows';
import { History } from './history.js';
import { historyTable } from './history-table.js';
import type { HistoryRequest, TrainingLimits, Trouble } from './request.js';
import { type BlockOptions, blocksOf } from './testing/machines.js';

const stepMs = 2000;
const startMs = 1_700_000_000_000;
const rows = 1000;

interface Given {
  readonly batches: readonly (RecordBatch | readonly [RecordBatch, BlockOptions])[];
  readonly troubles?: readonly Trouble[];
  readonly limits?: Partial<TrainingLimits>;
  readonly sinceMs?: number;
}

function tableOf({ batches, troubles = [], limits = {}, sinceMs = Number.NEGATIVE_INFINITY }: Given) {
  const request: HistoryRequest = {
    type: 'machine',
    sinceMs,
    acceptChange: false,
    collector: 'plant',
    troubles,
    limits: { maxRows: 200_000, minRows: 0, minHours: 0, maxLeftOut: 1, ...limits },
  };
  const history = new History({ type: 'machine', sinceMs, maxRows: request.limits.maxRows });
  for (const one of batches) {
    const [batch, options] = Array.isArray(one)
      ? (one as [RecordBatch, BlockOptions])
      : [one as RecordBatch, {}];
    for (const block of blocksOf(batch, options)) history.take(block, block.described);
  }
  return historyTable(history, request);
}

const one = machineBatch({ rows, devices: 1 });
const none = { time: 0, alarm: 0, incident: 0, quality: 0, near: 0 };

/** Numbers of the rows that are left, of one device. */
const rowsIn = ({ batch }: ReturnType<typeof tableOf>, device = 0) =>
  [...batch.time.keys()]
    .filter(r => batch.device[r] === device)
    .map(r => (batch.time[r]! - startMs) / stepMs);

function without(from: number, through: number, of = rows): number[] {
  return Array.from({ length: of }, (_, r) => r).filter(r => r < from || r > through);
}

test('a quiet record is taken as it is: each gateway has its own devices, in order of time', () => {
  const both = machineBatch({ rows });
  const { batch, leftOut, skippedRows } = tableOf({ batches: [both, [both, { gateway: 'gw-2' }]] });
  assert.deepEqual([leftOut, skippedRows], [none, 0]);
  assert.deepEqual(batch.schema.devices, [
    'gw-1/machine-1',
    'gw-1/machine-2',
    'gw-2/machine-1',
    'gw-2/machine-2',
  ]);
  assert.equal(batch.time.length, 4 * rows);
  assert.ok(batch.time.every((timeMs, r) => r === 0 || timeMs >= batch.time[r - 1]!));
  const second = [...batch.time.keys()].filter(r => batch.device[r] === 3);
  const own = [...both.time.keys()].filter(r => both.device[r] === 1);
  assert.deepEqual(
    second.map(r => batch.values.map(column => column[r])),
    own.map(r => both.values.map(column => column[r])),
  );
});

test('rows that came late stand where they belong', () => {
  const half = (from: number) =>
    selectRows(
      one,
      Uint32Array.from({ length: rows / 2 }, (_, i) => from + i),
    );
  const table = tableOf({ batches: [half(rows / 2), half(0)] });
  assert.deepEqual(rowsIn(table), without(-1, -1));
  assert.deepEqual(table.batch.values[0], one.values[0]);
});

test('a flagged row goes with what is beside it, of its device only', () => {
  const both = machineBatch({ rows });
  const anomaly = new Uint8Array(2 * rows);
  anomaly[2 * 400] = 1;
  const table = tableOf({ batches: [{ ...both, anomaly, model: 'm' }] });
  assert.deepEqual(table.leftOut, { ...none, alarm: 1, near: 120 });
  assert.deepEqual(rowsIn(table, 0), without(340, 460));
  assert.deepEqual(rowsIn(table, 1), without(-1, -1));
  assert.match(table.source, /^journal of plant; left out: 1 in alarm, 120 beside these$/);
});

test('what is beside it goes by the steps of its own device', () => {
  const slow = { ...one, time: one.time.map((timeMs, r) => timeMs + 9 * r * stepMs) };
  const anomaly = new Uint8Array(rows);
  anomaly[400] = 1;
  const table = tableOf({
    batches: [machineBatch({ rows }), [{ ...slow, anomaly, model: 'm' }, { gateway: 'gw-2' }]],
  });
  assert.deepEqual(table.leftOut, { ...none, alarm: 1, near: 120 });
});

test('so do the rows of an incident, also the unflagged, and the rows after it', () => {
  const trouble = { fromMs: startMs + 300 * stepMs, toMs: startMs + 350 * stepMs };
  const table = tableOf({ batches: [one], troubles: [{ key: 'gw-1/machine-1', ...trouble }] });
  assert.deepEqual(table.leftOut, { ...none, incident: 51, near: 120 });
  assert.deepEqual(rowsIn(table), without(240, 410));
  for (const key of ['gw-2/machine-1', 'gw-1/machine-2'])
    assert.deepEqual(tableOf({ batches: [one], troubles: [{ key, ...trouble }] }).leftOut, none, key);
});

test('rows of bad quality go, by the row or by a field; what is missing or too early to judge stays', () => {
  const quality = new Uint16Array(rows);
  quality[100] = Quality.stuck;
  quality[500] = Quality.warmUp;
  quality[600] = Quality.missing;
  const field = new Uint8Array(rows);
  field[300] = Quality.outOfRange;
  const missing = new Uint8Array(rows / 8);
  setBit(missing, 600);
  const table = tableOf({
    batches: [
      { ...one, quality, fieldQuality: [undefined, field], missing: [missing, undefined, undefined] },
    ],
  });
  assert.deepEqual(table.leftOut, { ...none, quality: 2, near: 20 });
  const gone = [95, 105, 295, 305];
  assert.deepEqual(
    rowsIn(table),
    without(-1, -1).filter(r => !(r >= gone[0]! && r <= gone[1]!) && !(r >= gone[2]! && r <= gone[3]!)),
  );
  const at = rowsIn(table).indexOf(600);
  assert.ok(Number.isNaN(Number(table.batch.values[0]![at])));
  assert.equal(table.batch.values[1]![at], one.values[1]![600]);
});

test('rows of impossible or unsure times go', () => {
  const quality = new Uint16Array(rows);
  quality[10] = Quality.timeUnsure;
  quality[11] = Quality.timeBackwards;
  quality[12] = Quality.timeMoved;
  const early = { ...one, time: one.time.map((timeMs, r) => (r === 20 ? 1000 : timeMs)) };
  assert.deepEqual(rowsIn(tableOf({ batches: [{ ...one, quality }] })).slice(9, 12), [9, 12, 13]);
  const since = Date.UTC(2025, 0, 1);
  const table = tableOf({ batches: [[early, { ingestedMs: startMs + rows * stepMs }]] });
  assert.deepEqual(table.leftOut, { ...none, time: 1 });
  const ahead = () =>
    tableOf({ batches: [[one, { ingestedMs: startMs - 48 * 3_600_000 }]], limits: { maxLeftOut: 0.5 } });
  assert.throws(ahead, /100 % of 1000 rows had to be left out.*1000 of impossible or unsure time/);
  assert.throws(() => tableOf({ batches: [one], sinceMs: since }), /no rows since 2025-01-01T00:00:00\.000Z/);
});

test('fields are those of most rows, of equals the newest; what other rows lack is missing there', () => {
  const { schema, values } = one;
  const texts = Array.from(one.time, () => 'auto');
  const fields = [
    ...schema.fields.slice(1),
    { name: 'level', kind: 'int' as const },
    { name: 'mode', kind: 'string' as const },
  ];
  const newer = {
    ...one,
    schema: { ...schema, fields },
    values: [values[1]!, values[2]!, BigInt64Array.from(one.time, (_, r) => BigInt(r)), texts],
    time: one.time.map(timeMs => timeMs + rows * stepMs),
  };
  const { batch, fieldsLeftOut, source } = tableOf({ batches: [one, newer] });
  assert.deepEqual(fieldsLeftOut, ['pressure']);
  assert.match(source, /; fields left out, since most rows lack them: pressure$/);
  assert.deepEqual(
    batch.schema.fields.map(({ name }) => name),
    ['flow', 'current', 'level'],
  );
  assert.equal(batch.values[0]![0], values[1]![0]);
  assert.ok(Number.isNaN(Number(batch.values[2]![rows - 1])));
  assert.equal(batch.values[2]![rows + 7], 7);
});

test('one block of a gateway that reads less does not take the fields of all the others', () => {
  const { schema, values } = one;
  const less = {
    ...one,
    schema: { ...schema, fields: schema.fields.slice(0, 1) },
    values: values.slice(0, 1),
  };
  const few = selectRows(less, Uint32Array.from([0, 1, 2]));
  const { batch, fieldsLeftOut } = tableOf({
    batches: [one, [few, { gateway: 'gw-2' }]],
  });
  assert.deepEqual(
    batch.schema.fields.map(({ name }) => name),
    schema.fields.map(({ name }) => name),
  );
  assert.deepEqual([batch.time.length, fieldsLeftOut], [rows + 3, []]);
});

test('more rows than fit are thinned to whole stretches from all devices and times, never holding more', () => {
  const long = machineBatch({ rows: 20_000 });
  const most = 9000;
  const history = new History({ type: 'machine', sinceMs: 0, maxRows: most });
  for (const block of blocksOf(long)) {
    history.take(block, block.described);
    assert.ok(history.rows <= most);
  }
  const table = tableOf({ batches: [long], limits: { maxRows: most } });
  assert.match(table.source, /of every 8 stretches of 2000 rows of a device one$/);
  assert.equal(table.skippedRows, 0);
  const kept = [rowsIn(table, 0), rowsIn(table, 1)];
  for (const [d, numbers] of kept.entries()) {
    const stretches = [...new Set(numbers.map(r => Math.floor(r / 2000)))];
    assert.deepEqual(stretches, d === 0 ? [0, 8] : [7], `device ${d}`);
    assert.equal(numbers.length, 2000 * stretches.length, 'whole ones');
  }
  const wide = machineBatch({ rows: 20_000, devices: 1 });
  const fields = Array.from({ length: 32 }, (_, f) => ({ name: `f${f}`, kind: 'float' as const }));
  const values = fields.map(() => wide.values[0]!);
  const half = tableOf({
    batches: [{ ...wide, schema: { ...wide.schema, fields }, values }],
    limits: { maxRows: 20_000 },
  });
  assert.equal(half.batch.time.length, 10_000, 'of twice the fields half the rows');
});

test('a block that is damaged is left out, and said', () => {
  const history = new History({ type: 'machine', sinceMs: 0, maxRows: 10_000 });
  for (const [i, block] of blocksOf(one).entries()) {
    const bytes = block.bytes.slice();
    if (i === 2) bytes[bytes.length - 9]! ^= 1;
    history.take({ ...block, bytes }, block.described);
  }
  assert.deepEqual([history.rows, history.damaged], [800, 1]);
});

test('too little, too short or too much left out is refused with what to do', () => {
  const anomaly = new Uint8Array(rows);
  for (let r = 100; r < 200; r++) anomaly[r] = 1;
  const flagged = { ...one, anomaly, model: 'm' };
  assert.throws(() => tableOf({ batches: [flagged], limits: { maxLeftOut: 0.2 } }), {
    code: 'EW_TRAIN_INPUT',
    message:
      /22 % of 1000 rows had to be left out, more than 20 %: 100 in alarm, 120 beside these\..*--hours/,
  });
  assert.equal(tableOf({ batches: [flagged], limits: { maxLeftOut: 0.25 } }).skippedRows, 220);
  assert.throws(() => tableOf({ batches: [one], limits: { minRows: 2000 } }), {
    code: 'EW_TRAIN_INPUT',
    message: /1000 usable rows of machine over 0\.6 h, and 2000 over 0 h are asked for\. Wait for more/,
  });
  assert.throws(() => tableOf({ batches: [one], limits: { minHours: 1 } }), /over 0\.6 h, and 0 over 1 h/);
  assert.throws(() => tableOf({ batches: [] }), /Of machine the journal has no rows\./);
});
