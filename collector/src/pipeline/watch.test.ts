import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { mailFacts } from '../notifiers/facts.js';
import { temporaryFolder } from '../testing/alert-bench.js';
import { healthySink, PipelineRig, type RigOptions, readerLag } from '../testing/pipeline-rig.js';

/** Everything well for three minutes. */
async function settled(t: TestContext, options: RigOptions = {}, seconds = 180): Promise<PipelineRig> {
  const rig = await PipelineRig.open(t, options);
  await rig.run(seconds);
  assert.deepEqual(rig.incidents(), []);
  return rig;
}

/** The only one that is open. */
function only(rig: PipelineRig) {
  const [incident, ...others] = rig.incidents('open');
  assert.ok(incident, 'there is an incident');
  assert.deepEqual(others, []);
  return incident;
}

const hopOf = (rig: PipelineRig) => only(rig).diagnosis?.causes[0]?.component;

test('a killed gateway is silent within 30 s; mail, cause and end say what happened', async t => {
  const rig = await settled(t);
  rig.leave(rig.first);
  const seconds = await rig.untilFound(30);
  assert.ok(seconds !== undefined && seconds <= 25, `${seconds} s`);
  const incident = only(rig);
  assert.match(incident.title, /^gateway gw-1 is silent since \d\d:\d\d:\d\d$/);
  assert.equal(incident.severity, 'warning');
  assert.equal(hopOf(rig), 'gateway gw-1');
  assert.ok(incident.recommendations.length > 0);
  const facts = mailFacts({ kind: 'opened', incident }, undefined);
  assert.match(facts.lead, /^Gateway gw-1 is silent since/);
  assert.match(
    facts.happened.join(' '),
    /Nothing came for \d\d s; 2 devices affected\..*closed without a goodbye/,
  );
  assert.match(facts.verdict, /Most likely: Gateway gw-1 or its agent has stopped/);
  assert.equal(rig.bench.mailIds().length, 1);
  await rig.run(120);
  assert.equal(only(rig).id, incident.id);
  Object.assign(rig.first, { alive: true, epoch: '2-c3d4', link: 1 });
  rig.connect(rig.first);
  await rig.run(30);
  assert.deepEqual(rig.incidents('open'), []);
  assert.match(rig.incidents()[0]!.timeline.at(-1)!.text, /new start of its agent/);
  assert.equal(rig.bench.mailIds().length, 1, 'it may come back');
  await rig.run(120);
  assert.equal(rig.bench.mailIds().length, 2);
});

test('behind a partition the connection stands: the network is named, and the same run of the agent comes back', async t => {
  const rig = await settled(t);
  rig.first.alive = false;
  assert.ok((await rig.untilFound(30)) !== undefined);
  assert.equal(hopOf(rig), 'network to gateway gw-1');
  rig.first.alive = true;
  await rig.run(30);
  assert.match(rig.incidents()[0]!.timeline.at(-1)!.text, /same run of its agent/);
});

test('a gateway that said goodbye is no trouble, and is watched again once it is back', async t => {
  const rig = await settled(t);
  rig.leave(rig.first, true);
  await rig.run(300);
  assert.deepEqual(rig.incidents(), []);
  Object.assign(rig.first, { alive: true, epoch: '2-c3d4' });
  rig.connect(rig.first);
  await rig.run(60);
  assert.deepEqual(rig.incidents(), []);
  rig.leave(rig.first);
  assert.ok((await rig.untilFound(30)) !== undefined);
});

test('one that speaks every two minutes, and sends no reports, is judged by its own gaps', async t => {
  const rig = await PipelineRig.open(t, { reportMs: 0 });
  rig.first.rowsEveryMs = 120_000;
  await rig.run(3600);
  assert.deepEqual(rig.incidents(), []);
  rig.first.alive = false;
  await rig.run(300);
  assert.deepEqual(rig.incidents(), []);
  assert.ok((await rig.untilFound(120)) !== undefined);
});

test('one that was hardly known when it left raises nothing', async t => {
  const rig = await PipelineRig.open(t, { reportMs: 0 });
  await rig.run(8);
  rig.leave(rig.first);
  await rig.run(300);
  assert.deepEqual(rig.incidents(), []);
});

test('500 gateways that lose the network at once are one incident with the list, and one mail; it grows and ends', async t => {
  const rig = await settled(t, { gateways: 500 }, 60);
  for (const gateway of rig.all.slice(0, 400)) rig.leave(gateway);
  for (const gateway of rig.all.slice(400, 498)) gateway.alive = false;
  await rig.run(60);
  const incident = only(rig);
  assert.equal(rig.incidents().length, 1);
  assert.match(incident.title, /^498 of 500 gateways are silent$/);
  assert.equal(incident.affected?.length, 498);
  assert.equal(incident.severity, 'critical');
  assert.equal(hopOf(rig), 'network at collector hq');
  assert.equal(rig.bench.mailIds().length, 1);
  for (const gateway of rig.all) gateway.alive = true;
  await rig.run(60);
  assert.deepEqual(rig.incidents('open'), []);
  assert.equal(rig.incidents().length, 1);
});

test('gateways of one site are told as the site; of two that fail with it, one by one', async t => {
  const siteOf = (i: number) => (i < 8 ? 'north' : 'south');
  const rig = await settled(t, { gateways: 20, siteOf }, 60);
  for (const gateway of rig.all.slice(0, 8)) gateway.alive = false;
  await rig.run(40);
  const incident = only(rig);
  assert.equal(incident.title, '8 of 8 gateways of site north are silent');
  assert.equal(incident.site, 'north');
  assert.equal(hopOf(rig), 'network of site north');
  const other = await settled(t, { gateways: 20, siteOf }, 60);
  for (const gateway of other.all.slice(9, 11)) gateway.alive = false;
  await other.run(40);
  assert.deepEqual(
    other.incidents('open').map(({ device }) => device),
    ['gw-10', 'gw-11'],
  );
});

test('a gateway that stays away when the others come back is told by itself', async t => {
  const rig = await settled(t, { gateways: 10 }, 60);
  for (const gateway of rig.all) gateway.alive = false;
  await rig.run(40);
  assert.match(only(rig).title, /^10 of 10/);
  for (const gateway of rig.all.slice(1)) gateway.alive = true;
  await rig.run(100);
  assert.match(only(rig).title, /^gateway gw-1 is silent/);
});

test('while the broker is down that is told, and no gateway; they get time to come back', async t => {
  const rig = await settled(t, { gateways: 8 }, 60);
  Object.assign(rig.collector, { broker: { ok: false, detail: 'no answer' }, external: true });
  for (const gateway of rig.all) rig.leave(gateway);
  await rig.run(120);
  assert.match(only(rig).title, /cut off from its MQTT broker/);
  assert.equal(hopOf(rig), 'MQTT broker');
  rig.collector.broker = { ok: true, detail: 'connected' };
  await rig.run(40);
  for (const gateway of rig.all) gateway.alive = true;
  await rig.run(120);
  assert.deepEqual(rig.incidents('open'), []);
  assert.equal(rig.incidents().length, 1);
});

test('after a restart an open incident stays until its gateway is heard, and is not opened twice', async t => {
  const directory = await temporaryFolder(t);
  const rig = await settled(t, { directory });
  rig.leave(rig.first);
  await rig.untilFound(30);
  const { id } = only(rig);
  await rig.bench.kill();
  const second = await PipelineRig.open(t, { directory, clock: rig.clock });
  await second.bench.engine.cursor();
  second.leave(second.first);
  second.fleet.get('gw-1')!.pulse.heardMs = undefined; // it has only been read of
  await second.run(300);
  assert.equal(only(second).id, id);
  assert.equal(second.incidents().length, 1);
  second.first.alive = true;
  await second.run(30);
  assert.deepEqual(second.incidents('open'), []);
});

test('a device that no longer comes while others do, and a field, are told as channels of their gateway', async t => {
  const rig = await settled(t);
  rig.first.devices = ['pump-1'];
  const seconds = await rig.untilFound(40);
  assert.ok(seconds !== undefined && seconds <= 30, `${seconds} s`);
  assert.equal(only(rig).title, 'device pump-2 of gateway gw-1 is silent');
  rig.first.devices = ['pump-1', 'pump-2'];
  await rig.run(60);
  assert.deepEqual(rig.incidents('open'), []);
  rig.first.missing = ['flow'];
  await rig.untilFound(40);
  assert.equal(only(rig).title, '2 channels of gateway gw-1 are silent');
  assert.deepEqual(only(rig).affected, ['pump-1.flow', 'pump-2.flow']);
  await rig.run(300);
  assert.equal(rig.incidents('open').length, 1, 'it does not become usual');
});

test('a device that only sent for a minute is not missed', async t => {
  const rig = await settled(t);
  rig.first.devices = ['pump-1', 'pump-2', 'tried'];
  await rig.run(60);
  rig.first.devices = ['pump-1', 'pump-2'];
  await rig.run(300);
  assert.ok(rig.live.get('gw-1', 'tried'));
  assert.deepEqual(rig.incidents(), []);
});

test('a gateway that reports but sends no rows points to its sources', async t => {
  const rig = await settled(t);
  rig.first.rowsEveryMs = 0;
  await rig.untilFound(90);
  assert.equal(hopOf(rig), 'sources of gateway gw-1');
});

test('a dead sink and one that refuses us are told, each with its hop; a short failure is not', async t => {
  const rig = await settled(t);
  const failing = (
    code: 'EW_SINK_WRITE' | 'EW_SINK_DENIED',
    state: 'failing' | 'denied',
    sinceMs: number,
  ) => [{ ...healthySink, state, failure: { code, text: 'connect ECONNREFUSED', sinceMs, nextTryMs: null } }];
  rig.sinks = failing('EW_SINK_WRITE', 'failing', rig.clock.now());
  await rig.run(7);
  rig.sinks = [healthySink];
  await rig.run(30);
  assert.deepEqual(rig.incidents(), []);
  rig.sinks = failing('EW_SINK_WRITE', 'failing', rig.clock.now());
  const seconds = await rig.untilFound(30);
  assert.ok(seconds !== undefined && seconds <= 20, `${seconds} s`);
  assert.equal(hopOf(rig), 'sink influx');
  assert.match(only(rig).timeline[0]!.text, /ECONNREFUSED/);
  rig.sinks = [healthySink];
  await rig.run(60);
  rig.sinks = failing('EW_SINK_DENIED', 'denied', rig.clock.now());
  await rig.untilFound(10);
  assert.match(only(rig).diagnosis!.causes[0]!.cause, /refuses it/);
});

test('a lag that grows is told; a large one that shrinks is not; so for consumer groups', async t => {
  const rig = await settled(t);
  const lagging = (seconds: number) => ({ ...healthySink, lag: { blocks: 9, rows: 90, seconds, notes: 0 } });
  for (let lag = 600; lag > 300; lag -= 10) {
    rig.sinks = [lagging(lag)];
    await rig.run(5);
  }
  assert.deepEqual(rig.incidents(), []);
  rig.sinks = [lagging(0)];
  await rig.run(30);
  for (let lag = 0; lag <= 30; lag += 5) {
    rig.sinks = [lagging(lag)];
    await rig.run(5);
  }
  assert.equal(only(rig).title, 'sink influx falls behind');
  rig.sinks = [healthySink];
  await rig.run(60);
  for (let lag = 0; lag <= 30; lag += 5) {
    rig.sinks = [{ ...healthySink, readers: [readerLag(lag, lag * 10)] }];
    await rig.run(5);
  }
  assert.equal(hopOf(rig), 'consumer group spark-jobs');
});

test('a lag that grows steadily is told at half the limit; one that stood, or grows slowly, and a marker is not', async t => {
  const rig = await settled(t);
  const lagsBy = async (lags: readonly number[]) => {
    for (const lag of lags) {
      rig.sinks = [
        {
          ...healthySink,
          lag: { blocks: 9, rows: 90, seconds: lag, notes: 0 },
          readers: [readerLag(9 * lag, 1)],
        },
      ];
      await rig.run(5);
    }
  };
  await lagsBy([0, 0, 5, 10, 15, 0, 0, 0, 4, 8, 12, 0, 0]);
  await lagsBy([0, 1, 3, 5, 7, 9, 11, 13, 0, 0, 0, 0]);
  assert.deepEqual(rig.incidents(), []);
  await lagsBy([0, 0, 3, 6, 10, 13]);
  assert.equal(only(rig).title, 'sink influx falls behind');
});

test("a gateway's clock that is off is told, several at once are the collector's; so is its own jump", async t => {
  const rig = await settled(t, { gateways: 6 }, 60);
  rig.first.clockOffsetMs = -30_000;
  await rig.run(10);
  rig.first.clockOffsetMs = 0;
  await rig.run(30);
  assert.deepEqual(rig.incidents(), [], 'one report may be late');
  rig.first.clockOffsetMs = 60_000;
  const seconds = await rig.untilFound(30);
  assert.ok(seconds !== undefined && seconds <= 20, `${seconds} s`);
  assert.equal(hopOf(rig), 'clock of gateway gw-1');
  rig.first.clockOffsetMs = 0;
  await rig.run(60);
  for (const gateway of rig.all) gateway.clockOffsetMs = -20_000;
  await rig.run(40);
  assert.equal(hopOf(rig), 'clock of collector hq');
  for (const gateway of rig.all) gateway.clockOffsetMs = 0;
  await rig.run(60);
  assert.deepEqual(rig.incidents('open'), []);
  rig.clock.stepWall(-3_600_000);
  for (const gateway of rig.all) gateway.clockOffsetMs = 3_600_000;
  assert.ok((await rig.untilFound(6)) !== undefined);
  await rig.run(20);
  assert.match(only(rig).title, /^clock of collector hq jumped back by 60 min$/);
});

test('journal, disk, slow disk and a full queue name the collector', async t => {
  const rig = await settled(t);
  const hop = async (change: Partial<PipelineRig['collector']>) => {
    const before = { ...rig.collector };
    Object.assign(rig.collector, change);
    assert.ok((await rig.untilFound(30)) !== undefined, JSON.stringify(change));
    const found = [only(rig).source, hopOf(rig)];
    Object.assign(rig.collector, before);
    await rig.run(100);
    assert.deepEqual(rig.incidents('open'), []);
    return found;
  };
  assert.deepEqual(await hop({ failure: 'cannot be written: EIO' }), [
    'collector-journal',
    'journal disk of hq',
  ]);
  assert.deepEqual(await hop({ blocked: 'influx lags' }), ['collector-blocked', 'sink in receiptAfter']);
  assert.deepEqual(await hop({ freeBytes: 1e8 }), ['collector-disk', 'disk of hq']);
  assert.deepEqual(await hop({ ingestedMs: 2500 }), ['collector-disk-slow', 'journal disk of hq']);
  assert.deepEqual(await hop({ queuedBytes: 900_000 }), ['collector-overloaded', 'CPU of collector hq']);
});

test('a collector that stood still says so, and calls nobody silent', async t => {
  const rig = await settled(t, { gateways: 8 });
  await rig.clock.advance(120_000);
  await rig.watch.look();
  await rig.run(30);
  assert.equal(only(rig).source, 'collector-stood-still');
  await rig.run(120);
  assert.deepEqual(rig.incidents('open'), []);
  assert.equal(rig.incidents().length, 1);
});

test('a burst is told, and its gateway; a slow way and a full outbox are, too', async t => {
  const rig = await settled(t);
  rig.first.rowsPerBeat = 200;
  await rig.untilFound(30);
  assert.deepEqual([only(rig).source, only(rig).severity], ['gateway-burst', 'info']);
  rig.first.rowsPerBeat = 1;
  await rig.run(60);
  rig.first.sentMs = 15_000;
  await rig.untilFound(30);
  assert.equal(hopOf(rig), 'network to gateway gw-1');
  rig.first.sentMs = 20;
  await rig.run(60);
  rig.first.outboxShare = 0.9;
  await rig.untilFound(30);
  assert.equal(hopOf(rig), 'outbox of gateway gw-1');
});

test('a look gives a row of the collector, of each sink and of each gateway', async t => {
  const rig = await settled(t, { gateways: 2 });
  const devices = rig.watch.rows.all().map(({ device, schema }) => [device, schema.type]);
  assert.deepEqual(devices, [
    ['_collector', 'pipeline-collector'],
    ['_sink-influx', 'pipeline-sink'],
    ['gw-1', 'pipeline-gateway'],
    ['gw-2', 'pipeline-gateway'],
  ]);
  const { values } = rig.watch.rows.get('_pipeline', 'gw-1')!.last();
  assert.deepEqual([values.rows_a_minute, values.rows_per_second, values.online], [120, 2, 1]);
  assert.ok(Math.abs(values.event_delay_p99! - 0.035) < 1e-9);
});
