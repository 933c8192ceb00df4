import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { encodeBlock } from '@edgeward/shared/wire';
import { mostFields, mostRows } from './http-config.js';
import { HttpRows, type RowsToStore, toBlocks } from './http-rows.js';
import { type Device, DeviceType } from './http-shapes.js';
import { type WaitingRequest, WaitingRequests } from './http-waiting.js';

const id = {
  gateway: 'g',
  epoch: '000000001-00000000000000aa',
  seq: 1,
  oldestEpoch: '000000001-00000000000000aa',
  atMs: 0,
};

function newDevice(fields: number, text = false): Device {
  const declared = Array.from({ length: fields }, (_, f) => ({
    name: `f${f}`,
    kind: text && f === 0 ? ('string' as const) : ('float' as const),
  }));
  const device = new DeviceType('t', declared).newDevice('d', true);
  device.shape.join(device);
  return device;
}

/** Rows with a value in field 0 only. */
function rowsOf(device: Device, count: number, value: string | number): HttpRows {
  const rows = new HttpRows();
  for (let i = 0; i < count; i++) rows.add(device, i, [0], [value], 1);
  return rows;
}

function encoded(requests: readonly RowsToStore[]): number[] {
  return toBlocks(requests).map(block => {
    const row = Float64Array.from(block.time, (_, i) => i + 1);
    return encodeBlock(id, { ...block, row }).length;
  });
}

test('the largest request there can be makes a block, though nothing in it repeats', () => {
  const rng = seededRng(7);
  const device = newDevice(mostFields, true);
  const rows = new HttpRows();
  const ids = Array.from({ length: mostFields }, (_, f) => f);
  const bits = new DataView(new ArrayBuffer(8));
  const double = () => {
    for (const at of [0, 4]) bits.setUint32(at, rng() * 2 ** 32);
    return bits.getFloat64(0);
  };
  for (let i = 0; i < mostRows; i++) {
    const text = Array.from({ length: 18 }, () => rng().toString(36).slice(2, 18).padEnd(16, '0')).join('');
    const values = ids.map(f => (rng() < 0.01 ? null : f === 0 ? text : double()));
    rows.add(device, i + rng() * 1e9, ids, values, mostFields);
  }
  assert.ok(rows.textBytes > 2_800_000, `${rows.textBytes}`);
  const [bytes] = encoded([{ rows }]);
  assert.ok(bytes! > 10_000_000, `${bytes}`);
});

const waiting = (rows: HttpRows): WaitingRequest => ({
  rows,
  refused: 0,
  errors: [],
  key: undefined,
  replies: new Set(),
});

test('a group takes what fits one block: by rows, and by bytes where rows are wide', () => {
  const cases: readonly (readonly [number, number, number])[] = [
    // rows each, fields, requests in the group of ten that wait
    [1000, 1, 5],
    [5000, 1, 1],
    [6000, 1, 1],
    [500, mostFields, 10],
  ];
  for (const [count, fields, expected] of cases) {
    const device = newDevice(fields);
    const queue = new WaitingRequests();
    for (let i = 0; i < 10; i++) queue.add(waiting(rowsOf(device, count, 1)));
    assert.equal(queue.nextGroup(5000)?.requests.length, expected, `${count} rows of ${fields}`);
  }
  const text = 'x'.repeat(3000);
  const queue = new WaitingRequests();
  for (let i = 0; i < 10; i++) queue.add(waiting(rowsOf(newDevice(1, true), 1000, text)));
  const group = queue.nextGroup(5000);
  assert.equal(group?.requests.length, 3);
  assert.ok(encoded(group.requests).every(bytes => bytes > 0));
});
