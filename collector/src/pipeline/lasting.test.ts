/** How incidents of the pipeline last: over flapping, restarts, storms and quiet. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { AlertStore } from '../alerts/alert-store.js';
import { healthOf } from '../health.js';
import { AlertBench, pattern, temporaryFolder } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import { PipelineRig } from '../testing/pipeline-rig.js';

/** The same collector anew: what it has been told before its start is known, and nothing has come since. */
async function restarted(rig: PipelineRig, t: Parameters<typeof PipelineRig.open>[0], directory: string) {
  await rig.bench.kill();
  const { clock, all } = rig;
  const next = await PipelineRig.open(t, { directory, clock, gateways: all.length });
  await next.bench.engine.cursor();
  for (const [i, gateway] of next.all.entries()) {
    if (all[i]!.alive) continue;
    next.leave(gateway);
    next.fleet.get(gateway.id)!.pulse.heardMs = undefined;
  }
  return next;
}

test('a gateway that comes and goes for an hour is one incident and one mail, and a second one when it stays', async t => {
  const rig = await PipelineRig.open(t);
  await rig.run(180);
  for (let i = 0; i < 60; i++) {
    rig.leave(rig.first);
    await rig.run(30);
    Object.assign(rig.first, { alive: true, link: rig.first.link + 1 });
    rig.connect(rig.first);
    await rig.run(30);
  }
  assert.equal(rig.incidents().length, 1);
  assert.equal(rig.bench.mailIds().length, 1);
  assert.match(
    rig
      .incidents()[0]!
      .timeline.map(({ text }) => text)
      .join(' '),
    /Reopened: gateway gw-1/,
  );
  await rig.run(180);
  const ids = rig.bench.mailIds().map(id => id.replace(/^.*-/, ''));
  assert.deepEqual(ids.sort(), ['closed', 'opened']);
  rig.leave(rig.first);
  await rig.run(60);
  assert.equal(rig.incidents().length, 2, 'later it is another one');
});

test('after a restart the incident of many gateways stays until each of them has been heard', async t => {
  const directory = await temporaryFolder(t);
  const rig = await PipelineRig.open(t, { directory, gateways: 6 });
  await rig.run(180);
  for (const gateway of rig.all) rig.leave(gateway);
  await rig.run(60);
  const [before] = rig.incidents('open');
  assert.match(before!.title, /^6 of 6/);
  const next = await restarted(rig, t, directory);
  await next.run(300);
  assert.deepEqual(
    next.incidents('open').map(({ id }) => id),
    [before!.id],
  );
  for (const gateway of next.all) gateway.alive = true;
  await next.run(60);
  assert.deepEqual(next.incidents('open'), []);
});

test('after a restart a silent device stays told until it has been seen', async t => {
  const directory = await temporaryFolder(t);
  const rig = await PipelineRig.open(t, { directory });
  await rig.run(300);
  rig.first.devices = ['pump-1'];
  await rig.run(60);
  const [before] = rig.incidents('open');
  assert.equal(before?.source, 'channel-silent');
  const next = await restarted(rig, t, directory);
  next.first.devices = ['pump-1'];
  for (let read = 0; read < 3; read++) {
    next.live.add([next.first.tape.block([{ device: 'pump-2' }])], false); // back from the journal
    await next.run(5);
  }
  await next.run(300);
  assert.deepEqual(
    next.incidents('open').map(({ id }) => id),
    [before.id],
  );
  next.first.devices = ['pump-1', 'pump-2'];
  await next.run(30);
  assert.deepEqual(next.incidents('open'), []);
});

test('a gateway that is away for more than a week has been taken away; also if the collector has started meanwhile', async t => {
  const directory = await temporaryFolder(t);
  const hourMs = 3_600_000;
  const rig = await PipelineRig.open(t, { directory, health: { everyMs: hourMs } });
  await rig.run(180);
  rig.leave(rig.first);
  const hours = async (of: PipelineRig, count: number) => {
    for (let i = 0; i < count; i++) {
      await of.clock.advance(hourMs);
      await of.watch.look();
    }
  };
  await hours(rig, 7 * 24 - 1);
  assert.equal(rig.incidents('open').length, 1);
  const next = await restarted(rig, t, directory);
  await next.run(120);
  assert.equal(next.incidents('open').length, 1);
  await next.clock.advance(2 * hourMs);
  await next.run(120);
  assert.deepEqual(next.incidents('open'), []);
  assert.match(next.incidents()[0]!.timeline.at(-1)!.text, /taken away/);

  const other = await PipelineRig.open(t, { health: { everyMs: hourMs } });
  await other.run(180);
  other.leave(other.first);
  await hours(other, 7 * 24 + 3);
  assert.deepEqual(
    other.incidents().map(({ state, timeline }) => [state, /for a week/.test(timeline.at(-1)!.text)]),
    [['closed', true]],
  );
});

test('a storm of machines does not hold back that the broker is down', async t => {
  const rig = await PipelineRig.open(t);
  await rig.run(180);
  const devices = Array.from({ length: 25 }, (_, i) => `m-${i}`);
  const tape = new Tape({ seed: 1, devices });
  const flags = devices.flatMap(device => pattern(device, 'xxx'));
  await rig.bench.feed(tape.block(flags, { ingestedMs: rig.clock.now() }));
  assert.ok(rig.bench.mailIds().length < 25, 'it is a storm');
  rig.collector.broker = { ok: false, detail: 'no answer' };
  await rig.run(40);
  const [incident] = rig.incidents('open');
  assert.equal(incident?.source, 'broker-down');
  assert.ok(rig.bench.mailIds().includes(`${incident.id}-opened`));
});

test('one that outlasts its maintenance is mailed then', async t => {
  const directory = await temporaryFolder(t);
  const first = await AlertBench.open(t);
  const { clock } = first;
  const [fromMs, toMs] = [clock.now(), clock.now() + 600_000];
  const window = { name: 'works', gateways: ['gw-1'] };
  const times = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
  const rig = await PipelineRig.open(t, {
    directory,
    clock,
    alerts: { maintenance: [{ ...window, ...times }] },
  });
  await rig.run(180);
  rig.leave(rig.first);
  await rig.run(60);
  assert.equal(rig.incidents('open')[0]?.handling?.maintenance?.name, 'works');
  assert.deepEqual(rig.bench.mailIds(), []);
  await rig.run(400);
  await rig.bench.engine.tick(clock.now());
  assert.equal(rig.bench.mailIds().length, 1);
});

test('late rows that come in order are no burst', async t => {
  const rig = await PipelineRig.open(t);
  await rig.run(300);
  rig.first.alive = false;
  await rig.run(10);
  const fromMs = rig.clock.now() - 9_000;
  for (let block = 0; block < 18; block++) {
    const specs = Array.from({ length: 400 }, (_, i) => ({
      device: 'pump-1',
      timeMs: fromMs + 500 * block + i,
    }));
    rig.fleet.stored([{ ...rig.first.tape.block(specs), late: true }]);
    await rig.run(1);
  }
  assert.deepEqual(
    rig.incidents().map(({ source }) => source),
    [],
  );
});

test('while the store cannot be written, what is wrong is among the checks; it becomes an incident afterwards', async t => {
  const directory = await temporaryFolder(t);
  const store = new AlertStore({ directory: path.join(directory, 'store'), log: silentLogger });
  const commit = store.commit.bind(store);
  let isFull = false;
  store.commit = operations => (isFull ? Promise.reject(new Error('ENOSPC')) : commit(operations));
  const rig = await PipelineRig.open(t, { directory, store });
  await rig.run(180);
  isFull = true;
  rig.collector.failure = 'ENOSPC';
  await assert.rejects(rig.run(5), /ENOSPC/);
  const failing = () =>
    healthOf({
      ingest: { failure: rig.collector.failure },
      journal: { damage: [], losses: { all: () => [] } } as never,
      broker: { status: { ok: true, detail: '' } },
      followers: [],
      trainings: [],
      untold: rig.watch.untold,
      stopping: false,
      clock: rig.clock,
    }).checks.filter(({ ok }) => !ok);
  assert.deepEqual(
    failing().map(({ name }) => name),
    ['journal', 'pipeline:_collector:collector-journal'],
  );
  assert.match(failing()[1]!.detail, /takes nothing in.*no mail/);
  assert.deepEqual(rig.incidents(), []);
  isFull = false;
  await rig.run(5);
  assert.deepEqual(
    rig.incidents('open').map(({ source }) => source),
    ['collector-journal'],
  );
  assert.deepEqual(
    failing().map(({ name }) => name),
    ['journal'],
  );
});

test('a device that is off for as long twice is not missed the third time, but once it is off for longer', async t => {
  const rig = await PipelineRig.open(t);
  const cycle = async (seconds: number) => {
    rig.first.devices = ['pump-1', 'pump-2'];
    await rig.run(300);
    rig.first.devices = ['pump-1'];
    await rig.run(seconds);
    return rig.incidents().length;
  };
  const counts = [];
  for (let day = 0; day < 4; day++) counts.push(await cycle(900));
  assert.deepEqual(counts, [1, 2, 2, 2]);
  assert.equal(await cycle(1300), 3);
});

test('an outage of the gateway is no habit of its devices', async t => {
  const rig = await PipelineRig.open(t);
  for (let day = 0; day < 3; day++) {
    rig.first.alive = true;
    await rig.run(300);
    rig.first.alive = false;
    await rig.run(900);
  }
  rig.first.alive = true;
  await rig.run(3600);
  assert.deepEqual(rig.incidents('open'), []);
  rig.first.devices = ['pump-1'];
  await rig.run(400);
  assert.deepEqual(
    rig.incidents('open').map(({ source }) => source),
    ['channel-silent'],
  );
});
