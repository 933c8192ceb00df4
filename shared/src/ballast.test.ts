/** On a real file system that is really full: LevelDB alone is stuck there, with the ballast it gets out. */
import assert from 'node:assert/strict';
import { readdir, stat, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Ballast } from './ballast.js';
import { silentLogger } from './log.js';
import { numberKey, openStore, type Store } from './store.js';
import { smallDisk } from './testing/small-disk.js';

const diskBytes = 24 * 1024 * 1024;
const ballastBytes = 3 * 1024 * 1024;
const sync = { sync: true } as object;

function open(folder: string): Promise<Store> {
  return openStore({
    directory: path.join(folder, 's'),
    kind: 's',
    version: 1,
    log: silentLogger,
    writeBufferBytes: 1024 * 1024,
  });
}

/** Writes until the disk is full; how many records went down. */
async function fill(store: Store): Promise<number> {
  for (let n = 0; ; n++) {
    try {
      await store.db.put(numberKey('k', n), Buffer.alloc(64 * 1024, n), sync);
    } catch {
      return n;
    }
  }
}

async function fullStore(t: TestContext, withBallast: boolean) {
  const folder = await smallDisk(t, diskBytes);
  if (folder === undefined) return undefined;
  const ballast = new Ballast({ file: path.join(folder, 'ballast'), bytes: ballastBytes });
  if (withBallast) assert.ok(await ballast.hold());
  const store = await open(folder);
  const records = await fill(store);
  assert.ok(records > 100);
  // The last crumbs of room go too: other processes write as well.
  for (let i = 0; i < 1000; i++) {
    try {
      await writeFile(path.join(folder, `crumb-${i}`), Buffer.alloc(4096));
    } catch {
      break;
    }
  }
  return { folder, ballast, store, records };
}

/** Opens again, deletes half, and writes: what an outbox has to do on a full disk. */
async function getOut({ store, records }: { store: Store; records: number }): Promise<void> {
  await store.reopen();
  await store.db.batch(
    Array.from({ length: Math.floor(records / 2) }, (_, n) => ({
      type: 'del' as const,
      key: numberKey('k', n),
    })),
    sync,
  );
  // Only what was deleted: what is still live would have to be written a second time first.
  await store.db.compactRange(numberKey('k', 0), numberKey('k', Math.floor(records / 2) - 1));
  await store.db.put(numberKey('k', records + 1), Buffer.alloc(64 * 1024), sync);
}

test('a full disk holds a store without ballast captive', async t => {
  const full = await fullStore(t, false);
  if (!full) return;
  await assert.rejects(getOut(full));
});

test('freeing the ballast lets it delete and go on; with room enough it is taken back', async t => {
  const full = await fullStore(t, true);
  if (!full) return;
  const { ballast, store, folder, records } = full;
  assert.equal(await ballast.hold(), true, 'it is whole');
  assert.equal(await ballast.free(), true);
  assert.equal(await ballast.free(), false, 'twice frees nothing more');
  assert.equal(await ballast.hold(), false, 'not while the disk is nearly full');
  assert.equal(await ballast.held(), false);
  await getOut(full);
  assert.equal(
    (await store.db.keys({ gte: numberKey('k', 0) }).all()).length,
    records - Math.floor(records / 2) + 1,
  );
  await store.db.clear();
  await store.db.compactRange(numberKey('k', 0), numberKey('k', records));
  for (const name of await readdir(folder))
    if (name.startsWith('crumb')) await unlink(path.join(folder, name));
  assert.equal(await ballast.hold(), true);
  const { size, blocks } = await stat(path.join(folder, 'ballast'));
  assert.equal(size, ballastBytes);
  assert.ok(blocks * 512 >= size, 'really allocated');
  await store.close();
});

test('a store on a full disk is not called damaged at its start, and nothing of it is touched', async t => {
  const full = await fullStore(t, false);
  if (!full) return;
  const { folder, store, records } = full;
  await store.db.close();
  const before = (await readdir(path.join(folder, 's'))).filter(name => !name.startsWith('LOG'));
  await assert.rejects(open(folder), { code: 'EW_STORE_WRITE', retryable: true });
  assert.deepEqual(
    (await readdir(folder)).filter(name => name.includes('damaged')),
    [],
  );
  const after = (await readdir(path.join(folder, 's'))).filter(name => !name.startsWith('LOG'));
  assert.deepEqual(after, before);
  for (const name of await readdir(folder))
    if (name.startsWith('crumb')) await unlink(path.join(folder, name));
  const again = await open(folder).catch(() => undefined);
  if (again) assert.equal((await again.db.keys({ gte: numberKey('k', 0) }).all()).length, records);
  await again?.close();
});
