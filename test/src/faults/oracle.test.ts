import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredRow } from '../support/sink-rows.js';
import { assertExactlyOnce, judge } from './oracle.js';
import { checkOf, type Expected } from './recording.js';

const expected: Expected = { devices: ['a', 'b'], rowsPerDevice: 5 };

function whole(): StoredRow[] {
  return expected.devices.flatMap((device, index) =>
    Array.from({ length: 5 }, (_, n) => ({
      gateway: 'g',
      device,
      epoch: '000000001-0123456789abcdef',
      seq: n + 1,
      row: n + 1,
      time: 1_700_000_000_000 + n,
      late: false,
      values: { n, check: checkOf(index, n) },
    })),
  );
}

test('the oracle accepts every reading once', () => {
  assertExactlyOnce(expected, whole());
});

test('the oracle names what is missing, doubled, altered, made up, reused and out of order', () => {
  const rows = whole();
  assert.deepEqual(judge(expected, rows.slice(1)).missing, ['a/0']);
  const again = { ...rows[2]!, epoch: '000000002-0123456789abcdef' };
  assert.deepEqual(judge(expected, [...rows, again]).doubled, ['a/2']);
  const altered = { ...rows[3]!, values: { n: 3, check: 1 } };
  assert.equal(judge(expected, rows.with(3, altered)).unknown.length, 1);
  assert.deepEqual(judge(expected, rows.with(3, altered)).missing, ['a/3']);
  assert.equal(judge(expected, [...rows, { ...rows[0]!, device: 'stranger' }]).unknown.length, 1);
  assert.equal(judge(expected, rows.with(1, { ...rows[1]!, row: 1 })).reused.length, 1);
  assert.equal(judge(expected, rows.toReversed()).disordered.length, 2);
  assert.throws(() => assertExactlyOnce(expected, rows.slice(1)), /1 missing: a\/0/);
});

test('the oracle takes a backlog beside a live lane for order', () => {
  const [r1, r2, r3, r4, r5] = whole().slice(0, 5) as [StoredRow, StoredRow, StoredRow, StoredRow, StoredRow];
  assert.deepEqual(judge(expected, [r1, r4, r2, r5, r3]).disordered, []);
});
