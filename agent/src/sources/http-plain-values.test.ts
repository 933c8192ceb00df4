import assert from 'node:assert/strict';
import { test } from 'node:test';
import { precisions, readFieldValue, readTimestamp } from './http-line-values.js';
import { PlainReader } from './http-plain-values.js';

const numbers = [
  '0',
  '-0',
  '7',
  '-12.50',
  '0.1',
  '.5',
  '5.',
  '0.00000000000001',
  '999999999999999',
  '123456.789',
];
const others = [
  '',
  '-',
  '.',
  '-.',
  '1.2.3',
  '1e3',
  '+1',
  '3i',
  'true',
  '"a"',
  '1234567890123456',
  '0x1f',
  '--1',
];

test('plain numbers are those that the text gives; any other value is left alone', () => {
  const reader = new PlainReader();
  for (const token of numbers) {
    for (const behind of ['', ' 1', ',b=2', '\n', '\r\n']) {
      assert.ok(Object.is(reader.number(`ab${token}${behind}`, 2), readFieldValue(token)), token);
      assert.equal(reader.end, 2 + token.length);
    }
  }
  for (const token of others) assert.ok(Number.isNaN(reader.number(token, 0)), token);
});

test('plain times are those that the text gives, in each precision', () => {
  const reader = new PlainReader();
  const digits = '1700000000123456789';
  for (const precision of precisions) {
    for (let length = 1; length <= digits.length; length++) {
      const token = digits.slice(0, length);
      const timeMs = reader.time(` ${token}\nnext`, 1, precision);
      if (Number.isNaN(timeMs)) continue;
      assert.equal(timeMs, readTimestamp(token, precision), `${token} ${precision}`);
      assert.equal(reader.end, 1 + length);
    }
  }
  assert.equal(reader.time('1700000000123456', 0, 'us'), 1_700_000_000_123.456);
  assert.equal(reader.time('1700000000123456789', 0, 'ns'), 1_700_000_000_123.457);
  assert.equal(reader.time('1700000000123', 0, 'ms'), 1_700_000_000_123);
  assert.equal(reader.time('1700000000', 0, 's'), 1_700_000_000_000);
});

test('what is no plain time is left alone', () => {
  const reader = new PlainReader();
  for (const token of [
    '',
    '-1',
    '12 ',
    '12\r\n',
    '1.5',
    'x',
    '123',
    '9007199254740993',
    '99999999999999999999',
  ])
    assert.ok(Number.isNaN(reader.time(token, 0, 'us')), token);
});
