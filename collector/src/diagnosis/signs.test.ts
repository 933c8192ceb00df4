import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { type Sign, signsOf } from './signs.js';

const startMs = Date.UTC(2026, 0, 5);
const seed = 7;
const onset = 1200;

/** One channel at 1 Hz around 50 ± 1, changed from the onset on. */
function signOf(change: (value: number, sinceOnset: number) => number | null, rows = onset + 60): Sign {
  const random = gaussian(seededRng(seed));
  const values = Array.from({ length: rows }, (_, i) => {
    const value = 50 + Math.sin(i / 90) + 0.05 * random();
    return i < onset ? value : change(value, i - onset);
  });
  const time = values.map((_, i) => startMs + 1000 * i);
  const [sign] = signsOf(
    { time, channels: [{ field: 'flow', unit: 'm3/h', values }] },
    startMs + 1000 * onset,
  );
  return sign!;
}

test(`a channel that goes on as before shows nothing (seed ${seed})`, () => {
  const sign = signOf(value => value);
  assert.ok(Math.abs(sign.shift) < 1.2, String(sign.shift));
  assert.deepEqual([sign.leftMs, sign.jumps, sign.stepped, sign.still], [null, 0, false, false]);
  assert.ok(sign.noise > 0.7 && sign.noise < 1.4, String(sign.noise));
});

test('a step and a ramp are told apart, with side, size and time', () => {
  const step = signOf(value => value + 10);
  assert.ok(step.shift > 6 && step.stepped, JSON.stringify(step));
  assert.equal(step.leftMs, startMs + 1000 * onset);
  const ramp = signOf((value, since) => value - since / 4);
  assert.ok(ramp.shift < -6 && !ramp.stepped, JSON.stringify(ramp));
  const laterMs = ramp.leftMs! - (startMs + 1000 * onset);
  assert.ok(laterMs > 0 && laterMs <= 15_000, String(laterMs));
});

test('the way back to the other side is not when it left', () => {
  const sign = signOf((value, since) => (since < 56 ? value - 15 : value + 15));
  assert.ok(sign.shift < -6, JSON.stringify(sign));
  assert.deepEqual([sign.leftMs, sign.stepped], [null, false]);
});

test('single readings that stand apart are counted, and do not count as a level or as noise', () => {
  const sign = signOf((value, since) => (since % 12 === 5 ? value + 20 : value));
  assert.equal(sign.jumps, 5);
  assert.ok(Math.abs(sign.shift) < 1.2);
  assert.ok(sign.noise < 2, String(sign.noise));
});

test('noise, standstill and silence are seen', () => {
  const random = gaussian(seededRng(seed + 1));
  assert.ok(signOf(value => value + 0.8 * random()).noise > 8);
  assert.equal(signOf(() => 50).still, true);
  const silent = signOf(() => null);
  assert.deepEqual([silent.now, silent.shift, silent.still], [null, 0, false]);
});

test('what has drifted all the time may go on', () => {
  const values = Array.from({ length: onset + 60 }, (_, i) => 10 + i / 300);
  const time = values.map((_, i) => startMs + 1000 * i);
  const [sign] = signsOf({ time, channels: [{ field: 'dock', unit: null, values }] }, startMs + 1000 * onset);
  assert.ok(Math.abs(sign!.shift) < 1.5, String(sign!.shift));
});

test('a switch is unusual once it stays for longer than it ever did', () => {
  const door = (openFor: number) => {
    const values = Array.from({ length: onset + openFor }, (_, i) => (i >= onset || i % 300 < 40 ? 1 : 0));
    const time = values.map((_, i) => startMs + 1000 * i);
    const channel = { field: 'doorOpen', unit: null, isSwitch: true, values };
    return signsOf({ time, channels: [channel] }, startMs + 1000 * onset)[0]!.shift;
  };
  assert.equal(door(30), 0);
  assert.ok(door(160) >= 4, String(door(160)));
});

test('too few rows before say nothing', () => {
  const time = Array.from({ length: 80 }, (_, i) => startMs + 1000 * i);
  const channel = { field: 'flow', unit: null, values: time.map((_, i) => (i < 25 ? 1 : 100)) };
  const [sign] = signsOf({ time, channels: [channel] }, time[25]!);
  assert.deepEqual([sign!.now, sign!.usual, sign!.shift], [100, null, 0]);
});

test('where the own past is too short, what the model was trained on counts', () => {
  const time = Array.from({ length: 20 }, (_, i) => startMs + 1000 * i);
  const channel = { field: 'flow', unit: null, values: time.map(() => 16) };
  const [sign] = signsOf({ time, channels: [channel] }, time[10]!, new Map([['flow', [4, 8]]]));
  assert.deepEqual([sign!.usual, sign!.since, sign!.shift], [[4, 8], 'training', 5]);
});
