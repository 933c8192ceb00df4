import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { temporaryFolder } from '../../testing/alert-bench.js';
import { healthRows } from '../../testing/health-rows.js';
import type { Finding } from '../finding.js';
import { AwayHabits } from '../rules/away-habits.js';
import { readPast, writePast } from './kept-past.js';
import { PastJudge } from './past-judge.js';

const seed = testSeed('past judge');
const minuteMs = 60_000;
const dayMinutes = 1440;
/** A Monday. */
const startMs = Date.UTC(2026, 0, 5);

type Values = Record<string, number>;

/** Two gateways, a look a minute. */
class Fleet {
  judge = new PastJudge();
  minute = 0;
  told = new Set<string>();
  isDisturbed = false;
  /** What becomes of the values of gw-1. */
  fault = (values: Values): Values => values;
  /** Of all. */
  rate = (_minute: number) => 100;
  readonly #normal = gaussian(seededRng(seed));

  get nowMs(): number {
    return startMs + this.minute * minuteMs;
  }

  /** @returns what is told at the last look */
  pass(minutes: number, each: (found: Finding[], minutes: number) => boolean = () => false): Finding[] {
    let found: Finding[] = [];
    for (let i = 1; i <= minutes; i++) {
      this.minute += 1;
      const rows = [
        healthRows(
          'pipeline-gateway',
          { 'gw-1': this.fault(this.#values()), 'gw-2': this.#values() },
          this.nowMs,
        ),
      ];
      const { nowMs, told, isDisturbed } = this;
      found = this.judge.judge({ rows, nowMs, told, isDisturbed, siteOf: () => 'north' });
      if (each(found, i)) return found;
    }
    return found;
  }

  /** @returns after how many minutes something is told, and what */
  untilTold(most: number): { readonly minutes: number; readonly found: Finding } | undefined {
    let told: { minutes: number; found: Finding } | undefined;
    this.pass(most, ([found], minutes) => {
      if (found) told = { minutes, found };
      return found !== undefined;
    });
    return told;
  }

  quiet(minutes: number): void {
    this.pass(minutes, found => {
      assert.deepEqual(found, [], `SEED=${seed}, minute ${this.minute}`);
      return false;
    });
  }

  #values(): Values {
    const near = (value: number) => value * Math.exp(0.1 * this.#normal());
    return {
      rows_per_second: near(this.rate(this.minute)),
      read_delay: near(0.1),
      sent_delay: near(0.2),
      event_delay_p99: near(0.4),
      outbox_age: near(1),
      cpu_share: near(0.2),
      resident_memory: near(1e8),
    };
  }
}

const slowWay = (values: Values) => ({
  ...values,
  sent_delay: 3 * values.sent_delay!,
  event_delay_p99: 2 * values.event_delay_p99!,
});

function known(): Fleet {
  const fleet = new Fleet();
  fleet.quiet(3 * dayMinutes);
  return fleet;
}

test('what doubles below every limit is told with its hop, gets graver, and ends; the other gateway is not told', () => {
  const fleet = known();
  fleet.fault = slowWay;
  const told = fleet.untilTold(60);
  assert.ok(told && told.minutes <= 40, `${told?.minutes} min`);
  const { kind, device, site, severity, causes, facts, channels } = told.found;
  assert.deepEqual([kind, device, site, severity], ['gateway-unusual', 'gw-1', 'north', 'info']);
  assert.equal(causes[0]?.[0], 'pipeline-network-gateway');
  assert.match(
    facts.join(' '),
    /delay from its agent to the collector, of late [56]\d\d ms; usual is 2\d\d ms/,
  );
  assert.ok(channels.some(one => one.field === 'sent_delay' && one.direction === 'high'));
  const [later] = fleet.pass(15);
  assert.deepEqual([later?.severity, later?.title], ['warning', told.found.title]);
  fleet.fault = values => values;
  fleet.pass(60);
  fleet.quiet(dayMinutes);
});

test('bad minutes, what gets better, and a backlog are none', () => {
  const fleet = known();
  fleet.fault = slowWay;
  fleet.quiet(10);
  fleet.fault = values => ({ ...values, rows_per_second: 3 * values.rows_per_second!, sent_delay: 0.01 });
  fleet.quiet(120);
  fleet.fault = values => ({ ...slowWay(values), late_rows: 5 });
  fleet.quiet(120);
});

test('where a rule has something to say, or all is disturbed, nothing is said or learned', () => {
  const fleet = known();
  fleet.fault = slowWay;
  fleet.told = new Set(['gw-1']);
  fleet.quiet(2 * dayMinutes);
  fleet.told = new Set();
  assert.ok(fleet.untilTold(60), 'it has not become usual');
  fleet.isDisturbed = true;
  fleet.quiet(5);
  const disturbed = known();
  disturbed.fault = slowWay;
  disturbed.isDisturbed = true;
  disturbed.quiet(2 * dayMinutes);
  disturbed.isDisturbed = false;
  assert.ok(disturbed.untilTold(60), 'nor while all was disturbed');
});

test('what has been so for a day is usual', () => {
  const fleet = known();
  fleet.fault = slowWay;
  assert.ok(fleet.untilTold(60));
  fleet.pass(dayMinutes + 60);
  fleet.quiet(4 * dayMinutes);
});

test('a rate that falls is told once its week is known; free Saturdays are not', () => {
  const fleet = new Fleet();
  fleet.rate = minute => (Math.floor(minute / dayMinutes) % 7 >= 5 ? 20 : 100);
  fleet.quiet(15 * dayMinutes);
  fleet.fault = values => ({ ...values, rows_per_second: 0.6 * values.rows_per_second! });
  const told = fleet.untilTold(60);
  assert.match(told?.found.title ?? '', /rows a second lower than usual/);
});

test('a restart goes on with what is usual, and with what is out; damage learns anew', async t => {
  const file = path.join(await temporaryFolder(t), 'past.state');
  const fleet = known();
  fleet.fault = slowWay;
  const first = fleet.untilTold(60);
  const keep = { judge: fleet.judge, habits: new AwayHabits() };
  await writePast(file, keep, fleet.nowMs, silentLogger);
  fleet.judge = (await readPast(file, fleet.nowMs, silentLogger)).judge;
  const [again] = fleet.pass(2);
  assert.deepEqual([again?.title, again?.sinceMs], [first?.found.title, first?.found.sinceMs]);
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
  fleet.judge = (await readPast(file, fleet.nowMs, silentLogger)).judge;
  fleet.quiet(60);
});

test('what was out before it was away for long is judged anew', async t => {
  const file = path.join(await temporaryFolder(t), 'past.state');
  const fleet = known();
  fleet.fault = slowWay;
  assert.ok(fleet.untilTold(60));
  await writePast(file, { judge: fleet.judge, habits: new AwayHabits() }, fleet.nowMs, silentLogger);
  fleet.minute += 120;
  fleet.judge = (await readPast(file, fleet.nowMs, silentLogger)).judge;
  fleet.fault = values => values;
  fleet.quiet(60);
});

test('where room is short it is not saved', async t => {
  const file = path.join(await temporaryFolder(t), 'past.state');
  const past = { judge: new PastJudge(), habits: new AwayHabits() };
  await writePast(file, past, startMs, silentLogger, Number.MAX_SAFE_INTEGER);
  assert.equal(existsSync(file), false);
  await writePast(file, past, startMs, silentLogger, 1);
  assert.equal(existsSync(file), true);
});

test('there is an end to how many are watched', () => {
  const judge = new PastJudge();
  const many = Object.fromEntries(Array.from({ length: 6000 }, (_, i) => [`gw-${i}`, { sent_delay: 1 }]));
  for (const nowMs of [startMs, startMs + minuteMs, startMs + 2 * minuteMs])
    judge.judge({
      rows: [healthRows('pipeline-gateway', many, nowMs)],
      nowMs,
      told: new Set(),
      isDisturbed: false,
      siteOf: () => null,
    });
  assert.equal(
    [...judge.save(1000)].reduce((sum, { devices }) => sum + devices.length, 0),
    5000,
  );
});
