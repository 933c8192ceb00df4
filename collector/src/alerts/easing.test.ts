/** Incidents that are no longer as bad as they were. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import { AlertBench, forestFlag, pattern, ruleFlag, temporaryFolder } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import { topologyConfig } from '../topology/config.js';
import { Topology } from '../topology/topology.js';

const tapeOf = (devices = ['pump-1']) => new Tape({ seed: 1, devices });
const rows = (n: number) => 'x'.repeat(n);
/** Threshold 0.62: 0.95 is extreme, 0.65 just a little above. */
const [bad, mild] = [forestFlag(0.95), forestFlag(0.65)];
const fell = /^Severity fell to warning: nothing as bad as critical for 5 min$/;

test('it goes down a level after minutes without a row as bad, tells so, and mails nothing; the end tells the peak', async t => {
  const bench = await AlertBench.open(t);
  const tape = tapeOf();
  const now = () => bench.engine.list(1)[0]!;
  await bench.feed(tape.block(pattern('pump-1', rows(5), bad)));
  await bench.engine.handle(now().id, { kind: 'acknowledge' }, 'Ada');
  const mails = bench.mailIds();
  await bench.feed(tape.block(pattern('pump-1', rows(299), mild)));
  assert.deepEqual([now().severity, now().peakSeverity], ['critical', undefined]);
  await bench.feed(tape.block(pattern('pump-1', rows(2), mild)));
  assert.deepEqual([now().severity, now().peakSeverity], ['warning', 'critical']);
  assert.match(now().timeline.at(-1)!.text, fell);
  assert.equal(now().handling?.acknowledged?.by, 'Ada');
  assert.deepEqual(bench.mailIds(), mails);
  await bench.feed(tape.block(pattern('pump-1', '.'.repeat(200))));
  assert.deepEqual([now().state, now().severity, now().peakSeverity], ['closed', 'warning', 'critical']);
  const { text } = (await bench.mails.body(`${now().id}-closed`))!;
  assert.match(text, /At its worst it was critical\./);
});

test('one bad row in time holds it up; single bad rows do not bring it back, three in a row do, without a mail', async t => {
  const bench = await AlertBench.open(t);
  const tape = tapeOf();
  const now = () => bench.engine.list(1)[0]!;
  const feed = (n: number, flag = mild) => bench.feed(tape.block(pattern('pump-1', rows(n), flag)));
  await feed(5, bad);
  await feed(200);
  await feed(1, bad);
  await feed(200);
  assert.equal(now().severity, 'critical');
  await feed(120);
  assert.equal(now().severity, 'warning');
  for (let i = 0; i < 20; i++) {
    await feed(1, bad);
    await feed(5);
  }
  assert.equal(now().severity, 'warning');
  const mails = bench.mailIds();
  await feed(3, bad);
  assert.deepEqual([now().severity, now().peakSeverity], ['critical', undefined]);
  assert.match(now().timeline.at(-1)!.text, /^Severity rose to critical again$/);
  await feed(200);
  assert.equal(now().severity, 'critical', 'and it takes as long again to fall');
  assert.deepEqual(bench.mailIds(), mails);
});

test('what holds it up: a rule that is broken, a likely cause that is critical; what does not: one that is none', async t => {
  const severityAfter = async (flag: typeof bad, cause: 'critical' | 'none' | 'unknown') => {
    let looks = 0;
    const bench = await AlertBench.open(t, {
      diagnose: ({ lastMs }) => {
        looks += 1;
        if (cause === 'unknown' || looks === 1) return aDiagnosis({ atMs: lastMs, verdict: 'unknown' });
        return aDiagnosis({ atMs: lastMs, causes: [{ ...aDiagnosis().causes[0]!, severity: cause }] });
      },
    });
    const tape = tapeOf();
    await bench.feed(tape.block(pattern('pump-1', rows(5), bad)));
    for (let i = 0; i < 40; i++) await bench.feed(tape.block(pattern('pump-1', rows(10), flag)));
    return bench.engine.list(1)[0]!.severity;
  };
  assert.equal(await severityAfter(ruleFlag(), 'unknown'), 'critical');
  assert.equal(await severityAfter(mild, 'critical'), 'critical');
  assert.equal(await severityAfter(bad, 'unknown'), 'critical');
  assert.equal(await severityAfter(bad, 'none'), 'warning');
});

test('the same rows come to the same over a kill, in other blocks, and from an incident of an earlier version', async t => {
  const played = async (blocks: readonly number[], kills: boolean) => {
    const directory = await temporaryFolder(t);
    const tape = tapeOf();
    const flags = [
      ...Array<typeof bad>(5).fill(bad),
      ...Array<typeof bad>(320).fill(mild),
      ...Array<typeof bad>(4).fill(bad),
    ];
    let bench = await AlertBench.open(t, { directory });
    for (const n of blocks) {
      await bench.feed(tape.block(flags.splice(0, n).map(flag => ({ device: 'pump-1', flag }))));
      if (!kills) continue;
      await bench[Symbol.asyncDispose]();
      bench = await AlertBench.open(t, { directory });
    }
    return bench.engine.list(1)[0]!;
  };
  const whole = await played([329], false);
  assert.equal(whole.timeline.filter(({ text }) => /^Severity (fell|rose)/.test(text)).length, 2);
  assert.deepEqual(await played([7, 100, 100, 100, 22], true), whole);
});

test('a clock that is set back, or leaps, neither holds it up for ever nor brings it down at once', async t => {
  const bench = await AlertBench.open(t, { alerts: { closeAfterMs: 1e9 } });
  const tape = tapeOf();
  const now = () => bench.engine.list(1)[0]!;
  await bench.feed(tape.block(pattern('pump-1', rows(5), bad)));
  tape.skip('pump-1', 3_600_000);
  await bench.feed(tape.block(pattern('pump-1', rows(5), mild)));
  assert.equal(now().severity, 'critical', 'a leap is no five minutes of rows');
  await bench.feed(tape.block(pattern('pump-1', rows(1), bad)));
  tape.skip('pump-1', -86_400_000);
  await bench.feed(tape.block(pattern('pump-1', rows(305), mild)));
  assert.equal(now().severity, 'warning');
});

test('a whole is no less bad than its parts; later it is', async t => {
  const [first] = aDiagnosis().causes;
  const sag = {
    ...first!,
    id: 'sag',
    component: 'supply',
    severity: 'warning' as const,
    shared: true as const,
  };
  const bench = await AlertBench.open(t, {
    diagnose: ({ lastMs }) => aDiagnosis({ atMs: lastMs, causes: [sag] }),
  });
  const tape = tapeOf(['pump-1', 'pump-2']);
  const of = (device: string) => bench.engine.list(2).find(one => one.device === device)!;
  const feed = (n: number, other: typeof bad) =>
    bench.feed(tape.block([...pattern('pump-1', rows(n), mild), ...pattern('pump-2', rows(n), other)]));
  await feed(4, bad);
  assert.deepEqual(
    [of('pump-2').partOf, of('pump-1').severity],
    [of('pump-1').id, 'critical'],
    'by its part',
  );
  await feed(320, bad);
  assert.equal(of('pump-1').severity, 'critical');
  await feed(310, mild);
  await feed(1, mild);
  assert.deepEqual([of('pump-1').severity, of('pump-2').severity], ['warning', 'warning']);
});

test('half of a configured machine in trouble at once is worse than one of its devices', async t => {
  const at = (path: string, devices: string[], gateway = 'gw-1') => ({
    path,
    devices: devices.map(device => ({ gateway, device })),
  });
  const topology = new Topology(
    topologyConfig.parse({
      assets: [at('n/l/press', ['oil', 'motor', 'ram', 'cool']), at('n/l/fan', ['fan', 'b', 'c', 'd', 'e'])],
    }),
  );
  const clear = { ...forestFlag(0.72), channels: forestFlag().channels.slice(0, 1) };
  const bench = await AlertBench.open(t, { topology });
  const tape = tapeOf(['oil', 'motor', 'fan', 'b', 'line1-mill2-x', 'line1-mill2-y', 'c']);
  const of = (device: string) => bench.engine.list(9).find(one => one.device === device)!;
  await bench.feed(tape.block(pattern('oil', 'xxx', clear)));
  assert.equal(of('oil').severity, 'warning');
  await bench.feed(tape.block(tape.devices.slice(1, -1).flatMap(device => pattern(device, 'xxx', clear))));
  for (const device of ['oil', 'motor']) {
    assert.deepEqual([of(device).severity, of(device).extent], ['critical', { devices: 2, of: 4 }], device);
    assert.match(
      of(device).timeline.at(-1)!.text,
      /^2 of 4 devices of the machine are in trouble; severity rose/,
    );
  }
  assert.deepEqual([of('fan').severity, of('fan').extent], ['warning', { devices: 2, of: 5 }]);
  assert.deepEqual(
    [of('line1-mill2-x').severity, of('line1-mill2-x').extent],
    ['warning', undefined],
    'a guess',
  );
  topology.replace(topologyConfig.parse({ assets: [at('n/l/fan', ['c'])] }));
  await bench.feed(tape.block(pattern('c', 'xxx', clear)));
  assert.deepEqual(of('c').extent, { devices: 3 }, 'never more than the machine has');
});

test('a machine whose gateways are not spelled out has nobody knows how many devices', async t => {
  const assets = [{ path: 'n/l/press', devices: [{ device: 'oil' }] }];
  const topology = new Topology(topologyConfig.parse({ assets }));
  const bench = await AlertBench.open(t, { topology });
  const tapes = [1, 2, 3].map(n => new Tape({ seed: n, gateway: `gw-${n}`, devices: ['oil'] }));
  await bench.feed(...tapes.map((tape, i) => ({ ...tape.block(pattern('oil', 'xxx')), position: i + 1 })));
  assert.deepEqual(
    bench.engine.list(9).map(({ extent }) => extent),
    [{ devices: 3 }, { devices: 3 }, { devices: 3 }],
  );
});
