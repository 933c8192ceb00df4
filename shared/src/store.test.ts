import assert from 'node:assert/strict';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { silentLogger } from './log.js';
import { numberInKey, numberKey, openStore, type Store, type StoreOptions, textKey } from './store.js';

const folders: string[] = [];
after(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))));

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'edgeward-store-'));
  folders.push(made);
  return made;
}

function open(base: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  const directory = path.join(base, 'things');
  return openStore({ directory, kind: 'things', version: 2, log: silentLogger, ...options });
}

const key = textKey('k', 'one');
const marker = (base: string) => path.join(base, 'things.json');

/** A store that has been used and closed. */
async function used(): Promise<string> {
  const base = await folder();
  const store = await open(base);
  await store.db.put(key, Buffer.from('kept'), { sync: true } as object);
  await store.close();
  return base;
}

async function crashCopy(base: string): Promise<string> {
  const copy = await folder();
  await cp(base, copy, { recursive: true, filter: source => path.basename(source) !== 'LOCK' });
  return copy;
}

const valueIn = async (store: Store) => (await store.db.get(key))?.toString();

test('counts its starts, keeps its id, and tells a clean end from a crash', async () => {
  const base = await folder();
  const first = await open(base);
  assert.deepEqual([first.starts, first.fresh, first.closedCleanly], [1, true, true]);
  const crashed = await open(await crashCopy(base));
  assert.deepEqual([crashed.starts, crashed.fresh, crashed.closedCleanly], [2, false, false]);
  assert.equal(crashed.id, first.id);
  await crashed.close();
  await first.close();
  await first.close();
  const second = await open(base);
  assert.deepEqual([second.starts, second.fresh, second.closedCleanly], [2, false, true]);
  await second.close();
});

test('a crash while it was made, at any point, leaves a store that opens as new', async () => {
  const base = await folder();
  await (await open(base)).close();
  const made = JSON.parse(await readFile(marker(base), 'utf8')) as object;
  const creating = JSON.stringify({ ...made, starts: 0, state: 'creating' });
  for (const withFolder of [false, true]) {
    const copy = await crashCopy(base);
    await writeFile(marker(copy), creating);
    if (!withFolder) await rm(path.join(copy, 'things'), { recursive: true });
    const store = await open(copy);
    assert.deepEqual([store.fresh, store.starts], [true, 1]);
    await store.close();
  }
});

test('a store that lost its files is repaired or begun anew, with the old ones copied aside', async () => {
  for (const lost of ['CURRENT', 'MANIFEST', 'all']) {
    const base = await used();
    const store = path.join(base, 'things');
    for (const name of await readdir(store)) {
      if (lost === 'all' || name.startsWith(lost)) await rm(path.join(store, name));
    }
    const again = await open(base);
    assert.ok(again.repairedFrom, lost);
    assert.ok((await readdir(base)).includes(path.basename(again.repairedFrom)), lost);
    assert.deepEqual([again.starts, again.fresh], [2, false], lost);
    assert.equal(await valueIn(again), lost === 'all' ? undefined : 'kept', lost);
    await again.db.put(key, Buffer.from('new'));
    await again.close();
  }
});

test('a folder that is gone is begun anew, and said so', async () => {
  const base = await used();
  await rm(path.join(base, 'things'), { recursive: true });
  const again = await open(base);
  assert.ok(again.repairedFrom);
  assert.equal(again.starts, 2);
  await again.close();
});

test('nothing is repaired, let alone removed, while it cannot be copied aside', async () => {
  const base = await used();
  const store = path.join(base, 'things');
  await writeFile(path.join(store, 'CURRENT'), 'nonsense\n');
  const files = async () => (await readdir(store)).filter(name => !name.startsWith('LOG')).sort();
  const names = await files();
  // A socket cannot be copied; a full disk would do the same and is harder to come by.
  const socket = createServer().listen(path.join(store, 'socket'));
  await new Promise(resolve => socket.once('listening', resolve));
  await assert.rejects(open(base), { code: 'EW_STORE_DAMAGED' });
  await new Promise(resolve => socket.close(resolve));
  assert.deepEqual(await files(), names);
  assert.deepEqual((await readdir(base)).sort(), ['things', 'things.json'], 'no half copy is left');
  const again = await open(base);
  assert.equal(await valueIn(again), 'kept');
  await again.close();
});

test('without its marker a store is refused: its starts would be counted from one again', async () => {
  for (const content of lostMarkers) {
    const base = await used();
    await loseMarker(base, content);
    await assert.rejects(open(base), { code: 'EW_STORE_DAMAGED' }, String(content));
  }
});

const lostMarkers = [undefined, '', '{', '{"kind":"things"}', '[]', 'null'];

async function loseMarker(base: string, content: string | undefined): Promise<void> {
  if (content === undefined) await rm(marker(base));
  else await writeFile(marker(base), content);
}

test('with a copy of its marker a store opens as it was, counts its starts on, and a clean end is not known', async () => {
  const markerKey = Buffer.from('m');
  for (const content of lostMarkers) {
    const base = await folder();
    const first = await open(base, { markerKey });
    await first.db.put(key, Buffer.from('kept'));
    await first.close();
    await (await open(base, { markerKey })).close();
    await loseMarker(base, content);
    const again = await open(base, { markerKey });
    assert.deepEqual([again.id, again.starts, again.fresh], [first.id, 3, false], String(content));
    assert.deepEqual([again.closedCleanly, again.movedTo], [false, undefined]);
    assert.equal(await valueIn(again), 'kept');
    await loseMarker(base, content);
    await assert.rejects(open(base, { markerKey }), { code: 'EW_STORE_LOCKED' });
    await again.close();
  }
});

test('a store that nothing tells the starts of is moved aside whole, and a new one begun', async () => {
  const markerKey = Buffer.from('m');
  for (const content of lostMarkers) {
    for (const damage of ['no copy', 'no CURRENT']) {
      const base = await folder();
      const first = await open(base, damage === 'no copy' ? {} : { markerKey });
      await first.db.put(key, Buffer.from('kept'));
      await first.close();
      if (damage === 'no CURRENT') await rm(path.join(base, 'things', 'CURRENT'));
      await loseMarker(base, content);
      const again = await open(base, { markerKey });
      assert.deepEqual([again.starts, again.fresh], [1, true]);
      assert.notEqual(again.id, first.id);
      assert.equal(await valueIn(again), undefined);
      assert.ok((await readdir(again.movedTo!)).some(name => name.startsWith('MANIFEST')));
      if (content !== undefined) assert.equal(await readFile(`${again.movedTo}.json`, 'utf8'), content);
      await again.close();
      const next = await open(base, { markerKey });
      assert.deepEqual([next.id, next.starts, next.movedTo], [again.id, 2, undefined]);
      await next.close();
    }
  }
});

test('a newer layout is refused untouched though its marker is lost or half unreadable', async () => {
  const markerKey = Buffer.from('m');
  for (const content of [undefined, '{"version":3}']) {
    const base = await folder();
    await (await open(base, { markerKey, version: 3 })).close();
    await loseMarker(base, content);
    const names = await readdir(base);
    await assert.rejects(open(base, { markerKey }), { code: 'EW_STORE_VERSION' });
    assert.deepEqual(await readdir(base), names);
  }
});

test('a folder that cannot be made or written is named, with what to do about it', async () => {
  const base = await folder();
  await writeFile(path.join(base, 'file'), '');
  const told = (name: string) => ({
    code: 'EW_STORE_WRITE',
    message: new RegExp(`${path.join(base, name)} cannot be used as dataDir .*choose another dataDir`),
  });
  await assert.rejects(open(path.join(base, 'file')), told('file'));
  await assert.rejects(open(path.join(base, 'file', 'below')), told('file/below'));
  const blocked = path.join(base, 'blocked');
  await mkdir(path.join(blocked, 'things.json.tmp'), { recursive: true });
  await assert.rejects(open(blocked), told('blocked'));
  if (process.getuid?.() === 0 || process.platform === 'win32') return; // may write everywhere
  await chmod(base, 0o500);
  await assert.rejects(open(base), told(''));
  await chmod(base, 0o700);
});

test('a newer layout or another kind is refused untouched', async () => {
  const base = await used();
  const before = await readFile(marker(base), 'utf8');
  await assert.rejects(open(base, { version: 1 }), { code: 'EW_STORE_VERSION' });
  await assert.rejects(open(base, { kind: 'others' }), { code: 'EW_STORE_VERSION' });
  assert.equal(await readFile(marker(base), 'utf8'), before);
  assert.equal((await readdir(base)).length, 2);
});

test('is locked while it is open', async () => {
  const base = await used();
  const store = await open(base);
  await assert.rejects(open(base), { code: 'EW_STORE_LOCKED' });
  assert.equal((await readdir(base)).length, 2, 'a lock is no damage');
  await store.close();
});

test('can be opened again in place, but not after its end', async () => {
  const base = await used();
  const store = await open(base);
  await store.reopen();
  assert.equal(await valueIn(store), 'kept');
  await store.close();
  await store.reopen();
  assert.equal(store.db.status, 'closed');
  const again = await open(base);
  assert.equal(again.closedCleanly, true);
  await again.close();
});

test('keys sort as their numbers do', () => {
  const numbers = [0, 1, 255, 256, 2 ** 32, 2 ** 53 - 1];
  const keys = numbers.map(n => numberKey('b', 7, n));
  assert.deepEqual([...keys].sort(Buffer.compare), keys);
  assert.deepEqual(
    keys.map(made => [numberInKey(made, 0), numberInKey(made, 1)]),
    numbers.map(n => [7, n]),
  );
});
