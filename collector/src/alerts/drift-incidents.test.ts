import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { DeviceDrift, DriftingChannel } from '@edgeward/shared/contracts';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { Gateways } from '../gateways.js';
import type { GatewayReport } from '../report.js';
import { AlertBench, pattern, temporaryFolder } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import type { DriftReport } from './drift-incidents.js';
import { DriftReports } from './drift-reports.js';

const sinceMs = Date.parse('2026-03-01T06:00:00Z');
const pressure: DriftingChannel = {
  field: 'discharge_pressure',
  share: 0.8,
  expected: [3.9, 5.1],
  median: 5.4,
  sinceMs,
};
const score: DriftingChannel = { field: null, share: 0.6, expected: [0, 0.52], median: 0.5, sinceMs };

function drifting(...channels: DriftingChannel[]): DeviceDrift {
  return { type: 'pump', revision: 'a1b2c3d4e5f6', device: 'pump-1', channels };
}

function report(minute: number, drifts?: readonly DeviceDrift[], revision = 'a1b2c3d4e5f6'): DriftReport {
  const atMs = sinceMs + 3 * 3_600_000 + minute * 60_000;
  return { gateway: 'edge-1', atMs, models: { pump: revision }, ...(drifts && { drifts }) };
}

const opened = async (t: TestContext) => {
  const bench = await AlertBench.open(t);
  await bench.engine.drifts(report(0, [drifting(pressure)]));
  return bench;
};

test('a reported drift opens one warning with channel, range, median and advice, and mails it once', async t => {
  const bench = await opened(t);
  for (let minute = 1; minute < 5; minute++) await bench.engine.drifts(report(minute, [drifting(pressure)]));
  const [incident, ...others] = bench.engine.list(10);
  assert.equal(others.length, 0);
  assert.deepEqual(
    [incident!.state, incident!.severity, incident!.detector, incident!.model, incident!.site],
    ['open', 'warning', 'drift', 'a1b2c3d4e5f6', 'north'],
  );
  assert.equal(incident!.title, 'pump-1: drift of discharge_pressure, its model is out of date');
  assert.equal(incident!.firstMs, sinceMs);
  const [{ field, value, expected, direction } = assert.fail('no channel')] = incident!.channels;
  assert.deepEqual([field, value, expected, direction], ['discharge_pressure', 5.4, [3.9, 5.1], 'high']);
  assert.match(incident!.timeline[0]!.text, /80 % of discharge_pressure outside of its usual 3\.9 to 5\.1/);
  const advice = incident!.recommendations.join('\n');
  assert.match(advice, /Check the sensor/);
  assert.match(advice, /`edgeward train`/);
  assert.doesNotMatch(advice, /valve|pump/, 'nothing about the machine');
  assert.equal(bench.mailIds().length, 1);
});

test('another channel joins it; it closes, and is mailed so, when the gateway tells it no more', async t => {
  const bench = await opened(t);
  await bench.engine.drifts(report(60, [drifting(pressure, score)]));
  assert.equal(
    bench.engine.list(10)[0]!.title,
    'pump-1: drift of discharge_pressure, score, its model is out of date',
  );
  await bench.engine.drifts(report(61, []));
  const [incident, ...others] = bench.engine.list(10);
  assert.equal(others.length, 0);
  assert.deepEqual([incident!.state, incident!.closedMs], ['closed', report(61).atMs]);
  assert.match(incident!.timeline.at(-1)!.text, /as it was in training again/);
  assert.equal(bench.mailIds().length, 2);
  await bench.engine.drifts(report(62, []));
  assert.equal(bench.engine.counts().open, 0);
});

test('it closes when another revision is in use, though drift of the former one be told still', async t => {
  const bench = await opened(t);
  await bench.engine.drifts(report(5, [drifting(pressure)], 'ffffffffffff'));
  const [incident, ...others] = bench.engine.list(10);
  assert.equal(others.length, 0);
  assert.equal(incident!.state, 'closed');
  assert.match(incident!.timeline.at(-1)!.text, /a1b2c3d4e5f6 is no longer in use, ffffffffffff is/);
});

test('a gateway that says nothing of drift, and another one, leave it open', async t => {
  const bench = await opened(t);
  await bench.engine.drifts(report(5));
  await bench.engine.drifts({ ...report(6, []), gateway: 'edge-2' });
  assert.equal(bench.engine.counts().open, 1);
});

test('neither alarms of the device nor a restart touch it, and it is not opened twice', async t => {
  const directory = await temporaryFolder(t);
  const first = await AlertBench.open(t, { directory });
  await first.engine.drifts(report(0, [drifting(pressure)]));
  await first.feed(new Tape({ seed: 1, devices: ['pump-1'] }).block(pattern('pump-1', 'xxx.')));
  assert.deepEqual(
    first.engine
      .list(10)
      .map(({ detector }) => detector)
      .sort(),
    ['drift', 'forest'],
  );
  await first.kill();
  const second = await AlertBench.open(t, { directory });
  await second.engine.drifts(report(1, [drifting(pressure)]));
  assert.equal(second.engine.counts().open, 2);
  await second.engine.drifts(report(2, []));
  assert.deepEqual(
    second.engine.list(10).flatMap(({ state, detector }) => (state === 'open' ? detector : [])),
    ['forest'],
  );
});

test('of many devices that drift at once most raise no mail, and a full list closes nothing', async t => {
  const bench = await AlertBench.open(t);
  const many = Array.from({ length: 64 }, (_, i) => ({ ...drifting(pressure), device: `pump-${i}` }));
  await bench.engine.drifts(report(0, many));
  assert.equal(bench.mailIds().length, 20);
  const others = many.map(drift => ({ ...drift, device: `other-${drift.device}` }));
  await bench.engine.drifts(report(1, others));
  assert.ok(bench.engine.list(200).every(({ state }) => state === 'open'));
  await bench.engine.drifts(report(2, []));
  assert.ok(bench.engine.list(200).every(({ state }) => state === 'closed'));
});

test('of a gateway that reports no more it closes after a week, in which it stays; one that reports keeps its own', async t => {
  const bench = await AlertBench.open(t);
  const clock = new FakeClock({ nowMs: report(0).atMs });
  const gateways = new Gateways(clock);
  const reports = new DriftReports(gateways, bench.engine, clock);
  const tell = (gateway: string) => {
    const said = { ...report(0, [drifting(pressure)]), gateway };
    gateways.report(said as unknown as GatewayReport);
  };
  const weekMs = 7 * 86_400_000;
  tell('edge-1');
  tell('edge-2');
  await reports.heed();
  await clock.advance(weekMs);
  tell('edge-2');
  await reports.heed();
  assert.equal(bench.engine.counts().open, 2);
  await clock.advance(1);
  await reports.heed();
  const [closed] = bench.engine.list(10).filter(({ state }) => state === 'closed');
  assert.equal(bench.engine.counts().open, 1);
  assert.equal(closed!.gateway, 'edge-1');
  assert.match(closed!.timeline.at(-1)!.text, /has not reported for a week/);
  tell('edge-1');
  await reports.heed();
  const again = bench.engine.list(10).find(({ gateway, state }) => gateway === 'edge-1' && state === 'open');
  assert.match(again!.timeline.at(-1)!.text, /^Opened again, its gateway is back: 80 %/);
  const mailed = (id: string) => bench.mailIds().filter(mail => mail.startsWith(id));
  assert.deepEqual(mailed(closed!.id), [`${closed!.id}-opened`, `${closed!.id}-closed`]);
  assert.deepEqual(mailed(again!.id), [`${again!.id}-opened`], 'who was told that it is over is told anew');
  await reports.heed();
  assert.equal(bench.engine.list(10).length, 3);
});

test('a collector that is started anew each day closes what is of a gateway that is gone, and waits for those that come back', async t => {
  const bench = await opened(t);
  const said = report(0, [drifting(pressure)]) as unknown as GatewayReport;
  const clock = new FakeClock({ nowMs: said.atMs });
  for (let day = 0; day < 9; day++) {
    const reports = new DriftReports(new Gateways(clock, [said]), bench.engine, clock);
    await reports.heed();
    assert.equal(bench.engine.counts().open, day <= 7 ? 1 : 0, `at the start of day ${day}`);
    await clock.advance(12 * 3_600_000);
    await reports.heed();
    assert.equal(bench.engine.counts().open, day < 7 ? 1 : 0, `on day ${day}`);
    await clock.advance(12 * 3_600_000);
  }
});
