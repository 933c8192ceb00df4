import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Quality } from '@edgeward/shared/quality';
import { AlertBench, forestFlag, pattern, ruleFlag } from '../testing/alert-bench.js';
import { type RowSpec, Tape } from '../testing/deliveries.js';
import type { Incident } from './incident.js';

const startMs = Date.UTC(2026, 0, 1);
const onePump = (seed: number) => new Tape({ seed, devices: ['pump-1'] });

function only(incidents: readonly Incident[]): Incident {
  assert.equal(incidents.length, 1);
  const [incident] = incidents;
  assert.ok(incident);
  return incident;
}

test('opens at the third flagged row among eight, with what a person needs', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(1);
  await bench.feed(tape.block(pattern('pump-1', '..x...x')));
  assert.equal(bench.engine.list(10).length, 0);
  await bench.feed(tape.block(pattern('pump-1', '.x')));
  const incident = only(bench.engine.list(10));
  assert.equal(incident.title, 'pump-1: discharge_pressure high, flow low');
  assert.equal(incident.state, 'open');
  assert.equal(incident.severity, 'warning');
  assert.equal(incident.site, 'north');
  assert.equal(incident.rows, 3);
  assert.equal(incident.firstMs, startMs + 2000);
  assert.equal(incident.openedMs, startMs + 8000);
  assert.equal(incident.channels[0]?.unit, 'bar');
  assert.match(incident.recommendations[0] ?? '', /blockage/);
  assert.equal(bench.engine.openFor('gw-1', 'pump-1')?.id, incident.id);
  assert.equal(bench.engine.openFor('gw-1', 'pump-2'), undefined);
  assert.deepEqual(bench.mailIds(), [`${incident.id}-opened`]);
  assert.equal(bench.mails.list(1)[0]?.state, 'kept');
});

test('rows that come without reasons, as most of a long alarm do, take nothing from those that gave some', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(1);
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  const before = only(bench.engine.list(10));
  await bench.feed(tape.block(pattern('pump-1', 'x'.repeat(30), { ...forestFlag(), channels: [] })));
  const after = only(bench.engine.list(10));
  assert.equal(after.rows, 33);
  assert.equal(after.explainedRows, 3);
  assert.deepEqual(after.channels, before.channels);
  assert.equal(after.title, before.title);
});

test('what a rule looks at comes with its name, unit and limit, from the row that was farthest beyond it', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(1);
  const broken = (what: string, value: number) => {
    const named = { field: 'discharge_pressure', of: `${what}(discharge_pressure, 10m)`, value, limit: 6 };
    return pattern('pump-1', 'x', { ...ruleFlag(), channels: [{ ...named, direction: 'high', weight: 1 }] });
  };
  const first = () => only(bench.engine.list(10)).channels[0];
  for (const value of [7, 9, 8]) await bench.feed(tape.block(broken('mean', value)));
  const { of, value, limit, unit } = first()!;
  assert.deepEqual(
    { of, value, limit, unit },
    { of: 'mean(discharge_pressure, 10m)', value: 9, limit: 6, unit: 'bar' },
  );
  await bench.feed(tape.block(broken('rate', 10)));
  assert.equal(first()?.unit, 'bar/s');
  await bench.feed(tape.block(broken('count', 11)));
  assert.equal(first()?.unit, null);
  await bench.feed(tape.block(pattern('pump-1', 'x')));
  const reading = first()!;
  assert.deepEqual([reading.of, reading.limit, reading.unit], [undefined, undefined, 'bar']);
  assert.deepEqual(reading.expected, [3.9, 5.1]);
});

test('rows of a rule that come without reasons are no word of a model', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(1);
  const [told] = pattern('pump-1', 'x', ruleFlag());
  const untold = { ...told!, unexplained: true };
  await bench.feed(tape.block([told!, untold, untold, untold]));
  const incident = only(bench.engine.list(10));
  assert.equal(incident.rows, 4);
  assert.equal(incident.explainedRows, 1);
  assert.equal(incident.detector, 'rule');
  assert.deepEqual(
    incident.timeline.map(({ text }) => text),
    ['Opened by rule overpressure: 2 flagged rows among the last 8'],
  );
});

test('flagged rows that lie further apart open nothing', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(2);
  await bench.feed(tape.block(pattern('pump-1', 'x..x....x..x....x.......')));
  await bench.feed(...Array.from({ length: 20 }, (_, i) => tape.block(pattern('pump-1', i % 4 ? '.' : 'x'))));
  assert.equal(bench.engine.list(10).length, 0);
});

test('two rows of a rule that is certain are enough, and critical', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(3);
  await bench.feed(tape.block(pattern('pump-1', 'x..x', ruleFlag(0.8))));
  assert.equal(bench.engine.list(10).length, 0, 'a rule that is not certain waits for the third row');
  await bench.feed(tape.block(pattern('pump-1', '..........x.x', ruleFlag(1))));
  const incident = only(bench.engine.list(10));
  assert.equal(incident.severity, 'critical');
  assert.equal(incident.detector, 'rule');
  assert.match(incident.timeline[0]?.text ?? '', /rule overpressure/);
  assert.equal(bench.mailIds().length, 1, 'the first mail already says critical');
});

test('closes in row time, reopens soon after, and is another one later', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(4);
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  const { id } = only(bench.engine.list(10));
  await bench.feed(tape.next(19));
  assert.equal(bench.engine.get(id)?.state, 'open');
  await bench.feed(tape.next(1));
  assert.equal(bench.engine.get(id)?.state, 'closed');
  assert.equal(bench.engine.get(id)?.closedMs, startMs + 22_000);
  assert.equal(bench.engine.openFor('gw-1', 'pump-1'), undefined);
  assert.equal(bench.mailIds().length, 1, 'it may reopen yet');

  tape.skip('pump-1', 110_000);
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  const reopened = only(bench.engine.list(10));
  assert.equal(reopened.id, id);
  assert.equal(reopened.state, 'open');
  assert.equal(reopened.closedMs, null);
  assert.equal(reopened.rows, 6);
});

test('says that it is over once it cannot reopen any more', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(5);
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  const { id } = only(bench.engine.list(10));
  await bench.feed(tape.next(20));
  await bench.feed(tape.next(120));
  assert.deepEqual(bench.mailIds(), [`${id}-opened`]);
  await bench.feed(tape.next(1));
  assert.deepEqual(bench.mailIds(), [`${id}-opened`, `${id}-closed`]);
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  assert.equal(bench.engine.list(10).length, 2);
  assert.notEqual(bench.engine.list(1)[0]?.id, id);
});

test('a device that goes silent is closed and settled by the wall clock', async t => {
  const bench = await AlertBench.open(t);
  await bench.feed(onePump(6).block(pattern('pump-1', 'xxx')));
  const { id } = only(bench.engine.list(10));
  await bench.clock.advance(60_000);
  await bench.engine.tick(bench.clock.now());
  assert.equal(bench.engine.get(id)?.state, 'open');
  await bench.clock.advance(1);
  await bench.engine.tick(bench.clock.now());
  assert.equal(bench.engine.get(id)?.state, 'closed');
  assert.match(bench.engine.get(id)?.timeline.at(-1)?.text ?? '', /nothing for 1 min/);
  assert.equal(bench.mailIds().length, 1);
  await bench.clock.advance(120_001);
  await bench.engine.tick(bench.clock.now());
  assert.deepEqual(bench.mailIds(), [`${id}-opened`, `${id}-closed`]);
});

test('one mail when it becomes critical, and no more', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(7);
  await bench.feed(tape.block(pattern('pump-1', 'xxx', forestFlag(0.66))));
  const { id, severity } = only(bench.engine.list(10));
  assert.equal(severity, 'warning');
  await bench.feed(tape.block(pattern('pump-1', 'x', forestFlag(0.9))));
  await bench.feed(tape.block(pattern('pump-1', '.xx.x', forestFlag(0.95))));
  assert.equal(bench.engine.get(id)?.severity, 'critical');
  assert.equal(bench.engine.get(id)?.peakScore, 0.95);
  assert.deepEqual(bench.mailIds(), [`${id}-opened`, `${id}-critical`]);
  const subjects = bench.mails.list(10).map(mail => mail.subject);
  assert.match(subjects[0] ?? '', /^\[critical\] north\/gw-1 pump-1: /);
  assert.match(subjects[1] ?? '', /^\[warning\] /);
});

test('late rows raise no alarm; they count where an incident is', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(8);
  await bench.feed(tape.block(pattern('pump-1', 'xxxxx'), { late: true }));
  assert.equal(bench.engine.list(10).length, 0);
  await bench.feed(tape.block(pattern('pump-1', 'xx')));
  assert.equal(bench.engine.list(10).length, 0, 'and they do not count towards one');
  await bench.feed(tape.block(pattern('pump-1', '.x')));
  const { id, firstMs } = only(bench.engine.list(10));
  const backlog = [firstMs - 1, firstMs + 1, firstMs + 2].map(timeMs => ({
    device: 'pump-1',
    timeMs,
    flag: forestFlag(),
  }));
  await bench.feed(tape.block(backlog, { late: true }));
  assert.equal(bench.engine.get(id)?.rows, 5);
  assert.equal(bench.mailIds().length, 1);
  assert.equal(bench.engine.counts().lateRows, 8);
});

test('rows of a model that is still warming up do not count', async t => {
  const bench = await AlertBench.open(t);
  const rows = pattern('pump-1', 'xxxxx').map(row => ({ ...row, quality: Quality.warmUp }));
  await bench.feed(onePump(9).block(rows));
  assert.equal(bench.engine.list(10).length, 0);
});

test('a stuck sensor is an incident although no model says so', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(10);
  const bad = Quality.stuck;
  const stuck: RowSpec = {
    device: 'pump-1',
    pressure: 4.5,
    quality: bad,
    fieldQuality: { discharge_pressure: bad },
  };
  await bench.feed(tape.block([...Array<RowSpec>(4).fill(stuck), { device: 'pump-1' }]));
  await bench.feed(tape.block(Array<RowSpec>(6).fill(stuck)));
  assert.equal(bench.engine.list(10).length, 0, 'not yet: a break between, then two rows that count');
  await bench.feed(tape.block([stuck]));
  const incident = only(bench.engine.list(10));
  assert.equal(incident.title, 'pump-1: discharge_pressure stuck');
  assert.equal(incident.detector, 'quality');
  assert.equal(incident.severity, 'warning');
  assert.match(incident.recommendations[0] ?? '', /sensor/);
});

test('a value outside its bounds names the side, and a machine alarm may join', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(11);
  const bad = Quality.outOfRange;
  const out: RowSpec = {
    device: 'pump-1',
    pressure: 99,
    quality: bad,
    fieldQuality: { discharge_pressure: bad },
  };
  await bench.feed(tape.block(Array<RowSpec>(7).fill(out)));
  const incident = only(bench.engine.list(10));
  assert.equal(incident.channels[0]?.direction, 'high');
  assert.deepEqual(incident.channels[0]?.expected, [0, 16]);
  await bench.feed(tape.block(pattern('pump-1', 'x')));
  const joined = bench.engine.get(incident.id);
  assert.equal(joined?.detector, 'forest');
  assert.ok(joined?.timeline.some(note => note.text === 'The model finds it unusual too'));
});

test('rows out of order count like others, and a clock that was set back cannot keep it open', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(12);
  const at = (offset: number, flagged: boolean): RowSpec => ({
    device: 'pump-1',
    timeMs: startMs + offset,
    ...(flagged && { flag: forestFlag() }),
  });
  await bench.feed(tape.block([at(5000, true), at(2000, true), at(9000, false), at(3000, true)]));
  const { id, firstMs, lastMs } = only(bench.engine.list(10));
  assert.deepEqual([firstMs, lastMs], [startMs + 2000, startMs + 5000]);
  const dayMs = 86_400_000;
  await bench.feed(tape.block([at(10_000 - dayMs, false)]));
  await bench.feed(tape.block([at(31_000 - dayMs, false)]));
  assert.equal(bench.engine.get(id)?.state, 'closed');
});

test('a storm sends as many mails as configured, and tells the rest on the page', async t => {
  const devices = Array.from({ length: 30 }, (_, i) => `pump-${i + 1}`);
  const tape = new Tape({ seed: 13, devices });
  const bench = await AlertBench.open(t, { alerts: { stormDevices: 20 } });
  for (const device of devices) await bench.feed(tape.block(pattern(device, 'xxx')));
  assert.equal(bench.engine.list(100).length, 30);
  assert.equal(bench.mailIds().length, 20);
  const first = bench.engine.list(100).find(incident => incident.device === 'pump-1');
  const summary = first?.timeline.filter(note => note.text.startsWith('Alarm storm'));
  assert.equal(summary?.length, 1);
  assert.match(summary?.[0]?.text ?? '', /gw-1\/pump-21.*gw-1\/pump-30/);
  // The held-back ones stay silent to the end, the others say that it is over.
  await bench.feed(tape.next(141));
  assert.equal(bench.mailIds().length, 40);
  // Calm again: the next one gets its mail.
  await bench.feed(tape.block(pattern('pump-30', 'xxx')));
  assert.equal(bench.mailIds().length, 41);
});

test('one tick ends a few at most of those that fell silent together, and the next ones the rest', async t => {
  const devices = Array.from({ length: 50 }, (_, i) => `pump-${i + 1}`);
  const tape = new Tape({ seed: 13, devices });
  const bench = await AlertBench.open(t, { alerts: { stormDevices: 100 } });
  const calm = Array.from({ length: 50 }, (_, i) => `fan-${i + 1}`);
  const fans = new Tape({ seed: 14, devices: calm, gateway: 'gw-2' });
  await bench.feed(fans.block(calm.flatMap(device => pattern(device, 'x'))));
  const block = tape.block(devices.flatMap(device => pattern(device, 'xxx')));
  await bench.feed({ ...block, position: bench.position + 1 });
  const closed = () => bench.engine.list(100).filter(({ state }) => state === 'closed').length;
  await bench.clock.advance(61_000);
  await bench.engine.tick(bench.clock.now());
  assert.ok(closed() > 0 && closed() <= 20, `${closed()} at once`);
  await bench.later();
  assert.equal(closed(), 50);
});

test('a thousand closed incidents are kept, the oldest go', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump(14);
  const blocks = Array.from({ length: 1005 }, () => {
    const block = tape.block([...pattern('pump-1', 'xxx'), { device: 'pump-1' }]);
    tape.skip('pump-1', 200_000);
    return block;
  });
  for (let at = 0; at < blocks.length; at += 250) await bench.feed(...blocks.slice(at, at + 250));
  const all = bench.engine.list(5000);
  // The last one is still open.
  assert.equal(all.length, 1001);
  assert.equal(all.at(-1)?.firstMs, startMs + 4 * 204_000);
  assert.ok(bench.mails.list(5000).length <= 1250, 'what one commit adds goes with the next');
});

test('hostile rows end no process', async t => {
  const bench = await AlertBench.open(t);
  const tape = new Tape({ seed: 15, devices: ['__proto__', 'a/b\n'] });
  const nan = { ...forestFlag(Number.NaN), threshold: Number.NaN };
  const rows = tape.devices.flatMap(device => [
    ...pattern(device, 'xxx', nan),
    { device, timeMs: Number.NaN, flag: nan },
    { device, timeMs: Number.POSITIVE_INFINITY, flag: nan },
  ]);
  await bench.feed(tape.block(rows, { ingestedMs: 1 }));
  assert.equal(bench.engine.list(10).length, 2);
  assert.equal(bench.mailIds().length, 2);
});
