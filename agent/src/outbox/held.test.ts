import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testSchema } from '@edgeward/shared/testing/batches';
import { describe } from '@edgeward/shared/wire';
import fc from 'fast-check';
import { type HeldBlock, HeldBlocks, rowsOf } from './held.js';

const epochs = [1, 2, 10].map(n => `${String(n).padStart(9, '0')}-00000000000000aa`);

function block(epoch: number, seq: number, sent = false): HeldBlock {
  return {
    described: describe(testSchema),
    epoch: epochs[epoch]!,
    counter: [1, 2, 10][epoch]!,
    seq,
    size: 10 + seq,
    devices: [{ device: 'a', first: 2 * seq - 1, last: 2 * seq, count: 2 }],
    atMs: 0,
    sent,
    journaled: false,
  };
}

const id = ({ epoch, seq }: HeldBlock) => `${epoch}/${seq}`;

test('behaves as a plain list of blocks would', () => {
  const epoch = fc.nat({ max: 2 });
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('add' as const),
      epoch,
      skip: fc.integer({ min: 1, max: 3 }),
      sent: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('remove' as const), pick: fc.nat() }),
    fc.record({
      kind: fc.constant('within' as const),
      epoch,
      from: fc.nat({ max: 30 }),
      length: fc.nat({ max: 40 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const held = new HeldBlocks();
      let model: HeldBlock[] = [];
      const next = [1, 1, 1];
      for (const step of steps) {
        if (step.kind === 'add') {
          next[step.epoch]! += step.skip;
          const added = block(step.epoch, next[step.epoch]!, step.sent);
          held.add(added);
          model.push(added);
        } else if (step.kind === 'remove') {
          const gone = model[step.pick % Math.max(1, model.length)];
          if (!gone) continue;
          held.remove(gone);
          held.remove(gone); // twice does no harm
          model = model.filter(other => other !== gone);
        } else {
          const through = step.from + step.length;
          const wanted = model.filter(
            b => b.epoch === epochs[step.epoch] && b.seq >= step.from && b.seq <= through,
          );
          assert.deepEqual(held.within(epochs[step.epoch]!, step.from, through).map(id), wanted.map(id));
        }
        const ordered = [...model].sort((a, b) => a.counter - b.counter || a.seq - b.seq);
        assert.deepEqual([...held.inOrder()].map(id), ordered.map(id));
        assert.equal(held.oldest(), ordered[0]);
        assert.equal(
          held.oldestNeverSent(),
          ordered.find(b => !b.sent),
        );
        assert.equal(held.count, model.length);
        assert.equal(
          held.bytes,
          model.reduce((sum, b) => sum + b.size, 0),
        );
      }
    }),
  );
});

test('rows of neighbouring blocks make one range, per device and epoch', () => {
  const rows = rowsOf([block(0, 1), block(0, 3), block(1, 1), block(0, 2), block(0, 5)]).get('a')!;
  assert.deepEqual(rows.get(epochs[0]!)?.toJSON(), [
    [1, 6],
    [9, 10],
  ]);
  assert.deepEqual(rows.get(epochs[1]!)?.toJSON(), [[1, 2]]);
});
