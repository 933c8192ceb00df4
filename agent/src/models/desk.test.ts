import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { type Assignment, bundleIdOf, type ShadowPolicy } from '@edgeward/shared/models/manifest';
import { pino } from 'pino';
import { until } from '../outbox/testing/outboxes.js';
import { ModelStore } from './store.js';
import { DeskBench } from './testing/desk-bench.js';
import { type Made, makeBundle } from './testing/real-bundle.js';

const limit = { timeout: 30_000 };
let bundles: string;
let first: Made;
let second: Made;
let press: Made;
before(async () => {
  bundles = await mkdtemp(path.join(tmpdir(), 'edgeward-bundles-'));
  first = await makeBundle(bundles, 1);
  second = await makeBundle(bundles, 2);
  press = await makeBundle(bundles, 3, {}, 'press');
});
after(() => rm(bundles, { recursive: true, force: true }));

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-desk-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const policy: ShadowPolicy = {
  rows: 300,
  hours: 0,
  maxAlarmsPerDay: 1e6,
  minReproduced: 0,
  rollbackFactor: 1,
  rollbackHours: 1,
};
let orders = 0;
function orderFor({ manifest }: Made, shadow?: ShadowPolicy): Assignment {
  orders += 1;
  const order = orders.toString(16).padStart(16, '0');
  return { order, type: manifest.type, manifest, ...(shadow && { shadow }) };
}

/** With the first model in use, by order of the collector. */
async function running(t: TestContext): Promise<{ bench: DeskBench; folder: string }> {
  const folder = await folderFor(t);
  const bench = await DeskBench.open({ folder });
  bench.serves = [first, second];
  await bench.feed(0, 50);
  bench.announce(orderFor(first));
  await bench.untilSaid('machine', 'active');
  return { bench, folder };
}

/** From now on the state of this type cannot be written, as on a full disk. @returns makes it so again */
async function spoilState(folder: string): Promise<() => Promise<void>> {
  const inTheWay = path.join(folder, 'machine', 'state.json.tmp');
  await mkdir(inTheWay);
  return () => rm(inTheWay, { recursive: true });
}

const hasTrial = (folder: string) => existsSync(path.join(folder, 'machine', 'trial.json'));

/** What a process leaves behind that ends in the midst of it. */
async function endWhileOpening(folder: string, { manifest }: Made): Promise<void> {
  const store = await ModelStore.open(folder, silentLogger);
  await new Promise<void>(begun => {
    const never = () => {
      begun();
      return new Promise<never>(() => undefined);
    };
    void store.opening(manifest.type, bundleIdOf(manifest), never);
  });
}

test(
  'a fetch that waits holds up neither a promotion nor a rollback nor what needs no fetch',
  limit,
  async t => {
    const { bench } = await running(t);
    await using _ = bench;
    const [shadow, other] = [orderFor(second, policy), orderFor(press)];
    bench.announce(shadow);
    await bench.untilSaid('machine', 'shadow');
    await bench.feed(0, 50, 'press');
    bench.announce(shadow, other);
    const waits = (times: number) =>
      until(() => bench.asks.filter(({ bundle }) => bundle === bench.asks.at(-1)!.bundle).length >= times);
    await bench.untilSaid('press', 'fetching');
    await waits(1);
    await bench.feed(50, 500);
    await bench.untilSaid('machine', 'active');
    await bench.feed(500, 3000);
    await bench.untilSaid('machine', 'rolled-back');
    assert.deepEqual(bench.scorer.revisions, { machine: first.manifest.revision });
    const configured = { ...orderFor(first), manifest: null };
    bench.announce(configured, other);
    await bench.untilSaid('machine', 'active');
    assert.deepEqual(bench.scorer.revisions, {});
    bench.serves = [press];
    bench.skewMs = 60_000;
    await bench.untilSaid('press', 'active');
  },
);

test(
  'a promotion that cannot be kept is made up for later: the trial neither ends nor begins anew',
  limit,
  async t => {
    const { bench, folder } = await running(t);
    const order = orderFor(second, policy);
    {
      await using _ = bench;
      bench.announce(order);
      await bench.untilSaid('machine', 'shadow');
      const mend = await spoilState(folder);
      await bench.feed(50, 500);
      assert.match((await bench.untilSaid('machine', 'waiting')).text!, /EISDIR|EEXIST/);
      assert.deepEqual(bench.scorer.revisions, { machine: first.manifest.revision });
      assert.ok(bench.said('machine')!.shadow!.rows >= 300, 'it goes on');
      await mend();
    }
    const asked = bench.asks.length;
    await using again = await DeskBench.open({ folder });
    again.announce(order);
    await again.feed(500, 510);
    await again.untilSaid('machine', 'active');
    assert.deepEqual([again.asks.length, asked > 0], [0, true]);
    assert.ok(hasTrial(folder), 'and is watched from now on, also over a restart');
  },
);

test('a candidate whose refusal cannot be kept is refused again by what it had counted', limit, async t => {
  const { bench, folder } = await running(t);
  const order = orderFor(second, { ...policy, maxAlarmsPerDay: 0, rows: 2000 });
  {
    await using _ = bench;
    bench.announce(order);
    await bench.untilSaid('machine', 'shadow');
    const mend = await spoilState(folder);
    await bench.feed(50, 2400);
    assert.equal((await bench.untilSaid('machine', 'refused')).code, 'EW_MODEL_ALARMS');
    await mend();
  }
  await using again = await DeskBench.open({ folder });
  again.announce(order);
  await again.feed(2400, 2410);
  assert.equal((await again.untilSaid('machine', 'refused')).code, 'EW_MODEL_ALARMS');
  await until(() => !hasTrial(folder));
});

test('a rollback that cannot be kept is done, and done again after a restart', limit, async t => {
  const { bench, folder } = await running(t);
  const order = orderFor(second, policy);
  {
    await using _ = bench;
    bench.announce(order);
    await bench.untilSaid('machine', 'shadow');
    await bench.feed(50, 500);
    await bench.untilSaid('machine', 'active');
    const mend = await spoilState(folder);
    await bench.feed(500, 3000);
    await bench.untilSaid('machine', 'rolled-back');
    assert.deepEqual(bench.scorer.revisions, { machine: first.manifest.revision });
    await mend();
  }
  await using again = await DeskBench.open({ folder });
  await until(() => again.scorer.revisions.machine === first.manifest.revision);
  again.announce(order);
  await again.untilSaid('machine', 'rolled-back');
});

test('a candidate that fails at rows is refused with the reason', limit, async t => {
  const { bench } = await running(t);
  await using _ = bench;
  const observe = bench.scorer.observe.bind(bench.scorer);
  const take = () => Promise.reject(new Error('no memory for it'));
  bench.scorer.observe = (type, _observer, onFailure) => observe(type, { take }, onFailure);
  bench.announce(orderFor(second, policy));
  await bench.untilSaid('machine', 'shadow');
  await bench.feed(50, 60);
  const { code, text } = await bench.untilSaid('machine', 'refused');
  assert.equal(code, 'EW_MODEL_ALARMS');
  assert.match(text!, /It failed at rows that it was to score: no memory for it/);
  assert.deepEqual(bench.scorer.revisions, { machine: first.manifest.revision });
});

test('on a full disk a bundle is fetched ever more seldom, and that is told once', limit, async t => {
  let tries = 0;
  const warnings: string[] = [];
  const log = pino({ level: 'warn' }, { write: line => void warnings.push(JSON.parse(line).msg) });
  const receive = async () => {
    tries += 1;
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  await using bench = await DeskBench.open({ folder: await folderFor(t), log, receive });
  await bench.feed(0, 50);
  bench.announce(orderFor(first));
  for (let minute = 1; minute <= 120; minute++) {
    bench.skewMs = minute * 60_000;
    bench.again();
    await until(() => bench.desk.idle);
  }
  assert.equal(bench.said('machine')?.state, 'waiting');
  assert.ok(tries >= 3 && tries <= 12, `${tries} tries in two hours`);
  assert.equal(warnings.filter(text => /could not be brought in/.test(text)).length, 1);
});

test(
  'a bundle at whose opening the process ends twice is set aside; the one before goes on',
  limit,
  async t => {
    const { bench, folder } = await running(t);
    const order = orderFor(second);
    {
      await using _ = bench;
      bench.announce(order);
      await until(() => bench.scorer.revisions.machine === second.manifest.revision);
    }
    await endWhileOpening(folder, second);
    {
      await using once = await DeskBench.open({ folder });
      assert.deepEqual(
        once.scorer.revisions,
        { machine: second.manifest.revision },
        'it may have been a power cut',
      );
    }
    await endWhileOpening(folder, second);
    await endWhileOpening(folder, second);
    await using again = await DeskBench.open({ folder });
    assert.deepEqual(again.scorer.revisions, { machine: first.manifest.revision });
    assert.match(again.events[0]!.text, /the one before it goes on/);
    again.serves = [first, second];
    again.announce(order);
    await again.feed(0, 50);
    assert.match((await again.untilSaid('machine', 'rolled-back')).text!, /ended 2 times while it opened it/);
    // The operator wants it all the same.
    const anew = orderFor(second);
    again.announce(anew);
    await until(
      () => again.said('machine')?.order === anew.order && again.said('machine')?.state === 'active',
    );
  },
);

test('a candidate at whose opening the process ends twice is refused', limit, async t => {
  const { bench, folder } = await running(t);
  const order = orderFor(second, { ...policy, rows: 1e6 });
  {
    await using _ = bench;
    bench.announce(order);
    await bench.untilSaid('machine', 'shadow');
  }
  await endWhileOpening(folder, second);
  await endWhileOpening(folder, second);
  await using again = await DeskBench.open({ folder });
  again.announce(order);
  await again.feed(0, 50);
  assert.match((await again.untilSaid('machine', 'refused')).text!, /ended 2 times while it opened it/);
  assert.deepEqual(again.scorer.revisions, { machine: first.manifest.revision });
});
