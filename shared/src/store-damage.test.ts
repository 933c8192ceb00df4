/** Damage that LevelDB opens over without a word is told all the same. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, open as openFile, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from './log.js';
import { seededRng } from './rng.js';
import { numberKey, openStore, type Store } from './store.js';
import { testSeed } from './testing/seed.js';

const records = 40;

function open(base: string): Promise<Store> {
  return openStore({ directory: path.join(base, 's'), kind: 's', version: 1, log: silentLogger });
}

async function folder(t: TestContext): Promise<string> {
  const base = await mkdtemp(path.join(tmpdir(), 'edgeward-damage-'));
  t.after(() => rm(base, { recursive: true, force: true }));
  return base;
}

/** A store with records of 1 kB, ended cleanly or left as a crash leaves it. */
async function filled(t: TestContext, end: 'clean' | 'crash'): Promise<string> {
  const [base, crashed] = [await folder(t), await folder(t)];
  const store = await open(base);
  for (let n = 0; n < records; n++)
    await store.db.put(numberKey('k', n), Buffer.alloc(1024, n), { sync: true } as object);
  if (end === 'crash') await cp(base, crashed, { recursive: true });
  await store.close();
  return end === 'crash' ? crashed : base;
}

async function logOf(base: string): Promise<string> {
  const names = await readdir(path.join(base, 's'));
  return path.join(base, 's', names.find(name => name.endsWith('.log'))!);
}

async function found(base: string) {
  const store = await open(base);
  const keys = await store.db.keys({ gte: Buffer.from('k'), lt: Buffer.from('l') }).all();
  const { damage } = store;
  await store.close();
  return { damage, left: keys.length };
}

for (const end of ['clean', 'crash'] as const) {
  test(`a store after a ${end} end is told to be whole, again and again`, async t => {
    const base = await filled(t, end);
    for (let start = 0; start < 3; start++)
      assert.deepEqual(await found(base), { damage: [], left: records });
  });

  test(`a log file that is gone after a ${end} end is told`, async t => {
    const base = await filled(t, end);
    await rm(await logOf(base));
    const { damage, left } = await found(base);
    assert.equal(left, 0);
    assert.match(damage.join(), /log.* is gone/);
    assert.deepEqual((await found(base)).damage, [], 'once');
  });

  test(`a flipped bit in the log after a ${end} end is told whenever it cost a record`, async t => {
    const seed = testSeed('store-damage');
    const rng = seededRng(seed);
    const whole = await filled(t, end);
    let cost = 0;
    for (let round = 0; round < 20; round++) {
      const base = await folder(t);
      await cp(whole, base, { recursive: true });
      await flip(await logOf(base), rng);
      const { damage, left } = await found(base);
      if (left < records) cost += 1;
      assert.equal(damage.length > 0, left < records, `SEED=${seed} round ${round}: ${left} left, ${damage}`);
    }
    assert.ok(cost > 10);
  });
}

/** One bit, but none of the last record: there it is the same as a write that a crash cut short. */
async function flip(file: string, rng: () => number): Promise<void> {
  const at = Math.floor(rng() * ((await stat(file)).size - 1100));
  const handle = await openFile(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0]! ^= 1 << Math.floor(rng() * 8);
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

test('a file that was cut after a clean end is told', async t => {
  const base = await filled(t, 'clean');
  const log = await logOf(base);
  await truncate(log, (await stat(log)).size - 5000);
  const { damage, left } = await found(base);
  assert.ok(left < records);
  assert.match(damage.join(), /was cut from \d+ to \d+ bytes/);
});
