import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { Chance, Wander } from './chance.js';
import { exp, lag, log, sinTurns } from './maths.js';

const seed = 11;

test(`our elementary functions agree with the engine's (seed ${seed})`, () => {
  const rng = seededRng(seed);
  for (let i = 0; i < 20_000; i++) {
    const x = (rng() - 0.5) * 80;
    assert.ok(Math.abs(exp(x) / Math.exp(x) - 1) < 1e-14, `exp(${x})`);
    const positive = rng() * 10 ** Math.round(rng() * 12 - 10) + Number.MIN_VALUE;
    assert.ok(Math.abs(log(positive) - Math.log(positive)) < 1e-14, `log(${positive})`);
    const turns = (rng() - 0.5) * 10;
    assert.ok(Math.abs(sinTurns(turns) - Math.sin(turns * 2 * Math.PI)) < 1e-13, `sinTurns(${turns})`);
  }
});

test('known values are met', () => {
  assert.equal(exp(0), 1);
  assert.equal(log(1), 0);
  assert.equal(sinTurns(0), 0);
  assert.ok(Math.abs(sinTurns(0.25) - 1) < 1e-15);
});

test('a lag never overshoots, however long the step', () => {
  for (const dtS of [0.01, 1, 100]) {
    const next = lag(0, 10, dtS, 0.5);
    assert.ok(next > 0 && next <= 10, `${next} after ${dtS} s`);
  }
});

test(`normal numbers have mean 0, spread 1 and the right tails (seed ${seed})`, () => {
  const chance = new Chance(seed, 'test');
  const drawn = Array.from({ length: 100_000 }, () => chance.normal());
  const mean = drawn.reduce((sum, z) => sum + z, 0) / drawn.length;
  const variance = drawn.reduce((sum, z) => sum + z * z, 0) / drawn.length;
  const beyond2 = drawn.filter(z => Math.abs(z) > 2).length / drawn.length;
  assert.ok(Math.abs(mean) < 0.015, `mean ${mean}`);
  assert.ok(Math.abs(variance - 1) < 0.02, `variance ${variance}`);
  assert.ok(Math.abs(beyond2 - 0.0455) < 0.004, `beyond 2: ${beyond2}`);
});

test(`a wandering quantity keeps its spread and forgets with its time constant (seed ${seed})`, () => {
  const wander = new Wander(new Chance(seed, 'wander'), 2, 50);
  const values = Array.from({ length: 200_000 }, () => {
    wander.step();
    return wander.value;
  });
  const variance = values.reduce((sum, v) => sum + v * v, 0) / values.length;
  const later = values.slice(50).reduce((sum, v, i) => sum + v * values[i]!, 0) / (values.length - 50);
  assert.ok(Math.abs(Math.sqrt(variance) - 2) < 0.15, `spread ${Math.sqrt(variance)}`);
  assert.ok(Math.abs(later / variance - Math.exp(-1)) < 0.06, `correlation ${later / variance}`);
});
