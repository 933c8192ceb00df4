import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TestBatches } from '@edgeward/shared/testing/batches';
import {
  appendDurably,
  crashCopy,
  folder,
  never,
  open,
  polled,
  receiptOf,
  removeFolders,
  walk,
} from './testing/outboxes.js';

after(removeFolders);
const limit = { timeout: 60_000 };

/** Killed, started and killed again before anything was received. @returns where that is, and the first gap */
async function killedTwice() {
  const base = await folder();
  await using first = await open(base);
  await appendDurably(first, new TestBatches().next(1));
  const once = await crashCopy(base);
  await using second = await open(once);
  return { twice: await crashCopy(once), gap: second.gap! };
}

test(
  'a start that was killed, or stopped, before anybody heard of its gap leaves it to the next',
  limit,
  async () => {
    const { twice, gap } = await killedTwice();
    const third = await open(twice);
    assert.equal(third.gap?.fromMs, gap.fromMs);
    assert.ok(third.gap.toMs >= gap.toMs);
    await third[Symbol.asyncDispose]();
    await using fourth = await open(twice);
    assert.deepEqual(fourth.gap, third.gap);
  },
);

test(
  'whoever has received a block of this start has been told: the next gap begins later',
  limit,
  async () => {
    const { twice } = await killedTwice();
    await using outbox = await open(twice);
    outbox.link(true);
    const entries = walk(outbox);
    await outbox.append(new TestBatches().next(1), polled, never);
    for (let seen = 0; seen < 2; seen++) {
      const { value: entry } = await entries.next();
      const copy = await open(await crashCopy(twice));
      assert.equal(copy.gap?.fromMs, outbox.gap!.fromMs, 'not yet told');
      await copy[Symbol.asyncDispose]();
      await outbox.receive(receiptOf(entry!));
      if (entry!.epoch === outbox.epoch) break;
    }
    await appendDurably(outbox, new TestBatches().next(1));
    await using next = await open(await crashCopy(twice));
    assert.ok(next.gap!.fromMs >= outbox.gap!.toMs);
  },
);
