import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedFor } from './seed.js';

test('a seed is fixed by the name of its test, and each has its own', () => {
  assert.equal(seedFor('weather', undefined), seedFor('weather', undefined));
  assert.notEqual(seedFor('weather', undefined), seedFor('kills', undefined));
});

test('SEED=n is that one, SEED=random a fresh one, and anything else is refused', () => {
  assert.equal(seedFor('weather', '42'), 42);
  assert.notEqual(seedFor('weather', 'random'), seedFor('weather', 'random'));
  for (const wish of ['x', '1.5', '-1', 'Random'])
    assert.throws(() => seedFor('weather', wish), {
      name: 'RangeError',
      message: new RegExp(`SEED=${wish}`),
    });
});
