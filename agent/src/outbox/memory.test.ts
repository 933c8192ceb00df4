/** Memory does not grow with the backlog. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { folder, never, open, polled, receiptOf, removeFolders, sums, walk } from './testing/outboxes.js';

after(removeFolders);

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

function usedBytes(): number {
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test('40,000 blocks on disk take next to nothing in memory, nor does offering and releasing them', {
  timeout: 300_000,
}, async () => {
  await using outbox = await open(await folder(), { maxBytes: 1e9, maxLossMs: 50 });
  const batches = new TestBatches();
  const append = async (count: number) => {
    let durable: Promise<unknown> | undefined;
    for (let i = 0; i < count; i++) ({ durable } = await outbox.append(batches.next(1), polled, never));
    await durable;
  };
  await append(5000);
  const before = usedBytes();
  await append(35_000);
  const grown = usedBytes() - before;
  assert.ok(grown < 8e6, `${grown} bytes more with 35,000 blocks more`);
  assert.equal(outbox.report().outbox.blocks, 40_000);
  const entries = walk(outbox);
  let most = 0;
  for (let i = 1; i <= 40_000; i++) {
    const { value } = await entries.next();
    await outbox.receive(receiptOf(value!, 'journaled'));
    if (i % 10_000 === 0) most = Math.max(most, usedBytes() - before);
  }
  assert.ok(most < 16e6, `${most} bytes more while they drain`);
  assert.equal(sums(outbox).held, 0);
  await outbox.receive({ epoch: outbox.epoch, from: 1, through: 40_000, mark: 'released' });
  const { blocks, bytes } = outbox.report().outbox;
  assert.deepEqual([blocks, Math.round(bytes)], [0, 0]);
});
