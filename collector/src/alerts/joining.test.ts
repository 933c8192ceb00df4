import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import { AlertBench, pattern, ruleFlag } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import type { Diagnose } from './diagnosing.js';

const [first] = aDiagnosis().causes;
const sag = { ...first!, id: 'sag', component: 'power supply', shared: true as const };
const alone = { ...first!, id: 'bearing', component: 'bearing' };

/** All devices have the same cause but for `pump-3`. */
const diagnose: Diagnose = ({ device, lastMs }): Diagnosis =>
  aDiagnosis({ atMs: lastMs, causes: [device === 'pump-3' ? alone : sag] });
const devices = ['pump-1', 'pump-2', 'pump-3'];
const tapeOf = () => new Tape({ seed: 1, devices });
const alerts = { closeAfterMs: 5000, reopenWithinMs: 3000 };

test('several devices with one cause are one mail, that names them; another cause has its own', async t => {
  const bench = await AlertBench.open(t, { diagnose, alerts });
  await bench.feed(tapeOf().block(devices.flatMap(device => pattern(device, 'xxx'))));
  await bench.later();
  const of = (device: string) => bench.engine.list(10).find(one => one.device === device)!;
  assert.equal(of('pump-2').partOf, of('pump-1').id);
  assert.deepEqual(of('pump-1').parts, [{ id: of('pump-2').id, device: 'pump-2', gateway: 'gw-1' }]);
  assert.equal(of('pump-3').partOf, undefined);
  assert.deepEqual(bench.mailIds().sort(), [`${of('pump-1').id}-opened`, `${of('pump-3').id}-opened`].sort());
  const { text } = (await bench.mails.body(`${of('pump-1').id}-opened`))!;
  assert.match(text, /Same cause: +pump-2/);
});

test('a part that outlasts the whole is mailed then; one that ends with it never', async t => {
  const bench = await AlertBench.open(t, { diagnose, alerts });
  const tape = tapeOf();
  await bench.feed(tape.block(['pump-1', 'pump-2'].flatMap(device => pattern(device, 'xxx'))));
  const of = (device: string) => bench.engine.list(10).find(one => one.device === device)!;
  const part = of('pump-2').id;
  for (let i = 0; i < 4; i++)
    await bench.feed(tape.block([...pattern('pump-1', '...'), ...pattern('pump-2', 'xxx')]));
  assert.equal(of('pump-1').state, 'closed');
  assert.equal(of('pump-2').state, 'open');
  assert.ok(bench.mailIds().includes(`${part}-opened`));

  const other = await AlertBench.open(t, { diagnose, alerts });
  const quiet = tapeOf();
  await other.feed(quiet.block(['pump-1', 'pump-2'].flatMap(device => pattern(device, 'xxx'))));
  await other.feed(quiet.block(['pump-1', 'pump-2'].flatMap(device => pattern(device, '.'.repeat(20)))));
  assert.deepEqual(
    other.engine.list(10).map(({ state }) => state),
    ['closed', 'closed'],
  );
  assert.ok(other.mailIds().every(id => !id.startsWith(other.engine.list(10).find(one => one.partOf)!.id)));
});

test('a part that turns out to be worse than the whole is mailed by itself', async t => {
  const mild = { ...sag, severity: 'warning' as const };
  const bench = await AlertBench.open(t, {
    diagnose: ({ lastMs }) => aDiagnosis({ atMs: lastMs, causes: [mild] }),
    alerts,
  });
  const tape = tapeOf();
  await bench.feed(tape.block(['pump-1', 'pump-2'].flatMap(device => pattern(device, 'xxx'))));
  const part = bench.engine.list(10).find(({ partOf }) => partOf !== undefined)!;
  await bench.later();
  assert.equal(bench.mailIds().length, 1);
  await bench.feed(tape.block(pattern(part.device, 'xx', ruleFlag())));
  await bench.later();
  assert.equal(bench.engine.get(part.id)!.severity, 'critical');
  assert.ok(bench.mailIds().includes(`${part.id}-opened`));
});
