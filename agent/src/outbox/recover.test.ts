/** What a damaged disk leaves, as the outbox finds it: told, counted, and never a reason not to start. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { openStore, type StoreDatabase } from '@edgeward/shared/store';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { blockKey, markerKey, outboxStoreVersion, recordSchemas } from './layout.js';
import type { LevelOutbox, Notice } from './level-outbox.js';
import {
  appendDurably,
  crashCopy,
  folder,
  never,
  open,
  polled,
  receiptOf,
  removeFolders,
  sums,
  take,
  waiting,
  walk,
} from './testing/outboxes.js';

after(removeFolders);
const limit = { timeout: 60_000 };

/** Five blocks of two devices, 4 rows each, closed in peace; then what the disk does to them. */
async function damaged(spoil: (db: StoreDatabase) => Promise<void>): Promise<string> {
  const base = await folder();
  {
    await using outbox = await open(base);
    const batches = new TestBatches();
    for (let i = 0; i < 5; i++) await appendDurably(outbox, batches.next(4));
  }
  const directory = path.join(base, 'outbox');
  const store = await openStore({
    directory,
    kind: 'outbox',
    version: outboxStoreVersion,
    markerKey,
    log: silentLogger,
  });
  await spoil(store.db);
  await store.close();
  return base;
}

async function flip(db: StoreDatabase, key: Buffer): Promise<void> {
  const value = Buffer.from((await db.get(key))!);
  value[value.length - 1]! ^= 1;
  await db.put(key, value);
}

function assertBalanced(outbox: LevelOutbox, delivered = 0): void {
  const { read, held, rejected, thinned, dropped, damaged: lost } = sums(outbox);
  assert.equal(read, held + rejected + thinned + dropped + lost + delivered);
}

test(
  'a block that fails its checksum and one that is gone are counted by device, and told by seq',
  limit,
  async () => {
    const base = await damaged(async db => {
      await flip(db, blockKey(1, 2));
      await db.del(blockKey(1, 4));
    });
    const events: Notice[] = [];
    await using outbox = await open(base, {}, events);
    assert.deepEqual(
      (await waiting(outbox)).map(({ seq }) => seq),
      [1, 3, 5],
    );
    assertBalanced(outbox);
    for (const { read, damaged: lost } of outbox.report().devices) assert.deepEqual([read, lost], [20, 8]);
    const told = events
      .filter(({ kind }) => kind === 'damage')
      .map(({ details }) => [details.from, details.through]);
    assert.ok(told.some(([from, through]) => from === 2 && through === 2));
    assert.ok(told.some(([from, through]) => from === 4 && through === 4));
    await using again = await open(await crashCopy(base));
    assert.equal(sums(again).damaged, 16, 'counted once');
  },
);

test('garbage in any record is told and never keeps the agent from starting', limit, async () => {
  for (const kind of [...Object.keys(recordSchemas), 'q', 't']) {
    const base = await damaged(async db => {
      const range = { gte: Buffer.from(kind), lt: Buffer.from([kind.charCodeAt(0) + 1]) };
      for await (const key of db.keys(range)) await db.put(key, Buffer.from('{"n":1,"garbage'));
      await db.put(Buffer.from(`${kind}garbage`), Buffer.from('{"n":'));
    });
    const events: Notice[] = [];
    await using outbox = await open(base, {}, events);
    assertBalanced(outbox);
    assert.ok(kind === 't' || events.some(event => event.kind === 'damage'), `${kind} is told`);
    const blocks = (await waiting(outbox)).length;
    assert.equal(blocks, kind === 'q' ? 0 : 5, `blocks left with broken ${kind}`);
    await appendDurably(outbox, new TestBatches().next(1));
    assertBalanced(outbox);
  }
});

test('a value that is no block, or under a key that is not its own, is damage', limit, async () => {
  const base = await damaged(async db => {
    const other = (await db.get(blockKey(1, 1)))!;
    await db.put(blockKey(1, 3), other);
    await db.put(blockKey(1, 9), Buffer.alloc(0));
    await db.put(blockKey(7, 1), other);
  });
  await using outbox = await open(base);
  assert.deepEqual(
    (await waiting(outbox)).map(({ seq }) => seq),
    [1, 2, 4, 5],
  );
  assertBalanced(outbox);
  assert.equal(sums(outbox).damaged, 8);
});

test('a block that breaks while the agent runs is counted when it is read back', limit, async () => {
  const base = await folder();
  const events: Notice[] = [];
  let db: StoreDatabase | undefined;
  const keeping = async (options: Parameters<typeof openStore>[0]) => {
    const store = await openStore(options);
    db = store.db;
    return store;
  };
  await using outbox = await open(base, { openStore: keeping, maxLossMs: 3_600_000 }, events);
  const batches = new TestBatches();
  for (let i = 0; i < 5; i++) await appendDurably(outbox, batches.next(4));
  await outbox.append(batches.next(2), polled, never);
  await flip(db!, blockKey(1, 2));
  await db!.del(blockKey(1, 4));
  const entries = await take(walk(outbox), 4);
  assert.deepEqual(entries.map(({ seq }) => seq).sort(), [1, 3, 5, 6]);
  assertBalanced(outbox);
  assert.deepEqual([sums(outbox).damaged, sums(outbox).held], [16, 28]);
  assert.ok(events.some(({ kind, details }) => kind === 'damage' && details.rows === 16));
  for (const entry of entries) await outbox.receive(receiptOf(entry));
  assert.deepEqual([sums(outbox).damaged, sums(outbox).held], [16, 0]);
});

test(
  'receipts for blocks that nothing is known of any more are read back, in any order and twice',
  limit,
  async () => {
    const base = await damaged(async () => undefined);
    await using outbox = await open(base);
    const { epoch } = outbox.report().devices[0]!.held[0]!;
    await outbox.receive({ epoch, from: 4, through: 9, mark: 'released' });
    await outbox.receive({ epoch, from: 2, through: 2, mark: 'journaled' });
    await outbox.receive({ epoch, from: 2, through: 2, mark: 'journaled' });
    assert.deepEqual(sums(outbox), { read: 40, held: 16, rejected: 0, thinned: 0, dropped: 0, damaged: 0 });
    assert.equal(outbox.report().outbox.blocks, 3);
    await outbox.receive({ epoch, from: 1, through: 5, mark: 'released' });
    await outbox.receive({ epoch, from: 1, through: 5, mark: 'released' });
    assert.deepEqual(
      [outbox.report().outbox.blocks, outbox.report().outbox.bytes, sums(outbox).held],
      [0, 0, 0],
    );
  },
);

test('of many starts only the newest are known in detail, and the counts of all stay', limit, async () => {
  const base = await folder();
  for (let start = 1; start <= 40; start++) {
    await using outbox = await open(base);
    await appendDurably(outbox, new TestBatches().next(1));
    for (const entry of await waiting(outbox)) await outbox.receive(receiptOf(entry));
  }
  await using outbox = await open(base);
  const { devices, condensedThrough } = outbox.report();
  assert.deepEqual(
    devices.map(({ read }) => read),
    [40, 40],
  );
  assert.ok(condensedThrough >= 8 && condensedThrough < 12, `${condensedThrough}`);
  const starts = devices[0]!.rows.map(({ epoch }) => Number.parseInt(epoch, 10));
  assert.deepEqual(
    starts,
    Array.from({ length: 40 - condensedThrough }, (_, i) => condensedThrough + 1 + i),
  );
});
