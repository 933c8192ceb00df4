import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import { AlertBench, forestFlag, pattern, ruleFlag, temporaryFolder } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import type { Incident } from './incident.js';

const tapeOf = (...devices: string[]) => new Tape({ seed: 1, devices });
const texts = (bench: AlertBench) => bench.engine.list(1)[0]!.timeline.map(({ text }) => text);

test('who takes an incident on, and what they say of it, is kept over a restart and told once', async t => {
  const directory = await temporaryFolder(t);
  let id = '';
  {
    const bench = await AlertBench.open(t, { directory });
    await bench.feed(tapeOf('pump-1').block(pattern('pump-1', 'xxx')));
    id = bench.engine.list(1)[0]!.id;
    await bench.engine.handle(id, { kind: 'acknowledge' }, 'Ada\r\nBcc: x');
    await bench.engine.handle(id, { kind: 'acknowledge' }, 'Bob');
    await bench.engine.handle(id, { kind: 'feedback', verdict: 'real' }, undefined);
    assert.equal(bench.engine.notes.last, 3, 'opened, acknowledged, called real');
    await bench.kill();
  }
  const bench = await AlertBench.open(t, { directory });
  const { handling } = bench.engine.get(id)!;
  assert.match(handling!.acknowledged!.by, /^Ada[^\r\n]*$/);
  assert.equal(handling!.feedback!.verdict, 'real');
  assert.equal(texts(bench).filter(text => /^Acknowledged by Ada/.test(text)).length, 1);
  await assert.rejects(bench.engine.handle('inc-0', { kind: 'acknowledge' }, 'Ada'), /no incident inc-0/);
});

test('a muted incident sends nothing until then, and what it still has to say after that', async t => {
  const clock = new FakeClock();
  const bench = await AlertBench.open(t, { clock });
  const tape = tapeOf('pump-1');
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  const { id } = bench.engine.list(1)[0]!;
  await bench.engine.handle(id, { kind: 'mute', minutes: 10 }, 'Ada');
  await bench.feed(tape.block(pattern('pump-1', 'xxx', ruleFlag())));
  assert.equal(bench.engine.get(id)!.severity, 'critical');
  assert.deepEqual(bench.mailIds(), [`${id}-opened`]);
  await clock.advance(11 * 60_000);
  await bench.feed(tape.block(pattern('pump-1', 'x', ruleFlag())));
  assert.deepEqual(bench.mailIds(), [`${id}-opened`, `${id}-critical`]);
  await bench.engine.handle(id, { kind: 'mute', minutes: 5 }, 'Ada');
  await bench.engine.handle(id, { kind: 'mute', minutes: 0 }, 'Ada');
  assert.equal(bench.engine.get(id)!.handling!.mutedUntilMs, undefined);
});

test('after a false alarm, that device alone must score higher; real ones and other detectors are untouched', async t => {
  const bench = await AlertBench.open(t, { alerts: { closeAfterMs: 5000, reopenWithinMs: 5000 } });
  const tape = tapeOf('pump-1', 'pump-2');
  const quiet = '.'.repeat(30);
  const alarm = (device: string, score: number) =>
    bench.feed(tape.block([...pattern(device, 'xxx', forestFlag(score)), ...pattern(device, quiet)]));
  const count = () => bench.engine.list(100).length;
  await alarm('pump-1', 0.66);
  const { id } = bench.engine.list(1)[0]!;
  await bench.engine.handle(id, { kind: 'feedback', verdict: 'false-alarm' }, 'Ada');
  const moved = (one: string) => bench.engine.get(one)!.handling?.feedback?.moved;
  assert.equal(moved(id), true);
  await alarm('pump-1', 0.67);
  assert.equal(count(), 1, 'no more unusual than what was called a false alarm');
  await alarm('pump-2', 0.67);
  assert.equal(count(), 2);
  const other = bench.engine.list(9).find(({ device }) => device === 'pump-2')!.id;
  await bench.engine.handle(other, { kind: 'feedback', verdict: 'real' }, 'Ada');
  assert.equal(moved(other), undefined, 'there was nothing to take back');
  await bench.feed(tape.block([...pattern('pump-1', 'xx', ruleFlag()), ...pattern('pump-1', quiet)]));
  assert.equal(count(), 3, 'a rule is a fact');
  await alarm('pump-1', 0.75);
  assert.equal(count(), 4);
  // Whatever is called a false alarm, it does not go deaf.
  await bench.engine.handle(bench.engine.list(1)[0]!.id, { kind: 'feedback', verdict: 'false-alarm' }, 'Ada');
  await alarm('pump-1', 0.8);
  assert.equal(count(), 5);
  await bench.engine.handle(id, { kind: 'feedback', verdict: 'real' }, 'Ada');
  await alarm('pump-1', 0.65);
  assert.equal(count(), 6, 'the own threshold of the model holds again');
});

test('what opens during maintenance is mailed only if it outlasts it', async t => {
  const clock = new FakeClock();
  const startMs = Date.UTC(2026, 0, 1);
  const window = (name: string, from: number, to: number, devices: string[]) => ({
    name,
    from: new Date(startMs + from * 1000).toISOString(),
    to: new Date(startMs + to * 1000).toISOString(),
    devices,
  });
  const maintenance = [
    window('pump overhaul', 0, 3600, ['pump-1']),
    window('elsewhere', 0, 3600, ['pump-9']),
  ];
  const bench = await AlertBench.open(t, { clock, alerts: { maintenance } });
  await clock.advance(startMs - clock.now());
  const tape = tapeOf('pump-1', 'pump-2');
  await bench.feed(tape.block(pattern('pump-1', 'xxx')), tape.block(pattern('pump-2', 'xxx')));
  const [one] = bench.engine.list(2).filter(({ device }) => device === 'pump-1');
  assert.equal(one!.handling!.maintenance!.name, 'pump overhaul');
  assert.equal(bench.mailIds().length, 1, 'of pump-2 only');
  await clock.advance(3_601_000);
  await bench.feed(tape.block(pattern('pump-1', 'x')));
  assert.ok(bench.mailIds().includes(`${one!.id}-opened`));
});

test('what somebody muted is told as soon as that ends, also that it is over; what began and ended meanwhile is not', async t => {
  const clock = new FakeClock();
  const bench = await AlertBench.open(t, { clock, alerts: { closeAfterMs: 5000, reopenWithinMs: 5000 } });
  const tape = tapeOf('pump-1');
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  const { id } = bench.engine.list(1)[0]!;
  await bench.engine.handle(id, { kind: 'mute', minutes: 10 }, 'Ada');
  await bench.feed(tape.block(pattern('pump-1', '.'.repeat(30))));
  assert.equal(bench.engine.get(id)!.state, 'closed');
  assert.deepEqual(bench.mailIds(), [`${id}-opened`]);
  await clock.advance(11 * 60_000);
  await bench.engine.tick(clock.now());
  assert.deepEqual(bench.mailIds(), [`${id}-opened`, `${id}-closed`]);
});

test('an incident that outlasts its maintenance is mailed without a further row; one that does not, never', async t => {
  const clock = new FakeClock();
  await clock.advance(Date.UTC(2026, 0, 1) - clock.now());
  const window = { name: 'overhaul', from: '2026-01-01T00:00:00Z', to: '2026-01-01T01:00:00Z' };
  const alerts = { maintenance: [window], closeAfterMs: 5000, reopenWithinMs: 5000 };
  const bench = await AlertBench.open(t, { clock, alerts });
  const tape = tapeOf('pump-1', 'pump-2');
  await bench.feed(
    tape.block(pattern('pump-1', 'xxx')),
    tape.block([...pattern('pump-2', 'xxx'), ...pattern('pump-2', '.'.repeat(30))]),
  );
  const of = (device: string) => bench.engine.list(2).find(one => one.device === device)!;
  assert.equal(of('pump-2').state, 'closed');
  await clock.advance(3_590_000);
  await bench.feed(tape.block(pattern('pump-1', 'x')));
  await clock.advance(11_000);
  await bench.engine.tick(clock.now());
  await bench.engine.handle(of('pump-2').id, { kind: 'feedback', verdict: 'real' }, 'Ada');
  assert.deepEqual(bench.mailIds(), [`${of('pump-1').id}-opened`]);
});

test('muted before its first mail it has none, whatever is done with it when it is over', async t => {
  const diagnose = ({ lastMs }: Incident) => aDiagnosis({ atMs: lastMs });
  const bench = await AlertBench.open(t, { diagnose, alerts: { closeAfterMs: 5000, reopenWithinMs: 5000 } });
  const tape = tapeOf('pump-1');
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  const { id } = bench.engine.list(1)[0]!;
  await bench.engine.handle(id, { kind: 'mute', minutes: 10 }, 'Ada');
  await bench.feed(tape.block(pattern('pump-1', '.'.repeat(30))));
  await bench.engine.handle(id, { kind: 'mute', minutes: 0 }, 'Ada');
  await bench.engine.handle(id, { kind: 'acknowledge' }, 'Ada');
  assert.equal(bench.engine.get(id)!.state, 'closed');
  assert.deepEqual(bench.mailIds(), []);
});
