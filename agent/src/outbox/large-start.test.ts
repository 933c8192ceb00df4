/** A start that has read all of a large backlog gives back what that took. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { openStore, type Store, type StoreOptions } from '@edgeward/shared/store';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { folder, never, noisy, open, polled, removeFolders, take, walk } from './testing/outboxes.js';

after(removeFolders);
const large = { maxBytes: 1e9 };
/** More than LevelDB keeps mapped: then it is opened anew. */
const backlogBytes = 72e6;
let base = '';

before(async () => {
  base = await folder();
  await using outbox = await open(base, large);
  const [batches, rng] = [new TestBatches(), seededRng(1)];
  const batch = noisy(batches.next(4000, [0]), rng);
  for (let i = 0; outbox.report().outbox.bytes < backlogBytes; i++) {
    const row = Float64Array.from(batch.row, n => n + i * 4000);
    await outbox.append({ ...batch, row }, polled, never);
  }
});

test('of the tables that it read none stays mapped', { skip: process.platform !== 'linux' }, async () => {
  await using outbox = await open(base, large);
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
  const tables = maps.filter(line => line.includes(base) && line.includes('.ldb'));
  assert.ok(tables.length < 8, `${tables.length} tables`);
  assert.equal((await take(walk(outbox), 1))[0]!.seq, 1);
});

test('a store that cannot be opened again then is opened by the next write', async () => {
  let failed = 0;
  const openFailing = async (options: StoreOptions): Promise<Store> => {
    const store = await openStore(options);
    const reopen = async () => {
      if (failed++ > 0) return store.reopen();
      await store.db.close();
      throw new Error('too many open files');
    };
    return { ...store, reopen };
  };
  await using outbox = await open(base, { ...large, openStore: openFailing });
  assert.equal(failed, 1);
  const { durable } = await outbox.append(
    new TestBatches().next(1),
    { source: 's', acknowledges: true },
    never,
  );
  await durable;
  assert.equal((await take(walk(outbox), 1)).length, 1);
});
