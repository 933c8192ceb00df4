import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { longestNumber, noPlaces, numberAt, placesOf, wholeAt } from './json-numbers.js';

const data = Buffer.alloc(longestNumber + 1);

function textOf(value: number, places = placesOf(Float64Array.of(value))): string {
  data.fill('#');
  const end = numberAt(data, 1, value, places);
  assert.ok(end <= data.length);
  assert.equal(data[0], 0x23, 'nothing is written in front');
  return data.toString('latin1', 1, end);
}

const expected = (value: number) => (Object.is(value, -0) ? '-0' : String(value));

test('numbers are written as String does', () => {
  const small = [0, 1, 9, 10, 99, 100, 0.1, 0.5, 1e-6, 1.5e-7, 4.35, 0.1 + 0.2, 100.000001, 123456.789];
  const large = [
    999999999.999999,
    1e9,
    1e9 + 0.5,
    2147483.648,
    2147.483647,
    2 ** 31,
    2 ** 31 - 1,
    1e15,
    1e21,
    1e22,
  ];
  const limits = [
    Number.MAX_SAFE_INTEGER,
    2 ** 53,
    Number.MAX_VALUE,
    Number.MIN_VALUE,
    2.2250738585072014e-308,
  ];
  for (const value of [...small, ...large, ...limits].flatMap(v => [v, -v]))
    for (const places of new Set([placesOf(Float64Array.of(value)), noPlaces]))
      assert.equal(textOf(value, places), expected(value));
});

test('any number is, with the places of those beside it', () => {
  const rng = seededRng(testSeed('numbers as JSON'));
  const bits = new DataView(new ArrayBuffer(8));
  const anyDouble = () => {
    bits.setUint32(0, rng() * 2 ** 32);
    bits.setUint32(4, rng() * 2 ** 32);
    return bits.getFloat64(0);
  };
  const kinds: ((scale: number) => number)[] = [
    scale => Math.round((rng() - 0.5) * 1e9) / 10 ** scale,
    scale => Math.round((rng() - 0.5) * 10 ** scale) / 10 ** Math.floor(rng() * 7),
    () => (rng() - 0.5) * 10 ** Math.floor(rng() * 30 - 15),
    anyDouble,
    () => Math.floor((rng() - 0.5) * 2 ** Math.floor(rng() * 60)),
  ];
  for (let i = 0; i < 20_000; i++) {
    const kind = kinds[i % kinds.length]!;
    const scale = Math.floor(rng() * 7);
    const values = Float64Array.from({ length: 8 }, () => kind(scale));
    const places = placesOf(values);
    for (const value of values.filter(Number.isFinite)) assert.equal(textOf(value, places), expected(value));
  }
});

test('places are what is needed, and no more', () => {
  assert.equal(placesOf(Float64Array.of(1, 2.5, Number.NaN, 3.25, Number.POSITIVE_INFINITY)), 2);
  assert.equal(placesOf(Float64Array.of(1, 2)), 0);
  assert.equal(placesOf(Float64Array.of(1, Math.PI)), noPlaces);
  assert.equal(placesOf(Float64Array.of(1e9)), noPlaces);
});

test('whole numbers up to the largest safe one', () => {
  for (const value of [0, 7, 1e9 - 1, 1e9, 1_767_225_600_000, Number.MAX_SAFE_INTEGER])
    assert.equal(data.toString('latin1', 0, wholeAt(data, 0, value)), String(value));
});
