/** Received ranges stay few, and what can no longer come is remembered as counts alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ledgerView } from '../ledger.js';
import type { GatewayReport } from '../report.js';
import { DeviceRows } from './device-rows.js';
import { epochOf, folderFor, openJournal, TestGateway } from './testing/blocks.js';

function reportOf(
  start: number,
  condensedThrough: number,
  read: number,
  rows: Record<number, number>,
): GatewayReport {
  const told = Object.entries(rows).map(([epoch, last]) => ({
    epoch: epochOf(Number(epoch)),
    ranges: [[1, last]] as [number, number][],
  }));
  const none = { rejected: 0, thinned: 0, dropped: 0, damaged: 0, held: [] };
  return {
    gateway: 'gw-1',
    epoch: epochOf(start),
    atMs: start,
    version: '0',
    devices: ['probe-1', 'probe-2'].map(device => ({ device, read, ...none, rows: told })),
    outbox: { id: 'outbox-1', blocks: 0, bytes: 0, maxBytes: 1, oldestMs: null, durability: 'deferred' },
    condensedThrough,
    process: { pid: 1, rssBytes: 1, cpuSeconds: 1 },
    models: {},
  };
}

test('numbers that will never come close the ranges', async t => {
  await using journal = await openJournal(await folderFor(t));
  const gateway = new TestGateway();
  const blocks = gateway.incoming(10);
  await journal.append([blocks[0]!, blocks[9]!]);
  assert.deepEqual(journal.received.get('gw-1', epochOf(1))?.seqs.toJSON(), [
    [1, 1],
    [10, 10],
  ]);
  await journal.append(gateway.incoming(1, { voids: [[2, 9]] }));
  assert.deepEqual(journal.received.get('gw-1', epochOf(1))?.seqs.toJSON(), [[1, 11]]);
});

test('starts that are over become counts, which survive; their blocks are doubles for ever', async t => {
  const folder = await folderFor(t);
  const [first, second] = [new TestGateway('gw-1', 1), new TestGateway('gw-1', 2)];
  const old = first.incoming(3);
  {
    await using journal = await openJournal(folder);
    await journal.setReport(reportOf(1, 0, 0, {}));
    await journal.append(old);
    await journal.setReport(reportOf(1, 0, 6, { 1: 6 }));
    await journal.append(second.incoming(1, { oldestEpoch: epochOf(1) }));
    await journal.setReport(reportOf(2, 1, 8, { 2: 2 }));
    assert.ok(journal.received.get('gw-1', epochOf(1)), 'the agent may still hold some of it');
    await journal.append(second.incoming(1, { oldestEpoch: epochOf(2) }));
    await journal.setReport(reportOf(2, 1, 10, { 2: 4 }));
    assert.equal(journal.received.get('gw-1', epochOf(1)), undefined);
    assert.ok(journal.isOver(`gw-1/${epochOf(1)}`));
  }
  await using journal = await openJournal(folder);
  assert.equal(journal.received.get('gw-1', epochOf(1)), undefined);
  assert.deepEqual(await journal.append(old), [], 'as when somebody plays a recording of them');
  const { balanced, devices } = ledgerView(journal.received, journal.accounts);
  assert.deepEqual(
    devices.map(({ read, stored, earlier }) => [read, stored, earlier]),
    [
      [10, 10, 0],
      [10, 10, 0],
    ],
  );
  assert.equal(balanced, true);
});

test('thinned rows are counted to the row, however many stretches there are', () => {
  const rows = new DeviceRows();
  const spans = Array.from({ length: 12_000 }, (_, i) => ({ first: i * 4 + 1, last: i * 4 + 4, count: 3 }));
  for (const span of spans) rows.add(span);
  assert.equal(rows.count, 36_000);
  const saved = DeviceRows.fromJSON(JSON.parse(JSON.stringify(rows)));
  assert.equal(saved.count, 36_000);
  assert.equal(saved.countWithin(1, 48_000), 36_000);
  assert.ok(JSON.stringify(rows).length < 200_000, 'and take little room');
  const few = new DeviceRows();
  for (const span of spans.slice(0, 3).reverse()) few.add(span);
  assert.deepEqual([few.countWithin(1, 4), few.countWithin(5, 12), few.countWithin(13, 99)], [3, 6, 0]);
});
