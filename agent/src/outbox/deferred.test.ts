/** Blocks of polled sources: offered at once, written only where no receipt comes. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { TestBatches } from '@edgeward/shared/testing/batches';
import {
  acknowledging,
  crashCopy,
  FaultyDisk,
  folder,
  never,
  noisy,
  open,
  polled,
  receiptOf,
  removeFolders,
  sums,
  take,
  until,
  waiting,
  walk,
} from './testing/outboxes.js';

after(removeFolders);
const limit = { timeout: 60_000 };
/** Long enough that no test waits for it. */
const late = { maxLossMs: 3_600_000 };

test(
  'is offered from memory at once; a receipt makes it durable, and nothing of it is on disk',
  limit,
  async () => {
    const base = await folder();
    await using outbox = await open(base, late);
    outbox.link(true);
    const entries = walk(outbox);
    const { durable } = await outbox.append(new TestBatches().next(3), polled, never);
    const [entry] = await take(entries, 1);
    assert.deepEqual([entry!.seq, entry!.lane], [1, 'live']);
    await outbox.receive(receiptOf(entry!));
    await durable;
    assert.deepEqual(sums(outbox), { read: 6, held: 0, rejected: 0, thinned: 0, dropped: 0, damaged: 0 });
    await using copy = await open(await crashCopy(base));
    assert.deepEqual(await waiting(copy), []);
    assert.equal(sums(copy).read, 0, 'the collector knows of it, the dead agent had not saved it yet');
    assert.ok(copy.gap);
  },
);

test(
  'is written once its receipt is late: after twice the round trip, never later than what may be lost',
  limit,
  async () => {
    for (const [maxLossMs, p99] of [
      [3_600_000, 20],
      [60, 1e6],
    ] as const) {
      const base = await folder();
      await using outbox = await open(base, { maxLossMs });
      outbox.link(true, p99);
      const entries = walk(outbox);
      const { durable } = await outbox.append(new TestBatches().next(3), polled, never);
      await take(entries, 1);
      await durable;
      await using copy = await open(await crashCopy(base));
      assert.deepEqual(
        (await waiting(copy)).map(({ seq, lane }) => [seq, lane]),
        [[1, 'backlog']],
      );
      assert.deepEqual(sums(copy), { ...sums(outbox), read: 6, held: 6 });
    }
  },
);

test(
  'while the link is down it is written in groups; many bytes do not wait for the time',
  limit,
  async () => {
    const base = await folder();
    let commits = 0;
    await using outbox = await open(base, { maxLossMs: 3_600_000, openStore: counting(() => commits++) });
    const before = commits;
    const batches = new TestBatches();
    const admitted = [];
    for (let i = 0; i < 200; i++) admitted.push(await outbox.append(batches.next(100), polled, never));
    await Promise.all(admitted.slice(0, 20).map(({ durable }) => durable));
    assert.ok(commits - before < 20, `${commits - before} commits`);
  },
);

function counting(count: () => void) {
  const disk = new FaultyDisk();
  disk.before = call => {
    if (call === 'batch') count();
  };
  return disk.open;
}

test('a source that acknowledges is written first and offered then, with its position', limit, async () => {
  const base = await folder();
  await using outbox = await open(base, late);
  outbox.link(true);
  const entries = walk(outbox);
  const origin = { source: 's', position: { at: 1 } };
  const { durable } = await outbox.append(new TestBatches().next(1), origin, never);
  const [entry] = await take(entries, 1);
  await durable;
  assert.equal(entry!.lane, 'live');
  await using copy = await open(await crashCopy(base));
  assert.deepEqual(copy.position('s'), { at: 1 });
  assert.equal((await waiting(copy)).length, 1);
});

test('a clean stop writes what only memory holds, and is no gap', limit, async () => {
  const base = await folder();
  const outbox = await open(base, late);
  outbox.link(true);
  const entries = walk(outbox);
  const batches = new TestBatches();
  for (let i = 0; i < 3; i++) await outbox.append(batches.next(2), polled, never);
  const [first, second] = await take(entries, 3);
  await outbox.receive(receiptOf(first!));
  await outbox.receive(receiptOf(second!, 'journaled'));
  await outbox[Symbol.asyncDispose]();
  await using again = await open(base);
  assert.equal(again.gap, undefined);
  assert.deepEqual(
    (await waiting(again)).map(({ seq }) => seq),
    [3],
    'the second waits for its release, and is asked about on the next link',
  );
  assert.deepEqual(sums(again), { read: 12, held: 4, rejected: 0, thinned: 0, dropped: 0, damaged: 0 });
  assert.equal(again.report().outbox.blocks, 2);
});

test('durability always: nothing is offered before it is on disk', limit, async () => {
  const base = await folder();
  await using outbox = await open(base, { ...late, durability: 'always' });
  outbox.link(true);
  const entries = walk(outbox);
  await outbox.append(new TestBatches().next(2), polled, never);
  await take(entries, 1);
  await using copy = await open(await crashCopy(base));
  assert.equal((await waiting(copy)).length, 1);
});

test('rows refused before a position are counted once, however often they are met again', limit, async () => {
  const base = await folder();
  await using outbox = await open(base, late);
  const batches = new TestBatches();
  outbox.countRejected('s', 'probe-1', 3);
  await (await outbox.append(batches.next(1), { source: 's', position: { at: 1 } }, never)).durable;
  outbox.countRejected('s', 'probe-1', 5); // met, but the position behind them never became durable
  await (await outbox.append(batches.next(1), acknowledging, never)).durable;
  assert.deepEqual([sums(outbox).read, sums(outbox).rejected], [12, 8]);
  await using copy = await open(await crashCopy(base));
  assert.deepEqual([sums(copy).read, sums(copy).rejected], [7, 3]);
});

test('sources wait when too much is in memory only, and go on when there is room', limit, async () => {
  const disk = new FaultyDisk();
  await using outbox = await open(await folder(), { openStore: disk.open });
  const [batches, rng] = [new TestBatches(), seededRng(1)];
  let failing = true;
  disk.before = () => {
    if (failing) throw new Error('input/output error');
  };
  let admitted = 0;
  const pumping = (async () => {
    for (let i = 0; i < 300; i++) {
      await outbox.append(noisy(batches.next(1000), rng), polled, never);
      admitted += 1;
    }
  })();
  let seen = -1;
  await until(() => {
    const still = admitted === seen && admitted > 0;
    seen = admitted;
    return still && outbox.report().outbox.bytes >= 4 * 1024 * 1024;
  });
  assert.ok(admitted < 300);
  failing = false;
  await pumping;
});
