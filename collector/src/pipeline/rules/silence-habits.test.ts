/** Gateways that are switched off each evening without a goodbye. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { temporaryFolder } from '../../testing/alert-bench.js';
import { healthConfig } from '../config.js';
import { readPast, writePast } from '../past/kept-past.js';
import { PastJudge } from '../past/past-judge.js';
import type { GatewayReading, Reading } from '../readings.js';
import type { AwayHabits } from './away-habits.js';
import { SilenceRule } from './silence-rule.js';

const minuteMs = 60_000;
const dayMinutes = 1440;
/** A Monday. */
const startMs = Date.UTC(2026, 0, 5);

class Box {
  rule: SilenceRule;
  minute = 0;
  #heardMinute = 0;
  #stopped = false;

  constructor(habits?: AwayHabits) {
    this.rule = new SilenceRule(habits);
  }

  get nowMs(): number {
    return startMs + this.minute * minuteMs;
  }

  /** Looks a minute apart until then. @returns minutes at which it was told to be silent */
  until(minute: number, isOn: boolean, stopped = false): number {
    let told = 0;
    if (stopped) this.#heardMinute = this.minute; // its goodbye
    for (; this.minute < minute; this.minute++) {
      if (isOn) this.#heardMinute = this.minute;
      this.#stopped = stopped;
      told += this.#look();
    }
    return told;
  }

  /** Days from 6 to 18 o'clock, off between. @returns minutes told of each night */
  days(from: number, to: number, isOn = (_day: number) => true): number[] {
    return Array.from({ length: to - from }, (_, i) => from + i).map(day => {
      const at = (hour: number) => day * dayMinutes + hour * 60;
      const before = this.until(at(6), false);
      return before + this.until(at(18), isOn(day)) + this.until(at(24), false);
    });
  }

  #look(): number {
    const silentMs = (this.minute - this.#heardMinute) * minuteMs;
    const gateway = { id: 'gw', site: null, online: false, stopped: this.#stopped, isAgent: true, silentMs };
    const known = { epoch: 'e', devices: 1, gaps: 10, knownMs: 1e6, usualGapMs: 1000 };
    const reading = {
      nowMs: this.nowMs,
      atMs: 1000 + this.minute * minuteMs,
      gateways: [{ ...gateway, ...known } as GatewayReading],
    } as unknown as Reading;
    const look = { reading, before: undefined, config: healthConfig.parse({}), lasting: () => 0 };
    return this.rule.judge(look, Number.POSITIVE_INFINITY).length;
  }
}

test('who is off each evening is told twice, then not; one morning that it does not come it is', () => {
  const box = new Box();
  const told = box.days(0, 9, day => day !== 8);
  assert.ok(told[0]! > 300 && told[1]! > 600, `${told}`);
  assert.deepEqual(told.slice(3, 8), [0, 0, 0, 0, 0]);
  // 12 hours and a quarter more: from 9 o'clock on.
  assert.ok(told[8]! > 800 && told[8]! < 920, `${told[8]}`);
});

test('at another time of day it is missed as ever; two outages at different hours are no habit', () => {
  const box = new Box();
  box.days(0, 4);
  assert.equal(box.until(4 * dayMinutes + 6 * 60, false), 0);
  box.until(4 * dayMinutes + 10 * 60, true);
  assert.ok(box.until(4 * dayMinutes + 11 * 60, false) > 55);
  const other = new Box();
  for (const hour of [2, 10, 30])
    other.until(hour * 60, true) + other.until(hour * 60 + 120, false) + other.until(hour * 60 + 180, true);
  other.until(3 * dayMinutes - 360, true);
  assert.ok(other.until(3 * dayMinutes, false) > 350);
});

test('long weekends are known by their weekday, and make no evening longer', () => {
  const box = new Box();
  const isWorkday = (day: number) => day % 7 < 5;
  // Until the second one is over.
  box.days(0, 15, isWorkday);
  assert.deepEqual(box.days(15, 21, isWorkday), [0, 0, 0, 0, 0, 0]);
  // The fourth Tuesday it stays away.
  const [monday, tuesday] = box.days(21, 23, day => day === 21);
  assert.equal(monday, 0);
  assert.ok(tuesday! > 800, `${tuesday}`);
});

test('a goodbye teaches nothing; what is known outlives a restart', async t => {
  const polite = new Box();
  for (const day of [0, 1, 2]) {
    polite.until(day * dayMinutes + 720, true);
    polite.until(day * dayMinutes + 780, false);
    polite.until((day + 1) * dayMinutes, false, true);
  }
  polite.until(3 * dayMinutes + 720, true);
  assert.ok(polite.until(4 * dayMinutes, false) > 700);

  const file = path.join(await temporaryFolder(t), 'past.state');
  const box = new Box();
  box.days(0, 4);
  box.until(4 * dayMinutes + 18 * 60, true);
  const { habits } = box.rule;
  await writePast(file, { judge: new PastJudge(), habits }, box.nowMs, silentLogger);
  const kept = await readPast(file, box.nowMs, silentLogger);
  box.rule = new SilenceRule(kept.habits);
  assert.equal(box.until(5 * dayMinutes + 6 * 60, false), 0);
});
