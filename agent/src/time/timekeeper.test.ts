import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { Boot } from './boot.js';
import type { ClockEvent } from './clock-events.js';
import type { OsClock } from './os-clock.js';
import { Timekeeper, type TimekeeperOptions } from './timekeeper.js';

const releasedMs = Date.UTC(2026, 10, 1);
const trueMs = Date.UTC(2026, 11, 24, 12);
const dayMs = 86_400_000;
const waitMs = 600_000;

/** A machine whose clock shows what it likes. */
class Machine {
  readonly clock: FakeClock;
  readonly events: ClockEvent[] = [];
  readonly boot: Boot;
  /** The true time, whatever the clock shows. */
  trueMs: () => number;
  os: OsClock = 'unknown';
  changes = 0;

  constructor(wrongByMs: number, bootId = 'a'.repeat(32)) {
    const clock = new FakeClock({ nowMs: trueMs + wrongByMs });
    this.clock = clock;
    this.trueMs = () => trueMs + clock.monotonic();
    this.boot = { id: bootId, monotonic: () => clock.monotonic() + 12_345.5, afterGap: () => this.boot };
  }

  keeper(options: Partial<TimekeeperOptions> = {}): Timekeeper {
    const keeper = new Timekeeper({
      clock: this.clock,
      trust: 'auto',
      waitMs,
      boot: this.boot,
      os: () => this.os,
      releasedMs,
      onEvent: event => this.events.push(event),
      ...options,
    });
    keeper.onChange(() => {
      this.changes += 1;
    });
    return keeper;
  }

  /** Time passes, with a check every second as `run` makes it. */
  async pass(ms: number, keeper: Timekeeper): Promise<void> {
    const stop = new AbortController();
    const running = keeper.run(stop.signal);
    await this.clock.advance(ms);
    stop.abort();
    await running;
  }
}

/** A block made now: what a later correction needs. */
function blockNow(machine: Machine, keeper: Timekeeper) {
  const clock = keeper.stamp();
  assert.ok(clock, 'the clock should be in doubt');
  return { clock, atMs: machine.clock.now(), trueMs: machine.trueMs() };
}

function errorOf(keeper: Timekeeper, block: ReturnType<typeof blockNow>): number {
  const correction = keeper.correctionFor(block.clock, block.atMs);
  assert.ok(typeof correction === 'object', `there is no correction: ${correction}`);
  assert.equal(correction.unsure, false);
  return Math.abs(block.atMs + correction.offsetMs - block.trueMs);
}

test('a clock that nothing speaks against is believed: no stamps', () => {
  const keeper = new Machine(0).keeper({ state: { lastKnownMs: trueMs - 1000 } });
  assert.equal(keeper.status, 'synchronised');
  assert.equal(keeper.stamp(), undefined);
});

const wrong: readonly (readonly [string, number, OsClock, number])[] = [
  ['in 1970', -trueMs + 20_000, 'unknown', 0],
  ['before the release', releasedMs - trueMs - 1, 'unknown', 0],
  ['before the time last known', -dayMs, 'unknown', trueMs - 1000],
  ['not synchronised by the operating system', 0, 'unsynchronised', 0],
  ['in 1970 though the operating system says it is synchronised', -trueMs, 'synchronised', 0],
];
for (const [name, wrongByMs, os, lastKnownMs] of wrong)
  test(`a clock that is ${name} is in doubt, and rows wait`, () => {
    const machine = new Machine(wrongByMs);
    machine.os = os;
    const keeper = machine.keeper({ state: { lastKnownMs } });
    assert.equal(keeper.status, 'unsure');
    const { clock, atMs } = blockNow(machine, keeper);
    assert.match(clock.boot, /^[0-9a-f]{32}$/);
    assert.equal(keeper.correctionFor(clock, atMs), 'wait');
    assert.equal(machine.keeper({ trust: 'always' }).stamp(), undefined);
  });

test("the collector's time corrects what was read before and after it came, to half the round trip", async () => {
  const machine = new Machine(-trueMs + 20_000);
  const keeper = machine.keeper();
  const early = blockNow(machine, keeper);
  await machine.pass(90_000, keeper);
  const later = blockNow(machine, keeper);
  keeper.learn(machine.trueMs() - 30, 80);
  assert.equal(machine.changes, 1);
  await machine.pass(3_600_000, keeper);
  for (const block of [early, later, blockNow(machine, keeper)]) assert.ok(errorOf(keeper, block) <= 40);
  assert.equal(machine.changes, 1, 'no wait is left that could end');
});

test('the operating system sets the clock right: it is believed, and what was read before is corrected', async () => {
  const machine = new Machine(-trueMs + 20_000);
  machine.os = 'unsynchronised';
  const keeper = machine.keeper();
  const early = blockNow(machine, keeper);
  await machine.pass(60_000, keeper);
  machine.clock.stepWall(trueMs - 20_000);
  machine.os = 'synchronised';
  await machine.pass(2000, keeper);
  assert.equal(keeper.status, 'synchronised');
  assert.equal(machine.changes, 1);
  assert.ok(errorOf(keeper, early) < 1);
  assert.deepEqual(
    machine.events.map(({ kind, details }) => [kind, details.offsetMs]),
    [['clock', trueMs - 20_000]],
  );
});

for (const [byMs, offsetMs] of [
  [0, 0],
  [5, 0],
  [-900, -900],
] as const)
  test(`a clock that is believed after it was steered by ${byMs} ms: rows move by ${offsetMs} ms`, async () => {
    const machine = new Machine(0);
    machine.os = 'unsynchronised';
    const keeper = machine.keeper();
    const early = blockNow(machine, keeper);
    await machine.pass(10_000, keeper);
    machine.clock.stepWall(byMs);
    machine.os = 'synchronised';
    await machine.pass(6000, keeper);
    assert.equal(keeper.status, 'synchronised');
    assert.deepEqual(keeper.correctionFor(early.clock, early.atMs), { offsetMs, unsure: false });
    assert.deepEqual(machine.events, []);
  });

test('nobody knows the time: after the wait, rows go as they are and are marked', async () => {
  const machine = new Machine(-trueMs + 20_000);
  const keeper = machine.keeper();
  const early = blockNow(machine, keeper);
  await machine.pass(waitMs - 2000, keeper);
  assert.equal(keeper.correctionFor(early.clock, early.atMs), 'wait');
  assert.equal(machine.changes, 0);
  await machine.pass(4000, keeper);
  assert.equal(machine.changes, 1);
  assert.deepEqual(keeper.correctionFor(early.clock, early.atMs), { offsetMs: 0, unsure: true });
  keeper.learn(machine.trueMs(), 0);
  assert.ok(errorOf(keeper, blockNow(machine, keeper)) < 1, 'what comes after the knowledge is right');
});

for (const days of [30, -30])
  test(`the clock jumps by ${days} days: told, and rows are put right by what the collector said before`, async () => {
    const machine = new Machine(0);
    const keeper = machine.keeper();
    keeper.learn(machine.trueMs(), 4);
    await machine.pass(5000, keeper);
    machine.clock.stepWall(days * dayMs);
    keeper.check();
    assert.deepEqual(
      machine.events.map(({ text, details }) => [text.includes('30.0 days'), details.offsetMs]),
      [[true, days * dayMs]],
    );
    assert.ok(errorOf(keeper, blockNow(machine, keeper)) <= 2);
    machine.clock.stepWall(-days * dayMs);
    keeper.check();
    assert.equal(keeper.status, 'synchronised');
    assert.equal(machine.events.length, 2);
  });

test('a jump that nothing bears out puts the clock in doubt until the collector speaks', async () => {
  const machine = new Machine(0);
  const keeper = machine.keeper();
  machine.clock.stepWall(-2 * dayMs);
  keeper.check();
  const block = blockNow(machine, keeper);
  assert.equal(keeper.correctionFor(block.clock, block.atMs), 'wait');
  keeper.learn(machine.trueMs(), 4);
  assert.ok(errorOf(keeper, block) <= 2);
});

test('steering the clock is no jump, however long it goes on', async () => {
  const machine = new Machine(0);
  const keeper = machine.keeper();
  for (let i = 0; i < 60; i++) {
    machine.clock.stepWall(-500);
    await machine.pass(1000, keeper);
  }
  assert.deepEqual(machine.events, []);
  assert.equal(keeper.status, 'synchronised');
});

test("a clock that differs from the collector's is told at most once an hour, and still believed", async () => {
  const machine = new Machine(5000);
  const keeper = machine.keeper();
  const connect = () => keeper.learn(machine.trueMs(), 10);
  connect();
  await machine.pass(60_000, keeper);
  connect();
  assert.equal(machine.events.length, 1);
  assert.match(machine.events[0]!.text, /5\.0 s ahead of the collector/);
  await machine.pass(3_600_000, keeper);
  connect();
  assert.equal(machine.events.length, 2);
  assert.equal(keeper.stamp(), undefined);
});

test('a difference within the tolerance and the round trip is none', () => {
  const machine = new Machine(1900);
  const keeper = machine.keeper();
  keeper.learn(machine.trueMs(), 10);
  keeper.learn(machine.trueMs() - 2000, 2400);
  assert.deepEqual(machine.events, []);
});

test('a later process of the same boot corrects what an earlier one left', async () => {
  const machine = new Machine(-trueMs + 20_000);
  const first = machine.keeper();
  const early = blockNow(machine, first);
  first.learn(machine.trueMs(), 2);
  const state = JSON.parse(JSON.stringify(first.state()));
  await machine.clock.advance(5000);
  const second = machine.keeper({ state });
  assert.equal(second.status, 'unsure', 'the clock is still in 1970');
  assert.ok(errorOf(second, early) <= 1);
});

test('blocks of an earlier boot are corrected if its time became known, and else never will be', () => {
  const before = new Machine(-trueMs + 20_000, 'b'.repeat(32));
  const knew = before.keeper();
  const early = blockNow(before, knew);
  knew.learn(before.trueMs(), 2);
  const after = new Machine(0);
  assert.ok(errorOf(after.keeper({ state: knew.state() }), early) <= 1);
  assert.equal(after.keeper().correctionFor(early.clock, early.atMs), 'unknown-boot');
});

test('the latest time that is known to have been is never one that was in doubt', async () => {
  const machine = new Machine(-trueMs + 20_000);
  const keeper = machine.keeper({ state: { lastKnownMs: trueMs - dayMs } });
  assert.equal(keeper.state().lastKnownMs, trueMs - dayMs);
  keeper.learn(machine.trueMs(), 0);
  await machine.clock.advance(1000);
  assert.equal(keeper.state().lastKnownMs, machine.trueMs());
});

test('a wrong time that was once believed is corrected when the collector bears the clock out', async () => {
  const machine = new Machine(0);
  const keeper = machine.keeper({ state: { lastKnownMs: trueMs + 30 * dayMs } });
  assert.equal(keeper.status, 'unsure');
  keeper.learn(machine.trueMs(), 2);
  assert.equal(keeper.status, 'synchronised');
  assert.equal(keeper.state().lastKnownMs, machine.clock.now());
});

test('a sleep that the boot knows of is no jump', async () => {
  const machine = new Machine(0);
  let sleptMs = 0;
  let counted = 0;
  const boot: Boot = {
    id: 'c'.repeat(32),
    monotonic: () => machine.clock.monotonic() + counted,
    afterGap: () => {
      counted = sleptMs;
      return boot;
    },
  };
  const keeper = machine.keeper({ boot });
  sleptMs = 3_600_000;
  machine.clock.stepWall(sleptMs);
  keeper.check();
  assert.deepEqual(machine.events, []);
  assert.equal(keeper.status, 'synchronised');
});

test('where a sleep cannot be told from a jump ahead, it is told and the clock still believed', () => {
  const machine = new Machine(0);
  const next: Boot = { ...machine.boot, id: 'd'.repeat(32) };
  const keeper = machine.keeper({ boot: { ...machine.boot, afterGap: () => next } });
  machine.clock.stepWall(3_600_000);
  keeper.check();
  assert.match(machine.events[0]!.text, /or the machine slept/);
  assert.equal(keeper.status, 'synchronised');
  machine.clock.stepWall(-3_600_000);
  keeper.check();
  assert.equal(keeper.stamp()?.boot, next.id);
});

test('rows read before and after the clock was set come to be on one clock', async () => {
  const machine = new Machine(-trueMs + 20_000);
  const keeper = machine.keeper();
  keeper.learn(machine.trueMs(), 0);
  const fill = new TestBatches().next(6, [0]);
  const time = new Float64Array(6);
  const truth: number[] = [];
  for (let i = 0; i < 5; i++) {
    if (i === 3) machine.clock.stepWall(trueMs - 20_000);
    time[i] = machine.clock.now();
    truth.push(machine.trueMs());
    await machine.clock.advance(200);
  }
  time[5] = Date.UTC(2020, 0, 1); // from a recording
  const sealed = keeper.seal({ ...fill, time });
  assert.deepEqual([...sealed.batch.time], [...truth, time[5]]);
  assert.equal(sealed.clock, undefined, 'the collector bears out the clock as it is now');
  assert.equal(sealed.atMs, machine.clock.now());
  const again = [...keeper.seal({ ...fill, time }).batch.time];
  assert.deepEqual(again, [...sealed.batch.time]);
  await machine.pass(20 * 60_000, keeper);
  assert.equal(
    keeper.seal({ ...fill, time }).batch.time,
    time,
    'long after it, such times are from elsewhere',
  );
  const calm = { ...fill, time: fill.time.map((_, i) => machine.clock.now() + i) };
  assert.equal(keeper.seal(calm).batch, calm);
});

test('a row that fits the clock before and after it was set stays as it is', () => {
  const machine = new Machine(0);
  const keeper = machine.keeper();
  machine.clock.stepWall(-5000);
  const nowMs = machine.clock.now();
  const batch = { ...new TestBatches().next(2, [0]), time: Float64Array.of(nowMs, nowMs + 5000) };
  assert.deepEqual([...keeper.seal(batch).batch.time], [nowMs, nowMs]);
});

test('a collector that tells no time is ignored', () => {
  const machine = new Machine(-trueMs);
  const keeper = machine.keeper();
  keeper.learn(Number.NaN, 1);
  keeper.learn(trueMs, Number.NaN);
  const { clock, atMs } = blockNow(machine, keeper);
  assert.equal(keeper.correctionFor(clock, atMs), 'wait');
});
