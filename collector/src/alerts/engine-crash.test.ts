/** Exactly once: whenever the process dies, and however the journal groups what it hands in again. */
import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { Delivery } from '@edgeward/shared/contracts';
import { EdgewardError, hasCode, isRetryable } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { seededRng } from '@edgeward/shared/rng';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { testSeed } from '@edgeward/shared/testing/seed';
import { AlertBench, forestFlag, pattern, temporaryFolder } from '../testing/alert-bench.js';
import { type RowSpec, Tape } from '../testing/deliveries.js';
import { AlertStore, type Operation } from './alert-store.js';

/**
 * Bursts of flags on three devices, with pauses that close, reopen and settle; some blocks come late. Every eighth
 * block is an alarm after a long pause, whatever the seed, so that no story is too quiet to prove anything.
 */
function story(seed: number, blocks: number): Delivery[] {
  const rng = seededRng(seed);
  const tape = new Tape({ seed, devices: ['pump-1', 'pump-2', 'pump-3'] });
  const trouble = new Set<string>();
  return Array.from({ length: blocks }, (_, i) => {
    const sure = i % 8 === 0 ? tape.devices[(i / 8) % tape.devices.length]! : undefined;
    if (sure) tape.skip(sure, 300_000);
    const rows: RowSpec[] = [];
    for (const device of tape.devices) {
      if (rng() < 0.15) trouble.add(device);
      if (rng() < 0.3) trouble.delete(device);
      if (rng() < 0.1) tape.skip(device, rng() * 200_000);
      for (let i = 0; i < 8; i++)
        rows.push(rowOf(device, device === sure || (trouble.has(device) && rng() < 0.7), rng));
    }
    return tape.block(rows, { late: rng() < 0.1 && !sure });
  });
}

function rowOf(device: string, flagged: boolean, rng: () => number): RowSpec {
  return flagged ? { device, flag: forestFlag(0.63 + 0.3 * rng()) } : { device };
}

/**
 * Everything that must not depend on crashes; mails' times do. Whether it takes a second mail to say critical depends
 * on how many rows came in together with those that opened the incident; that it is said does not.
 */
function outcome(bench: AlertBench) {
  const mails = bench.mails.list(1000);
  return {
    incidents: bench.engine.list(1000),
    mails: bench
      .mailIds()
      .filter(id => !id.endsWith('-critical'))
      .sort(),
    toldCritical: [
      ...new Set(
        mails.filter(({ subject }) => /critical/i.test(subject)).map(({ incidentId }) => incidentId),
      ),
    ].sort(),
  };
}

test('killed after any write, it ends with the same incidents and mails', { timeout: 60_000 }, async t => {
  const seed = testSeed('engine-crash');
  const rng = seededRng(seed);
  const deliveries = story(seed, 40);
  const folder = await temporaryFolder(t);
  const original = await AlertBench.open(t, { directory: folder });
  const copies: string[] = [];
  for (const [i, delivery] of deliveries.entries()) {
    await original.clock.advance(400);
    await original.feed(delivery);
    copies.push(path.join(folder, `killed-${i}`));
    await cp(path.join(folder, 'incidents'), path.join(folder, `killed-${i}`, 'incidents'), {
      recursive: true,
    });
    await cp(path.join(folder, 'incidents.json'), path.join(folder, `killed-${i}`, 'incidents.json'));
  }
  const expected = outcome(original);
  assert.ok(
    expected.incidents.length > 3 && expected.mails.length > 4,
    'too quiet a story to prove anything',
  );
  let behind = 0;
  for (const [i, directory] of copies.entries()) {
    const bench = await AlertBench.open(t, { directory });
    if (bench.position < i + 1) behind += 1;
    for (let at = bench.position; at < deliveries.length; ) {
      const group = 1 + Math.floor(rng() * 4);
      await bench.feed(...deliveries.slice(at, at + group));
      at += group;
    }
    assert.deepEqual(outcome(bench), expected, `seed ${seed}, killed after ${i + 1}`);
    await bench.kill();
  }
  assert.ok(behind > 0, 'the cursor never lagged: nothing was ever looked at twice');
});

test('redelivered rows change nothing, from the same journal or another', async t => {
  const deliveries = story(21, 30);
  const bench = await AlertBench.open(t);
  await bench.feed(...deliveries);
  const before = outcome(bench);
  await bench.feed(...deliveries.slice(10, 20));
  await bench.feed(...deliveries.slice(20).map((delivery, i) => ({ ...delivery, position: 1000 + i })));
  assert.deepEqual(outcome(bench), before);
});

test('a clean end saves everything', async t => {
  const directory = await temporaryFolder(t);
  const deliveries = story(22, 30);
  const clock = new FakeClock();
  const first = await AlertBench.open(t, { directory, clock });
  for (const delivery of deliveries) await first.feed(delivery);
  const before = outcome(first);
  await first[Symbol.asyncDispose]();
  const second = await AlertBench.open(t, { directory, clock });
  assert.equal(second.position, 30);
  assert.deepEqual(outcome(second), before);
});

class FailingStore extends AlertStore {
  failing = false;
  commits = 0;

  override commit(operations: readonly Operation[]): Promise<void> {
    if (this.failing) return Promise.reject(new EdgewardError('EW_STORE_WRITE', 'disk full'));
    this.commits += 1;
    return super.commit(operations);
  }
}

test('a failed commit changes nothing that anybody sees, and the next try makes it good', async t => {
  const directory = await temporaryFolder(t);
  const store = new FailingStore({ directory: path.join(directory, 'incidents'), log: silentLogger });
  const bench = await AlertBench.open(t, { store });
  const told: string[] = [];
  bench.engine.onChange(incident => told.push(incident.state));
  const alarm = new Tape({ seed: 23, devices: ['pump-1'] }).block(pattern('pump-1', 'xxx'));
  store.failing = true;
  await assert.rejects(bench.feed(alarm), error => hasCode(error, 'EW_STORE_WRITE') && isRetryable(error));
  assert.deepEqual([bench.engine.list(10).length, bench.mailIds().length, told.length], [0, 0, 0]);
  store.failing = false;
  await bench.feed(alarm);
  assert.deepEqual([bench.engine.list(10).length, bench.mailIds().length], [1, 1]);
  assert.deepEqual(told, ['open']);
});

test('quiet rows cost one commit a second, an alarm one at once', async t => {
  const directory = await temporaryFolder(t);
  const store = new FailingStore({ directory: path.join(directory, 'incidents'), log: silentLogger });
  const bench = await AlertBench.open(t, { store });
  const tape = new Tape({ seed: 24, devices: ['pump-1'] });
  for (let i = 0; i < 50; i++) {
    await bench.clock.advance(100);
    await bench.feed(tape.next(1));
  }
  assert.equal(store.commits, 5);
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  assert.equal(store.commits, 6);
});
