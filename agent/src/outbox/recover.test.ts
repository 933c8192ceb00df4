/** What a damaged disk leaves, as the outbox finds it: through the store itself, since LevelDB hides such damage. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { deviceRows } from '@edgeward/shared/batch';
import { silentLogger } from '@edgeward/shared/log';
import { numberKey, openStore, type Store } from '@edgeward/shared/store';
import { TestBatches, testSchema } from '@edgeward/shared/testing/batches';
import { describe, encodeBlock } from '@edgeward/shared/wire';
import { LedgerChanges, OutboxLedger } from './ledger.js';
import { recover } from './recover.js';

const epoch = '000000001-00000000000000aa';
const cleanups: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const clean of cleanups.reverse()) await clean();
});

async function openEmpty(): Promise<Store> {
  const base = await mkdtemp(path.join(tmpdir(), 'edgeward-recover-'));
  cleanups.push(() => rm(base, { recursive: true, force: true }));
  const store = await openStore({
    directory: path.join(base, 's'),
    kind: 'outbox',
    version: 1,
    log: silentLogger,
  });
  cleanups.push(() => store.close());
  return store;
}

const described = describe(testSchema);
const schemas = new Map([[described.id, described]]);

/** Five blocks of two devices, 4 rows each, and a ledger that knows all of them. */
async function filled(): Promise<{ db: Store['db']; ledger: OutboxLedger }> {
  const { db } = await openEmpty();
  const [batches, changes] = [new TestBatches(), new LedgerChanges()];
  for (let seq = 1; seq <= 5; seq++) {
    const batch = batches.next(4);
    changes.addRows(deviceRows(batch), 'read');
    const bytes = encodeBlock({ epoch, seq, oldestEpoch: epoch, atMs: seq }, batch);
    await db.put(numberKey('b', 1, seq), Buffer.from(bytes));
  }
  const ledger = await OutboxLedger.load(db);
  const { puts, apply } = ledger.prepare(changes);
  await db.batch(puts.map(put => ({ type: 'put' as const, ...put })));
  assert.equal(ledger.of('probe-1').read, 0, 'nothing is counted before its commit');
  apply();
  return { db, ledger: await OutboxLedger.load(db) };
}

test('finds every block, unsent to this start, though an earlier one may have sent it', async () => {
  const { db, ledger } = await filled();
  const found = await recover(db, ledger, schemas, silentLogger);
  const blocks = [...found.held.inOrder()];
  assert.deepEqual(
    blocks.map(({ seq, sent, journaled, counter }) => [seq, sent, journaled, counter]),
    [1, 2, 3, 4, 5].map(seq => [seq, true, false, 1]),
  );
  assert.deepEqual(blocks[2]!.devices[1], { device: 'probe-2', first: 9, last: 12, count: 4 });
  assert.deepEqual([found.damagedRows, found.damagedKeys, found.changes.empty], [0, [], true]);
});

test('a block that fails its checksum and one that is gone are counted as damaged, per device', async () => {
  const { db, ledger } = await filled();
  const broken = (await db.get(numberKey('b', 1, 2)))!;
  broken[broken.length - 1]! ^= 1;
  await db.put(numberKey('b', 1, 2), broken);
  await db.del(numberKey('b', 1, 4));
  const found = await recover(db, ledger, schemas, silentLogger);
  assert.equal(found.damagedRows, 16);
  assert.deepEqual(found.damagedKeys, [numberKey('b', 1, 2)]);
  assert.equal(found.held.count, 3);
  ledger.prepare(found.changes).apply();
  for (const device of ['probe-1', 'probe-2']) {
    const { read, damaged } = ledger.of(device);
    assert.deepEqual([read, damaged], [20, 8]);
  }
});

test('rows that ended in any counted way are not missed', async () => {
  const { db, ledger } = await filled();
  const ended = new LedgerChanges();
  for (const kind of ['released', 'rejected', 'thinned', 'dropped', 'damaged'] as const)
    for (const device of ['probe-1', 'probe-2']) ended.add(device, kind, 4);
  ledger.prepare(new LedgerChanges().plus(ended)).apply();
  await db.clear({ gte: numberKey('b', 0, 0), lt: Buffer.from('c') });
  const found = await recover(db, ledger, schemas, silentLogger);
  assert.deepEqual([found.damagedRows, found.held.count], [0, 0]);
});
