import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { Diagnosis, LikelyCause } from '../diagnosis/diagnosis.js';
import { AlertBench, forestFlag, pattern, ruleFlag, temporaryFolder } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import type { Diagnose } from './diagnosing.js';

const blocked: LikelyCause = {
  id: 'blocked',
  cause: 'Blockage behind the pump',
  component: 'discharge valve',
  severity: 'critical',
  probability: 0.8,
  evidence: ['E1'],
  against: [],
  actions: ['Open the valve.'],
};
const leak: LikelyCause = {
  ...blocked,
  id: 'leak',
  cause: 'Leak',
  probability: 0.15,
  actions: ['Walk the line.'],
};

function diagnosis(atMs: number, more: Partial<Diagnosis> = {}): Diagnosis {
  const evidence = [{ id: 'E1', text: 'flow is low', device: 'pump-1', field: 'flow' }];
  return { atMs, verdict: 'likely', causes: [blocked, leak], unknown: 0.05, evidence, agreed: 1, ...more };
}

const devices = ['pump-1'];
const tapeOf = (names = devices) => new Tape({ seed: 1, devices: names });

test('the first mail already names the likely cause and what to do about it', async t => {
  const diagnose: Diagnose = incident => diagnosis(incident.lastMs);
  const bench = await AlertBench.open(t, { diagnose });
  await bench.feed(tapeOf().block(pattern('pump-1', 'xxx')));
  const [incident] = bench.engine.list(1);
  assert.equal(incident?.diagnosis?.causes[0]?.id, 'blocked');
  assert.deepEqual(incident.recommendations, ['Open the valve.']);
  assert.equal(incident.severity, 'critical', 'what a blockage does if nobody acts');
  assert.match(incident.timeline.at(-1)!.text, /Most likely cause: Blockage behind the pump \(80 %\)/);
  await bench.later();
  assert.deepEqual(bench.mailIds(), [`${incident.id}-opened`]);
});

test('the first mail waits for a second look, since the first rows mislead; but for seconds only', async t => {
  let looks = 0;
  const diagnose: Diagnose = ({ lastMs }) => {
    looks += 1;
    return diagnosis(lastMs, looks > 1 ? { causes: [{ ...leak, probability: 0.7 }] } : {});
  };
  const directory = await temporaryFolder(t);
  const bench = await AlertBench.open(t, {
    diagnose,
    directory,
    alerts: { closeAfterMs: 5000, reopenWithinMs: 3000 },
  });
  const tape = tapeOf(['pump-1', 'pump-2', 'pump-3', 'pump-4']);
  const idOf = (device: string) => bench.engine.list(9).find(one => one.device === device)!.id;
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  assert.deepEqual(bench.mailIds(), []);
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  const first = `${idOf('pump-1')}-opened`;
  assert.deepEqual(bench.mailIds(), [first]);
  assert.match((await bench.mails.body(first))!.subject, /Leak/);

  await bench.feed(tape.block(pattern('pump-2', 'xxx')));
  await bench.later(2999);
  assert.equal(bench.mailIds().length, 1);
  await bench.later(1);
  assert.deepEqual(bench.mailIds(), [first, `${idOf('pump-2')}-opened`], 'without further rows');

  await bench.feed(tape.block(pattern('pump-3', 'xxx')));
  await bench.feed(tape.block(pattern('pump-3', '.'.repeat(20))));
  const [opened, closed] = bench.mailIds().slice(2);
  assert.deepEqual(
    [opened, closed],
    [`${idOf('pump-3')}-opened`, `${idOf('pump-3')}-closed`],
    'short ones too',
  );

  await bench.feed(tape.block(pattern('pump-4', 'xxx')));
  const fourth = `${idOf('pump-4')}-opened`;
  await bench.kill();
  const again = await AlertBench.open(t, { diagnose, directory, clock: bench.clock });
  assert.ok(!again.mailIds().includes(fourth));
  await again.later();
  assert.ok(again.mailIds().includes(fourth), 'a restart loses none');
});

test('the first mail waits no longer when the clock is set back', async t => {
  const diagnose: Diagnose = ({ lastMs }) => diagnosis(lastMs);
  const clock = new FakeClock();
  const bench = await AlertBench.open(t, { diagnose, clock });
  await bench.feed(tapeOf().block(pattern('pump-1', 'xxx')));
  clock.stepWall(-3_600_000);
  await bench.later(1);
  assert.equal(bench.mailIds().length, 1);
});

test('it is looked at again the more seldom, the longer it lasts; the timeline tells another cause', async t => {
  const looks: number[] = [];
  const diagnose: Diagnose = ({ firstMs, lastMs }) => {
    looks.push((lastMs - firstMs) / 1000);
    return diagnosis(
      lastMs,
      looks.length > 2
        ? { causes: [{ ...leak, probability: 0.9 }] }
        : { causes: [{ ...blocked, probability: 0.7 }] },
    );
  };
  const bench = await AlertBench.open(t, { diagnose });
  const tape = tapeOf();
  for (let i = 0; i < 60; i++) await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  assert.deepEqual(looks, [2, 5, 8, 14, 23, 35, 53, 80, 122]);
  const texts = bench.engine.list(1)[0]!.timeline.map(({ text }) => text);
  assert.equal(texts.filter(text => /cause: Blockage/.test(text)).length, 1);
  assert.equal(texts.filter(text => /cause: Leak/.test(text)).length, 1);
});

test('an unknown cause leaves the advice that the channels give, and the severity', async t => {
  const diagnose: Diagnose = ({ lastMs }) => diagnosis(lastMs, { verdict: 'unknown' });
  const bench = await AlertBench.open(t, { diagnose });
  await bench.feed(tapeOf().block(pattern('pump-1', 'xxx')));
  const [incident] = bench.engine.list(1);
  assert.match(incident!.recommendations[0]!, /blockage downstream/);
  assert.equal(incident!.severity, 'warning');
});

test('when hundreds open at once, the first are looked at, and the others with their next rows', async t => {
  let looks = 0;
  const diagnose: Diagnose = ({ lastMs }) => {
    looks += 1;
    return diagnosis(lastMs);
  };
  const names = Array.from({ length: 50 }, (_, i) => `pump-${i + 1}`);
  const bench = await AlertBench.open(t, { diagnose, alerts: { stormDevices: 1000 } });
  const tape = tapeOf(names);
  const all = () => tape.block(names.flatMap(name => pattern(name, 'xxx')));
  await bench.feed(all());
  assert.ok(looks >= 1 && looks <= 20, String(looks));
  for (let i = 0; i < 60 && looks < 50; i++) await bench.feed(all());
  const known = bench.engine.list(100).filter(({ diagnosis: found }) => found);
  assert.equal(known.length, 50);
});

test('where the search fails for one, incidents, mails and the search for others go on', async t => {
  const looks: string[] = [];
  const diagnose: Diagnose = ({ device, lastMs }) => {
    looks.push(device);
    if (device === 'pump-1') throw new RangeError('made to fail');
    return diagnosis(lastMs);
  };
  const bench = await AlertBench.open(t, { diagnose });
  const tape = tapeOf(['pump-1', 'pump-2']);
  for (let i = 0; i < 3; i++)
    await bench.feed(tape.block([...pattern('pump-1', 'xxx'), ...pattern('pump-2', 'xxx')]));
  const found = bench.engine.list(2).map(({ device, diagnosis: known }) => `${device} ${known?.verdict}`);
  assert.deepEqual(found.sort(), ['pump-1 undefined', 'pump-2 likely']);
  assert.equal(bench.mailIds().length, 2);
  const looksAt = (name: string) => looks.filter(device => device === name).length;
  assert.equal(looksAt('pump-1'), looksAt('pump-2'), 'it waits like any other');
});

test('what is likely no fault is no critical incident, unless a rule says so', async t => {
  const harmless: LikelyCause = { ...blocked, severity: 'none' };
  const diagnose: Diagnose = ({ lastMs }) => diagnosis(lastMs, { causes: [harmless] });
  const bench = await AlertBench.open(t, { diagnose });
  const tape = tapeOf(['pump-1', 'pump-2']);
  await bench.feed(tape.block(pattern('pump-1', 'x'.repeat(90), forestFlag(0.95))));
  await bench.feed(tape.block(pattern('pump-1', 'x'.repeat(30), forestFlag(0.95))));
  await bench.feed(tape.block(pattern('pump-2', 'xxx', ruleFlag())));
  const severities = bench.engine.list(2).map(({ device, severity }) => `${device} ${severity}`);
  assert.deepEqual(severities.sort(), ['pump-1 warning', 'pump-2 critical']);
  assert.ok(bench.mailIds().every(id => !id.endsWith('-critical')));
});

test('what begins an incident is its cause: a sure one is not replaced by how the way back looks', async t => {
  let looks = 0;
  const diagnose: Diagnose = ({ lastMs }) => {
    looks += 1;
    return diagnosis(lastMs, looks > 2 ? { causes: [{ ...leak, probability: 0.98 }] } : {});
  };
  const bench = await AlertBench.open(t, { diagnose });
  const tape = tapeOf();
  for (let i = 0; i < 12; i++) await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  const [incident] = bench.engine.list(1);
  assert.ok(looks > 2);
  assert.equal(incident!.diagnosis!.causes[0]!.id, 'blocked');
  assert.deepEqual(incident!.recommendations, ['Open the valve.']);
});
