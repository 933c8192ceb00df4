import assert from 'node:assert/strict';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Delivery, Field } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { AlertStore } from '../alerts/alert-store.js';
import { aReport } from '../testing/a-report.js';
import { afterwards, temporaryFolder } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import { ChangeLog } from './change-log.js';

const startMs = Date.UTC(2026, 0, 1);
const [first, second, third] = [1, 2, 3].map(n => `00000000${n}-00000000000000aa`) as [
  string,
  string,
  string,
];
const config = { sources: '11111111', rules: '22222222' };

async function opened(t: TestContext, folder?: string) {
  const directory = path.join(folder ?? (await temporaryFolder(t)), 'alerts');
  const store = new AlertStore({ directory, log: silentLogger });
  afterwards(t, () => store[Symbol.asyncDispose]());
  return { store, changes: await ChangeLog.open(store, silentLogger) };
}

const told = (changes: ChangeLog, gateway = 'gw-1') =>
  changes.of(gateway).map(({ kind, atMs, what }) => `${kind} ${(atMs - startMs) / 1000} ${what}`.trim());

test('what a gateway is like at first is no change; each later one is, once, when that run began', async t => {
  const { changes } = await opened(t);
  const begun = aReport({ epoch: first, configuration: config, models: { pump: 'pump-5' } });
  changes.report(begun);
  changes.report({ ...begun, atMs: startMs + 10_000 });
  assert.deepEqual(told(changes), []);
  const next = { ...begun, epoch: second, configuration: { ...config, sources: '33333333', uplink: '4' } };
  changes.report({ ...next, atMs: startMs + 70_000, startedMs: startMs + 60_000 });
  changes.report({ ...next, atMs: startMs + 80_000, startedMs: startMs + 60_002 });
  assert.deepEqual(told(changes), ['configuration 60 sources, uplink']);
  changes.report({ ...next, atMs: startMs + 90_000, models: { pump: 'pump-6' } });
  changes.report({ ...next, epoch: third, atMs: startMs + 99_000, version: '1.3.0', models: {} });
  assert.deepEqual(told(changes).slice(1), [
    'model 90 pump-5 to pump-6',
    'agent 99 1.2.3 to 1.3.0',
    'model 99 pump-6 to none',
  ]);
});

test('a new run without any other change is a restart; a start that lies ahead of its report counts from that', async t => {
  const { changes } = await opened(t);
  changes.report(aReport({ epoch: first }));
  changes.report(aReport({ epoch: second, atMs: startMs + 20_000, startedMs: startMs + 9e9 }));
  assert.deepEqual(told(changes), ['restart 20']);
});

test('an older agent tells no configuration: its first word of it is no change', async t => {
  const { changes } = await opened(t);
  changes.report(aReport({ epoch: first }));
  changes.report(aReport({ epoch: second, configuration: config, atMs: startMs + 5000 }));
  assert.deepEqual(told(changes), ['restart 5']);
});

test('what was stored is there after a start, with a change that came while nobody looked, and none twice', async t => {
  const folder = await temporaryFolder(t);
  const { store, changes } = await opened(t, folder);
  const report = aReport({ epoch: first, configuration: config });
  changes.report(report);
  changes.report({ ...report, models: { pump: 'a' }, atMs: startMs + 1000 });
  await changes.save();
  await store[Symbol.asyncDispose]();
  const again = await opened(t, folder);
  again.changes.report({ ...report, models: { pump: 'a' }, atMs: startMs + 2000 });
  assert.deepEqual(told(again.changes), ['model 1 none to a']);
  const other = { ...report, models: { pump: 'a' }, epoch: second, configuration: { ...config, rules: '9' } };
  again.changes.report({ ...other, atMs: startMs + 9000, startedMs: startMs + 8000 });
  assert.deepEqual(told(again.changes), ['model 1 none to a', 'configuration 8 rules']);
});

test('what could not be stored is stored with the next try', async t => {
  const folder = await temporaryFolder(t);
  const { store, changes } = await opened(t, folder);
  changes.report(aReport({ epoch: first }));
  const commit = store.commit.bind(store);
  store.commit = () => Promise.reject(new Error('made to fail'));
  await changes.save();
  store.commit = commit;
  changes.report(aReport({ epoch: second, atMs: startMs + 4000 }));
  await changes.save();
  await store[Symbol.asyncDispose]();
  assert.deepEqual(told((await opened(t, folder)).changes), ['restart 4']);
});

test('what comes while it is being stored is stored with the next save', async t => {
  const folder = await temporaryFolder(t);
  const { store, changes } = await opened(t, folder);
  changes.report(aReport({ epoch: first }));
  const saving = changes.save();
  changes.report(aReport({ epoch: second, atMs: startMs + 4000 }));
  await saving;
  await changes.save();
  await store[Symbol.asyncDispose]();
  assert.deepEqual(told((await opened(t, folder)).changes), ['restart 4']);
});

test('only the last ones of each kind are kept, so that one that comes often crowds out no other', async t => {
  const { changes } = await opened(t);
  const report = aReport({ epoch: first, configuration: config });
  changes.report(report);
  changes.report({ ...report, configuration: { ...config, rules: 'x' } });
  for (let i = 0; i < 500; i++)
    changes.report({ ...report, configuration: { ...config, rules: 'x' }, models: { pump: `m-${i}` } });
  assert.ok(changes.of('gw-1').length <= 20);
  assert.equal(told(changes)[0], 'configuration 0 rules');
  assert.match(told(changes).at(-1)!, /m-498 to m-499/);
});

const newest = (changes: ChangeLog) => told(changes).map(one => one.replace(/^\S+ \S+ /, ''));

const pressure: Field = { name: 'pressure', kind: 'float', unit: 'bar' };
const flow: Field = { name: 'flow', kind: 'float', unit: 'm3/h' };

/** The next block of a gateway whose devices have these fields. */
function blocks(devices = ['pump-1', 'pump-2']) {
  const tape = new Tape({ seed: 1, devices });
  return (fields: readonly Field[], late = false): Delivery => {
    const delivery = tape.block(
      devices.map(device => ({ device })),
      { late },
    );
    const schema = { ...delivery.batch.schema, type: 'pump', fields };
    return { ...delivery, batch: { ...delivery.batch, schema } };
  };
}

test('fields that appear or have another unit are a change of their devices, from its first row on', async t => {
  const { changes } = await opened(t);
  const next = blocks();
  const [before, after] = [
    next([pressure, flow]),
    next([
      { ...pressure, unit: 'kPa' },
      { ...flow, name: 'level' },
    ]),
  ];
  changes.rows([before, next([pressure, flow]), after]);
  assert.deepEqual(changes.of('gw-1'), [
    {
      kind: 'schema',
      atMs: after.batch.time[0],
      deviceType: 'pump',
      devices: ['pump-1', 'pump-2'],
      what: 'pressure in kPa instead of bar, level is new',
    },
  ]);
  changes.rows([before, after]);
  assert.deepEqual(
    newest(changes).slice(1),
    ['pressure in bar instead of kPa', 'pressure in kPa instead of bar'],
    'units that go back are a change; the fields are known',
  );
});

test('late rows, limits, and a second source of the same type are no change', async t => {
  const { changes } = await opened(t);
  const [one, other] = [blocks(['pump-1']), blocks(['pump-9'])];
  changes.rows([one([pressure]), other([flow]), one([pressure]), other([flow])]);
  changes.rows([one([{ ...pressure, max: 20 }]), one([flow], true)]);
  assert.deepEqual(told(changes), []);
});

test('fields that come and go by turns are told once; units that do, each way', async t => {
  const { changes } = await opened(t);
  const next = blocks();
  for (let i = 0; i < 30; i++) changes.rows([next([pressure]), next([flow])]);
  assert.deepEqual(newest(changes), ['flow is new']);
  for (let i = 0; i < 30; i++) changes.rows([next([{ ...flow, unit: 'l/s' }]), next([flow])]);
  assert.deepEqual(newest(changes).slice(1), ['flow in l/s instead of m3/h', 'flow in m3/h instead of l/s']);
});

test('a source that learns its fields anew at each start has changed none; a field never seen is new', async t => {
  const { changes } = await opened(t);
  const next = blocks();
  const level = { ...flow, name: 'level' };
  const run = () => [next([pressure]), next([pressure, flow]), next([pressure, flow, level])];
  changes.rows([next([pressure, flow, level])]);
  for (let start = 0; start < 5; start++) changes.rows(run());
  assert.deepEqual(told(changes), []);
  changes.rows([...run(), next([pressure, { ...flow, name: 'speed' }])]);
  assert.deepEqual(newest(changes), ['speed is new']);
});

test('of a device that invents fields only some are remembered', async t => {
  const { changes } = await opened(t);
  const next = blocks();
  const named = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ ...flow, name: `f${from + i}` }));
  changes.rows([next(named(0, 200)), next(named(200, 200)), next(named(200, 200))]);
  changes.rows([next(named(0, 1))]);
  assert.equal(newest(changes).at(-1), 'f0 is new', 'forgotten');
  changes.rows([next(named(1000, 1000)), next(named(1500, 1))]);
  assert.match(newest(changes).at(-1)!, /^f1000 is new.* and 994 more$/, 'all of a large one are known');
});

test('what says nothing new is not stored again', async t => {
  const { store, changes } = await opened(t);
  const next = blocks();
  let commits = 0;
  const commit = store.commit.bind(store);
  store.commit = (...those) => {
    commits += 1;
    return commit(...those);
  };
  for (let i = 0; i < 20; i++) {
    changes.rows([next([pressure]), next([{ ...pressure, unit: 'kPa' }])]);
    await changes.save();
  }
  assert.equal(commits, 2);
});

test('of a change of many devices only the type is named', async t => {
  const { changes } = await opened(t);
  const next = blocks(Array.from({ length: 500 }, (_, i) => `pump-${i}`));
  changes.rows([next([pressure]), next([pressure, flow])]);
  const [found, ...more] = changes.of('gw-1');
  assert.deepEqual([found?.what, found?.devices, more.length], ['flow is new', undefined, 0]);
});
