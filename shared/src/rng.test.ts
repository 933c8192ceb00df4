import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gaussian, seededRng, subSeed } from './rng.js';

const draws = (seed: number, n: number) => {
  const rng = seededRng(seed);
  return Array.from({ length: n }, rng);
};

test('the same seed gives the same numbers in [0, 1), another seed others', () => {
  assert.deepEqual(draws(7, 100), draws(7, 100));
  assert.notDeepEqual(draws(7, 100), draws(8, 100));
  const numbers = draws(7, 10_000);
  assert.ok(numbers.every(n => n >= 0 && n < 1));
  const mean = numbers.reduce((a, b) => a + b) / numbers.length;
  assert.ok(Math.abs(mean - 0.5) < 0.02, `${mean}`);
});

test('the stream is fixed for good: recorded demos and trained models depend on it', () => {
  const [a, b, c] = draws(1, 3);
  assert.deepEqual([a, b, c], [0.6270739405881613, 0.002735721180215478, 0.5274470399599522]);
});

test('normal numbers have mean 0 and spread 1', () => {
  const next = gaussian(seededRng(5));
  const numbers = Array.from({ length: 20_000 }, next);
  const mean = numbers.reduce((a, b) => a + b) / numbers.length;
  const spread = Math.sqrt(numbers.reduce((sum, n) => sum + (n - mean) ** 2, 0) / numbers.length);
  assert.ok(Math.abs(mean) < 0.03 && Math.abs(spread - 1) < 0.03, `${mean} ${spread}`);
});

test('parts of a whole have their own seeds', () => {
  const names = Array.from({ length: 1000 }, (_, i) => `part-${i}`);
  assert.ok(new Set(names.map(name => subSeed(42, name))).size > 995);
  assert.notEqual(subSeed(1, 'pump'), subSeed(2, 'pump'));
});
