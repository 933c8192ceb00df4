import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Evidence } from '@edgeward/shared/contracts';
import { renderMail } from '../notifiers/mail.js';
import { AlertBench, pattern, ruleFlag } from '../testing/alert-bench.js';
import { anIncident } from '../testing/an-incident.js';
import { Tape } from '../testing/deliveries.js';
import { titleOf } from './title.js';

function surpriseFlag(score = 0.62, source = 'range, past 6 days'): Omit<Evidence, 'at'> {
  return {
    detector: 'surprise',
    source,
    score,
    threshold: 0.5,
    channels: [{ field: 'flow', value: 48, expected: [18, 32], direction: 'high', weight: 1 }],
  };
}

for (const [what, stepMs, marks, rows] of [
  ['a slow field, which is of one row,', 300_000, '..x....', 1],
  ['a fast field, which is of as many rows as it lasts,', 1000, `..${'x'.repeat(300)}${'.'.repeat(30)}`, 300],
] as const)
  test(`a surprise of ${what} is one incident that closes by itself`, async t => {
    const bench = await AlertBench.open(t);
    const tape = new Tape({ seed: 1, devices: ['probe-1'], stepMs });
    const flagged = pattern('probe-1', marks, surpriseFlag());
    const opened = marks.indexOf('x') + 1;
    await bench.feed(tape.block(flagged.slice(0, opened)));
    const [incident, ...others] = bench.engine.list(10);
    assert.ok(incident?.state === 'open' && others.length === 0);
    assert.equal(incident.title, 'probe-1: flow higher than in all the past 6 days');
    assert.equal(incident.detector, 'surprise');
    assert.equal(incident.severity, 'warning');
    assert.equal(incident.timeline[0]?.text, 'Opened by a surprise: range, past 6 days');
    assert.ok(incident.recommendations.some(text => /changed on purpose/.test(text)));
    await bench.feed(tape.block(flagged.slice(opened)));
    await bench.feed(tape.next(200));
    const all = bench.engine.list(10);
    assert.deepEqual([all.length, all[0]?.state, all[0]?.rows], [1, 'closed', rows]);
    assert.deepEqual(bench.mailIds(), [`${incident.id}-opened`, `${incident.id}-closed`]);
  });

test('rows that come without reasons, as most of a long surprise do, are no word of a rule or a model', async t => {
  const bench = await AlertBench.open(t);
  const tape = new Tape({ seed: 4, devices: ['probe-1'] });
  await bench.feed(tape.block(pattern('probe-1', 'xxx', surpriseFlag())));
  const untold = { device: 'probe-1', flag: surpriseFlag(), unexplained: true };
  const { batch, ...delivery } = tape.block([untold, untold, untold]);
  const { model, ...plain } = batch;
  assert.equal(model, 'pump-3');
  await bench.feed({ ...delivery, batch: plain });
  const [incident] = bench.engine.list(10);
  assert.deepEqual([incident?.rows, incident?.explainedRows, incident?.timeline.length], [6, 3, 1]);
  assert.equal(incident?.source, 'range, past 6 days');
});

test('a rule that so many devices break that the reasons of some have no room is no surprise to any', async t => {
  const devices = Array.from({ length: 50 }, (_, i) => `probe-${i}`);
  const bench = await AlertBench.open(t);
  const tape = new Tape({ seed: 5, devices });
  const rows = devices.map((device, i) => ({ device, flag: ruleFlag(1), unexplained: i >= 30 }));
  const { batch, ...delivery } = tape.block([...rows, ...rows, ...rows]);
  const { model: _, ...plain } = batch;
  await bench.feed({ ...delivery, batch: plain });
  const told = bench.engine.list(100).map(({ detector, title }) => `${detector} ${title}`);
  assert.equal(told.length, 50);
  assert.deepEqual(
    told.filter(text => !text.startsWith('rule ') || /past|surprise/.test(text)),
    [],
  );
});

test('a surprise is never critical, and one just above the threshold is only told', async t => {
  const bench = await AlertBench.open(t);
  const tape = new Tape({ seed: 2, devices: ['probe-1', 'probe-2'] });
  await bench.feed(tape.block(pattern('probe-1', 'x'.repeat(200), surpriseFlag(0.95))));
  await bench.feed(tape.block(pattern('probe-2', 'x'.repeat(200), surpriseFlag(0.51))));
  const severities = bench.engine.list(10).map(({ device, severity }) => [device, severity]);
  assert.deepEqual(severities.sort(), [
    ['probe-1', 'warning'],
    ['probe-2', 'info'],
  ]);
});

test('a rule that is broken, too, has its say', async t => {
  const bench = await AlertBench.open(t);
  const tape = new Tape({ seed: 3, devices: ['probe-1'] });
  await bench.feed(tape.block(pattern('probe-1', 'x', surpriseFlag())));
  await bench.feed(tape.block(pattern('probe-1', 'xx', ruleFlag(1))));
  await bench.feed(tape.block(pattern('probe-1', 'x', surpriseFlag())));
  const [incident, ...others] = bench.engine.list(10);
  assert.equal(others.length, 0);
  assert.equal(incident?.detector, 'rule');
  assert.equal(incident.severity, 'critical');
  const texts = incident.timeline.map(({ text }) => text);
  assert.ok(texts.includes('Rule overpressure is broken too'), texts.join());
  assert.ok(texts.includes('It is unlike its own past too'), texts.join());
});

test('titles say what surprised, as far as it is known', () => {
  const [channel] = anIncident().channels;
  const title = (source: string, direction: 'high' | 'low' | 'unusual') =>
    titleOf({
      device: 'cooler-3',
      detector: 'surprise',
      source,
      channels: [{ ...channel!, field: 'temperature', direction }],
    });
  assert.equal(title('level, past 6 days', 'high'), 'cooler-3: temperature unusually high');
  assert.equal(title('range, past 30 h', 'low'), 'cooler-3: temperature lower than in all the past 30 h');
  assert.equal(
    title('range beside the profile, past 9 days', 'high'),
    'cooler-3: temperature higher for the time of day than in all the past 9 days',
  );
  assert.equal(title('level, past 6 days', 'unusual'), 'cooler-3: temperature unusual');
  assert.equal(title('something of a later release', 'low'), 'cooler-3: temperature unusually low');
});

test('a mail of a surprise says what it was compared with', () => {
  const incident = anIncident({ detector: 'surprise', source: 'level, past 6 days', model: null });
  const { text, html } = renderMail({ kind: 'opened', incident });
  for (const part of [
    'is unlike its own past since',
    'Most unusual: its level, against that of before.',
    'compared with its own past (6 days)',
  ]) {
    assert.ok(text.includes(part), `${part}: ${text}`);
    assert.ok(html.includes(part), part);
  }
  assert.doesNotMatch(text, /Isolation Forest/);
});
