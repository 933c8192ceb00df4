/** What an alarm storm holds back, and what it must not. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import { AlertBench, type BenchOptions, forestFlag, pattern } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import type { Incident } from './incident.js';

const pumps = Array.from({ length: 21 }, (_, i) => `pump-${i + 1}`);
const siteOf = (gateway: string) => (gateway === 'gw-south' ? 'south' : 'north');

/** All pumps at north open, then a reactor at south. */
async function plant(t: TestContext, options: BenchOptions, score = 0.64) {
  const bench = await AlertBench.open(t, { siteOf, ...options });
  const north = new Tape({ seed: 1, devices: pumps });
  const south = new Tape({ seed: 2, gateway: 'gw-south', devices: ['reactor'] });
  for (const pump of pumps) await bench.feed(north.block(pattern(pump, 'xxx', forestFlag(score))));
  const reactor = (marks: string, at = score) =>
    bench.feed({ ...south.block(pattern('reactor', marks, forestFlag(at))), position: bench.position + 1 });
  const mailed = (device: string) => {
    const id = bench.engine.list(100).find(one => one.device === device)?.id ?? 'none';
    return bench.mailIds().filter(mail => mail.startsWith(id)).length;
  };
  return { bench, north, reactor, mailed };
}

test('work announced at one site makes no storm at another; when it ends, its mails are those of a storm', async t => {
  const clock = new FakeClock();
  const to = new Date(clock.now() + 600_000).toISOString();
  const maintenance = [{ name: 'overhaul', from: '2020-01-01T00:00:00Z', to, sites: ['north'] }];
  const { bench, reactor, mailed } = await plant(t, { clock, alerts: { maintenance, closeAfterMs: 1e7 } });
  await reactor('xxx');
  await bench.later();
  assert.equal(mailed('reactor'), 1);
  assert.equal(bench.mailIds().length, 1);
  await clock.advance(600_000);
  await bench.later();
  assert.equal(bench.mailIds().length, 21, 'the reactor, and twenty of them');
  await bench.later(63_000);
  assert.equal(bench.mailIds().length, 22);
});

test('parts of one incident make no storm', async t => {
  const [sag] = aDiagnosis().causes;
  const diagnose = ({ device, lastMs }: Incident) =>
    device === 'reactor'
      ? aDiagnosis({ atMs: lastMs, verdict: 'unknown' })
      : aDiagnosis({ atMs: lastMs, causes: [{ ...sag!, component: 'power supply', shared: true }] });
  const { bench, reactor, mailed } = await plant(t, { diagnose });
  await bench.later();
  assert.equal(bench.mailIds().length, 1);
  await reactor('xxx');
  await bench.later();
  assert.equal(mailed('reactor'), 1);
});

test('what is critical is told in a storm of what is not, also if it becomes so later', async t => {
  const { bench, reactor, mailed } = await plant(t, { alerts: { closeAfterMs: 1e7 } });
  assert.equal(bench.mailIds().length, 20);
  await reactor('xxx');
  await bench.later();
  assert.equal(mailed('reactor'), 0);
  const again = await plant(t, {});
  await again.reactor('xxx', 0.99);
  await again.bench.later();
  assert.equal(again.mailed('reactor'), 1);
});

test('what a storm held back is told after it if it is still open, no more than a storm lets go at once', async t => {
  const { bench, reactor, mailed } = await plant(t, { alerts: { closeAfterMs: 1e7, stormDevices: 8 } });
  await reactor('xxx');
  await bench.later(58_000);
  assert.equal(bench.mailIds().length, 8);
  await bench.later(8_000);
  assert.equal(bench.mailIds().length, 16);
  await bench.later(70_000);
  assert.deepEqual([bench.mailIds().length, mailed('reactor')], [22, 1]);
});
