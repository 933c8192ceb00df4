import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rng } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { TimeMemory } from './times.js';

const startUs = 1_790_000_000_000_000;
const hourUs = 3_600e6;

const first = testSeed('times');
const seeds = Array.from({ length: 20 }, (_, i) => first + i);

/** Claims and checks against a plain set of everything ever given. */
class Checked {
  readonly given = new Set<number>();
  /** How far rows were moved at most, µs. */
  farthest = 0;
  memory = new TimeMemory();
  constructor(private readonly seed: number) {}

  claim(us: number): number {
    const free = this.memory.claim(us);
    assert.ok(!this.given.has(free), `seed ${this.seed}: ${free} was given twice`);
    assert.ok(free >= us, `seed ${this.seed}`);
    this.given.add(free);
    this.farthest = Math.max(this.farthest, free - us);
    return free;
  }

  /** What a restart does. */
  restart(): void {
    this.memory = new TimeMemory(() => undefined, JSON.parse(JSON.stringify(this.memory)));
  }
}

const between = (rng: Rng, low: number, high: number) => low + Math.floor(rng() * (high - low));

test('no time on a grid of milliseconds is given twice, whatever jumps and restarts come (seeded)', () => {
  for (const seed of seeds) {
    const rng = seededRng(seed);
    const times = new Checked(seed);
    let now = startUs;
    for (let i = 0; i < 20_000; i++) {
      if (rng() < 0.003) now += between(rng, -5, 5) * hourUs;
      if (rng() < 0.001) now += between(rng, -40, 40) * 24 * hourUs;
      if (rng() < 0.003) times.restart();
      if (rng() < 0.9) now += between(rng, 0, 200) * 1000;
      times.claim(now);
    }
    // A millisecond is passed by about as many times as the clock went back there.
    assert.ok(times.farthest < 1000, `seed ${seed}: a row moved by ${times.farthest} µs`);
  }
});

test('after the clock went back by hours, every row of the past stretch moves by one microsecond', () => {
  const times = new Checked(0);
  for (let i = 0; i < 100_000; i++) times.claim(startUs + i * 100_000);
  for (let pass = 1; pass <= 3; pass++) {
    for (let i = 0; i < 100_000; i += 7)
      assert.equal(times.claim(startUs + i * 100_000), startUs + i * 100_000 + pass);
    times.restart();
  }
});

test('times between those of the past stretch stay where they are', () => {
  const times = new Checked(0);
  for (let i = 0; i < 1000; i++) times.claim(startUs + i * 1e6);
  for (let i = 0; i < 1000; i++) assert.equal(times.claim(startUs + i * 1e6 + 500), startUs + i * 1e6 + 500);
});

test('a forward jump and the way back leave the rows after it alone', () => {
  const times = new Checked(0);
  const monthUs = 30 * 24 * hourUs;
  for (let i = 0; i < 100; i++) times.claim(startUs + i * 1e6);
  for (let i = 100; i < 200; i++) times.claim(startUs + monthUs + i * 1e6);
  for (let i = 200; i < 300; i++) assert.equal(times.claim(startUs + i * 1e6), startUs + i * 1e6);
});

test('of times with arbitrary microseconds, the last 20,000 are not given again, and none moves far (seeded)', () => {
  for (const seed of seeds) {
    const rng = seededRng(seed);
    const times = new TimeMemory();
    const lastGiven = new Map<number, number>();
    let now = startUs;
    for (let i = 0; i < 60_000; i++) {
      if (rng() < 0.0001) now -= between(rng, 0, 2e9);
      now += between(rng, 0, 200_000);
      const us = times.claim(now);
      assert.ok(i - (lastGiven.get(us) ?? -1e9) > 20_000, `seed ${seed}: row ${i} has the time of another`);
      assert.ok(us - now < 10_000, `seed ${seed}: row ${i} moved by ${us - now} µs`);
      lastGiven.set(us, i);
    }
  }
});

test('rows out of order by a little move by a few microseconds (seeded)', () => {
  for (const seed of seeds) {
    const rng = seededRng(seed);
    const times = new Checked(seed);
    let moved = 0;
    for (let i = 0; i < 20_000; i++) {
      const us = startUs + (i * 100 - between(rng, 0, 3000)) * 1000;
      moved += times.claim(us) - us;
    }
    assert.ok(moved / 20_000 < 10, `seed ${seed}: rows moved by ${moved / 20_000} µs`);
  }
});

test('times with evenly spread microseconds are left alone going on, and moved a little coming again', () => {
  const times = new Checked(0);
  const at = (i: number) => startUs + i * 137_777;
  for (let i = 0; i < 20_000; i++) assert.equal(times.claim(at(i)), at(i));
  for (let i = 0; i < 20_000; i++) times.claim(at(i));
  assert.ok(times.farthest < 100, `a row moved by ${times.farthest} µs`);
});

test('many rows at one time, and the same again, stay apart', () => {
  const times = new Checked(0);
  for (let pass = 0; pass < 3; pass++) {
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < 1500; i++) times.claim(startUs + second * 1e6);
    }
    times.restart();
  }
  assert.ok(times.farthest < 5000);
});

test('rows of two distant stretches in turn, and rows in reverse order, stay apart', () => {
  const times = new Checked(0);
  for (let i = 0; i < 5000; i++) {
    times.claim(startUs + i * 1000);
    times.claim(startUs - 90 * 24 * hourUs + i * 60e6);
    times.claim(startUs - 200 * 24 * hourUs - i * 20 * 60e6);
  }
});

test('times in no order at all: memory, work and moves are bounded (seeded)', () => {
  const seed = 5;
  const rng = seededRng(seed);
  const times = new TimeMemory();
  const cpu = process.cpuUsage();
  const rows = 30_000;
  for (let i = 0; i < rows; i++) {
    const us = startUs + between(rng, -1e12, 1e12);
    const moved = times.claim(us) - us;
    assert.ok(moved <= 2e6, `seed ${seed}: row ${i} moved by ${moved} µs`);
  }
  const { user } = process.cpuUsage(cpu);
  assert.ok(user < rows * 500, `${user / rows} µs a row`);
  const bytes = JSON.stringify(times).length;
  assert.ok(bytes < 16_384, `${bytes} bytes`);
});

test('arbitrary microseconds for long, and slow rows for long, keep to the bounds of memory', () => {
  for (const stepUs of [137_777, 1_000_003 * 700]) {
    const times = new TimeMemory();
    for (let i = 0; i < 60_000; i++) times.claim(startUs + i * stepUs);
    const bytes = JSON.stringify(times).length;
    assert.ok(bytes < 16_384, `${bytes} bytes`);
  }
});

test('a stretch passed more often than it has microseconds is left behind', () => {
  const times = new Checked(0);
  for (let i = 0; i < 3; i++) times.claim(startUs + i * 1000);
  for (let pass = 0; pass < 1100; pass++) times.claim(startUs + 1000);
  for (let pass = 0; pass < 1100; pass++) {
    times.claim(startUs);
    times.claim(startUs + 1000);
  }
});
