import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeReceipts, parseReceipts, receiptsOf } from './receipts.js';
import fc from './testing/properties.js';

const epoch = '000000001-00000000000000aa';

test('neighbours and doubles become one receipt; exactly what was given is receipted', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 })), seqs => {
      const receipts = receiptsOf(epoch, seqs, 'released');
      const named = receipts.flatMap(({ from, through }) =>
        Array.from({ length: through - from + 1 }, (_, i) => from + i),
      );
      assert.deepEqual(
        named,
        [...new Set(seqs)].sort((a, b) => a - b),
      );
      for (const [i, { from }] of receipts.entries())
        if (i > 0) assert.ok(from > receipts[i - 1]!.through + 1);
    }),
  );
});

test('come back from their bytes as they went', () => {
  const receipts = [...receiptsOf(epoch, [3, 1, 2, 9], 'released'), ...receiptsOf(epoch, [7], 'journaled')];
  assert.deepEqual(parseReceipts(Buffer.from(encodeReceipts(receipts))), receipts);
  assert.deepEqual(parseReceipts(Buffer.from(encodeReceipts([]))), []);
});

test('anything else is no receipt', () => {
  const good = { epoch, from: 1, through: 2, mark: 'released' };
  const wrong = [
    good,
    [{ ...good, epoch: 'x' }],
    [{ ...good, from: 0 }],
    [{ ...good, through: 1.5 }],
    [{ ...good, mark: 'maybe' }],
    [{ ...good, more: 1 }],
    [good, null],
  ];
  for (const value of wrong) assert.equal(parseReceipts(Buffer.from(JSON.stringify(value))), undefined);
  assert.equal(parseReceipts(Buffer.from('[')), undefined);
  assert.equal(parseReceipts(Buffer.alloc(0)), undefined);
  assert.equal(parseReceipts(Buffer.from([0xff, 0xfe])), undefined);
});
