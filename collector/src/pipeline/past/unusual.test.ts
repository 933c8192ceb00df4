/** What is unlike its own past, through watch, groups, incidents and mails. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { healthRows } from '../../testing/health-rows.js';
import { PipelineRig } from '../../testing/pipeline-rig.js';
import { AwayHabits } from '../rules/away-habits.js';
import { PastJudge } from './past-judge.js';

const minuteMs = 60_000;

/** Three days of what the rig's gateways do, and of one that sends as it did when the collector stopped. */
function usualOf(names: readonly string[], nowMs: number): PastJudge {
  const judge = new PastJudge();
  const usual = { read_delay: 0.01, sent_delay: 0.02, event_delay_p99: 0.035 };
  const devices = Object.fromEntries(names.map(name => [name, usual]));
  for (let atMs = nowMs - 3 * 1440 * minuteMs; atMs < nowMs; atMs += minuteMs)
    judge.judge({
      rows: [healthRows('pipeline-gateway', devices, atMs)],
      nowMs: atMs,
      told: new Set(),
      isDisturbed: false,
      siteOf: () => null,
    });
  return judge;
}

async function rigOf(t: TestContext, gateways: number): Promise<PipelineRig> {
  const clock = new FakeClock();
  const names = Array.from({ length: gateways }, (_, i) => `gw-${i + 1}`);
  const rig = await PipelineRig.open(t, {
    gateways,
    clock,
    past: { judge: usualOf(names, clock.now()), habits: new AwayHabits() },
  });
  for (const gateway of rig.all) gateway.rowsEveryMs = 5000;
  await rig.run(180);
  assert.deepEqual(rig.incidents(), []);
  return rig;
}

test('a way that takes ten times as long, and no rule tells, is an incident with a hop and advice; a rule takes its place', async t => {
  const rig = await rigOf(t, 2);
  rig.first.sentMs = 400;
  const seconds = await rig.untilFound(2400);
  assert.ok(seconds !== undefined);
  const [incident, ...others] = rig.incidents('open');
  assert.deepEqual(others, []);
  assert.match(incident!.title, /^gateway gw-1: delay from its agent to the collector higher than usual$/);
  assert.equal(incident!.severity, 'info');
  assert.equal(incident!.diagnosis?.causes[0]?.component, 'network to gateway gw-1');
  assert.ok(incident!.recommendations.length > 0);
  rig.first.alive = false;
  await rig.run(90);
  assert.deepEqual(
    rig.incidents('open').map(({ source }) => source),
    ['gateway-silent'],
  );
  assert.match(rig.incidents()[0]!.timeline.at(-1)!.text, /a rule says what it is: gateway gw-1 is silent/);
});

test('many at once are one incident', async t => {
  const rig = await rigOf(t, 6);
  for (const gateway of rig.all) gateway.sentMs = 400;
  assert.ok((await rig.untilFound(2400)) !== undefined);
  await rig.run(120);
  assert.deepEqual(
    rig.incidents().map(({ title }) => title),
    ['6 of 6 gateways are unlike their own past'],
  );
  assert.match(rig.incidents()[0]!.diagnosis!.causes[0]!.cause, /Something has changed at hq/);
});

test('while the collector itself is in trouble, what was unusual is not told to be over', async t => {
  const rig = await rigOf(t, 2);
  rig.first.sentMs = 400;
  assert.ok((await rig.untilFound(2400)) !== undefined);
  const [before] = rig.incidents('open');
  rig.collector.queuedBytes = 0.95e6;
  await rig.run(240);
  rig.collector.queuedBytes = 0;
  await rig.run(60);
  const of = rig.incidents().filter(({ source }) => source === 'gateway-unusual');
  assert.deepEqual(
    of.map(({ id, state, timeline }) => [id, state, timeline.filter(({ text }) => /Closed/.test(text))]),
    [[before!.id, 'open', []]],
  );
});

test('a trouble that many gateways share is none of the collector: others are judged beside it', async t => {
  const rig = await rigOf(t, 8);
  const [odd, ...others] = rig.all;
  for (const one of others.slice(0, 6)) one.outboxShare = 0.9;
  await rig.run(60);
  const [group] = rig.incidents('open');
  assert.match(group?.title ?? '', /^6 of 8 gateways .* outbox/);
  assert.match(group?.diagnosis?.causes[0]?.cause ?? '', /^The outbox of these gateways fills/);
  odd!.sentMs = 400;
  await rig.run(2400);
  const sources = rig.incidents('open').map(({ source, device }) => `${source} ${device}`);
  assert.ok(sources.includes('gateway-unusual gw-1'), sources.join());
});
