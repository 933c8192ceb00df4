/** What the ledger says of rows that are stored, on their way, lost with a reason, or gone without one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import type { AgentReport, DeviceReport } from '@edgeward/shared/contracts';
import { Gateways } from './gateways.js';
import { Received, ReceivedEpoch } from './journal/received.js';
import { epochOf } from './journal/testing/blocks.js';
import { ledgerView } from './ledger.js';

const none = { rejected: 0, thinned: 0, dropped: 0, damaged: 0, held: [] as DeviceReport['held'] };

function reportOf(start: number, ...devices: DeviceReport[]): AgentReport {
  return {
    gateway: 'gw-1',
    epoch: epochOf(start),
    atMs: 5,
    version: '0',
    devices,
    condensedThrough: 0,
    outbox: { id: 'o', blocks: 0, bytes: 0, maxBytes: 1, oldestMs: null, durability: 'deferred' },
    process: { pid: 1, rssBytes: 1, cpuSeconds: 1 },
    models: {},
  };
}

type Rows = readonly [start: number, device: string, first: number, last: number];

function view(stored: readonly Rows[], report?: AgentReport) {
  const received = new Received();
  for (const [start, device, first, last] of stored) {
    const epoch = received.get('gw-1', epochOf(start)) ?? new ReceivedEpoch();
    epoch.addRows(device, first, last);
    received.set('gw-1', epochOf(start), epoch);
  }
  return ledgerView(received, new Gateways(systemClock, report ? [report] : []));
}

test('balances when every row is stored, held, or lost with a reason, over several starts', () => {
  const said: DeviceReport = {
    device: 'a',
    read: 100,
    rejected: 1,
    thinned: 2,
    dropped: 3,
    damaged: 4,
    held: [
      { epoch: epochOf(1), from: 31, through: 40, count: 10 },
      { epoch: epochOf(3), from: 1, through: 50, count: 50 },
    ],
    rows: [
      { epoch: epochOf(1), ranges: [[1, 40]] },
      { epoch: epochOf(3), ranges: [[1, 50]] },
    ],
  };
  const { balanced, devices } = view(
    [
      [1, 'a', 1, 32],
      [2, 'a', 1, 0], // a start that sent nothing of it
      [3, 'a', 11, 20],
    ],
    reportOf(3, said),
  );
  const [row] = devices;
  assert.deepEqual([row?.stored, row?.inFlight], [42, 48]);
  assert.equal(balanced, true);
  assert.equal(row?.asOfMs, 5);
});

test('a row that is neither stored nor held is missed, on the very device, and none is made up for it', () => {
  const device = (name: string) => ({
    ...none,
    device: name,
    read: 10,
    rows: [{ epoch: epochOf(1), ranges: [[1, 10]] as const }],
  });
  const { balanced, devices, gateways } = view(
    [
      [1, 'a', 1, 10],
      [1, 'b', 1, 4],
      [1, 'b', 6, 10],
    ],
    reportOf(1, device('a'), device('b')),
  );
  assert.equal(balanced, false);
  assert.deepEqual(
    devices.map(({ device, stored, inFlight, balanced }) => [device, stored, inFlight, balanced]),
    [
      ['a', 10, 0, true],
      ['b', 9, 0, false],
    ],
  );
  assert.deepEqual([gateways[0]?.read, gateways[0]?.stored, gateways[0]?.balanced], [20, 19, false]);
});

test('a row that is stored and also called lost is one too many', () => {
  const said = {
    ...none,
    device: 'a',
    read: 10,
    dropped: 1,
    rows: [{ epoch: epochOf(1), ranges: [[1, 10]] as const }],
  };
  assert.equal(view([[1, 'a', 1, 10]], reportOf(1, said)).balanced, false);
});

test('what came after the report is left for the next one, within its start and after it', () => {
  const said = { ...none, device: 'a', read: 10, rows: [{ epoch: epochOf(1), ranges: [[1, 10]] as const }] };
  const { balanced, devices } = view(
    [
      [1, 'a', 1, 25],
      [2, 'a', 1, 7],
      [1, 'new', 1, 3],
    ],
    reportOf(1, said),
  );
  assert.equal(balanced, true);
  assert.deepEqual(
    devices.map(({ device, stored }) => [device, stored]),
    [
      ['a', 10],
      ['new', 0],
    ],
  );
});

test('rows of an earlier start that the agent never spoke of were read and stored', () => {
  const { balanced, devices } = view([[1, 'ghost', 1, 3]], reportOf(2));
  assert.equal(balanced, true);
  assert.deepEqual([devices[0]?.read, devices[0]?.stored], [3, 3]);
  assert.equal(view([[1, 'a', 1, 3]]).balanced, false, 'but nothing balances before the first report');
});
