import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { Bytes } from './bytes.js';
import { noPlaces, writeNumber } from './json-numbers.js';

function textOf(value: number, places = 1): string {
  const out = new Bytes(1);
  writeNumber(out, value, places);
  return out.take().toString();
}

const expected = (value: number) => (Object.is(value, -0) ? '-0' : String(value));

test('numbers are written as String does', () => {
  const edges = [
    0,
    -0,
    1,
    -1,
    0.1,
    0.5,
    1e-6,
    1.5e-7,
    123456.789,
    999999999.999999,
    1e9,
    1e9 + 0.5,
    1e15,
    1e21,
    1e22,
  ];
  const limits = [
    Number.MAX_SAFE_INTEGER,
    2 ** 53,
    Number.MAX_VALUE,
    Number.MIN_VALUE,
    0.1 + 0.2,
    100.000001,
    4.35,
  ];
  for (const value of [...edges, ...limits].flatMap(v => [v, -v]))
    for (const places of [noPlaces, 1, 3, 6]) assert.equal(textOf(value, places), expected(value));
});

test('and any others, with the places of the one before', () => {
  const rng = seededRng(testSeed('numbers as JSON'));
  const bits = new DataView(new ArrayBuffer(8));
  const draw: (() => number)[] = [
    () => Math.round(rng() * 1e6) / 10 ** Math.floor(rng() * 7),
    () => (rng() - 0.5) * 10 ** Math.floor(rng() * 30 - 15),
    () => {
      bits.setUint32(0, rng() * 2 ** 32);
      bits.setUint32(4, rng() * 2 ** 32);
      return bits.getFloat64(0);
    },
    () => Math.floor((rng() - 0.5) * 2 ** Math.floor(rng() * 60)),
  ];
  let places = 1;
  for (let i = 0; i < 200_000; i++) {
    const value = draw[i % draw.length]!();
    if (!Number.isFinite(value)) continue;
    const out = new Bytes(1);
    places = writeNumber(out, value, places);
    assert.equal(out.take().toString(), expected(value));
  }
});
