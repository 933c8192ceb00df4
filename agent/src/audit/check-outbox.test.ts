/** What `edgeward fsck` finds in an outbox, and that neither looking nor repairing makes anything worse. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { hasCode } from '@edgeward/shared/errors';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { ClassicLevel } from 'classic-level';
import { blockKey, endOfBlocks } from '../outbox/layout.js';
import { checkStores } from './check-outbox.js';
import { auditOutbox } from './outbox-side.js';
import { repairStores } from './repair-outbox.js';
import {
  append,
  blocksIn,
  configFor,
  filesOf,
  filled,
  folderFor,
  openOutboxIn,
  recordsIn,
} from './testing/outbox-folder.js';

const blocks = 30;
const rows = blocks * 8;

async function fileOf(dataDir: string, pattern: RegExp): Promise<string> {
  const folder = path.join(dataDir, 'outbox');
  return path.join(folder, (await readdir(folder)).find(name => pattern.test(name))!);
}

async function flip(file: string, share: number): Promise<void> {
  const handle = await open(file, 'r+');
  const at = Math.floor(share * ((await stat(file)).size - 1));
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0]! ^= 0x10;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

/** Moves what is in the log into a table. */
async function compact(dataDir: string): Promise<void> {
  const db = new ClassicLevel(path.join(dataDir, 'outbox'), { compression: false });
  await db.open();
  await db.compactRange('a', 'z');
  await db.close();
}

type Harm = (dataDir: string) => Promise<void>;

const halve: (file: string) => Promise<void> = async file =>
  truncate(file, Math.floor((await stat(file)).size / 2));

const cutLog: Harm = async dir => halve(await fileOf(dir, /\.log$/));

/** Flips at several places, cut and missing files; all lose something. */
const harms: Record<string, Harm> = {
  'a flip at the beginning of the log': async dir => flip(await fileOf(dir, /\.log$/), 0.001),
  'a flip in the first third of the log': async dir => flip(await fileOf(dir, /\.log$/), 0.3),
  'a flip in the middle of the log': async dir => flip(await fileOf(dir, /\.log$/), 0.55),
  'a log that is gone': async dir => rm(await fileOf(dir, /\.log$/)),
  'a manifest cut in half': async dir => halve(await fileOf(dir, /^MANIFEST/)),
  'a manifest that is gone': async dir => rm(await fileOf(dir, /^MANIFEST/)),
  'CURRENT that is gone': async dir => rm(await fileOf(dir, /^CURRENT/)),
  'CURRENT that is empty': async dir => truncate(await fileOf(dir, /^CURRENT/), 0),
  'a marker that is gone': async dir => rm(path.join(dir, 'outbox.json')),
  'a marker that is no JSON': async dir => writeFile(path.join(dir, 'outbox.json'), '{"kind":'),
};

for (const end of ['clean', 'crash'] as const) {
  test(`an outbox after a ${end} end is clean, and looking changes nothing`, async t => {
    const dataDir = await filled(t, blocks, end);
    const before = await filesOf(dataDir);
    const { problems, seen } = await checkStores(configFor(dataDir));
    assert.deepEqual(problems, []);
    assert.match(seen.join(), /30 blocks/);
    assert.deepEqual(await filesOf(dataDir), before);
  });

  // After a crash a log that was cut looks as if the crash had come earlier.
  const all = end === 'clean' ? { ...harms, 'a log cut in half': cutLog } : harms;
  for (const [what, harm] of Object.entries(all)) {
    test(`${what} after a ${end} end is told, and repaired without a further loss`, async t => {
      const dataDir = await filled(t, blocks, end);
      await harm(dataDir);
      await holds(t, dataDir, blocks);
    });
  }
}

test('a flip in a table is told whenever it cost something, and repaired without a further loss', async t => {
  const whole = await filled(t, blocks, 'crash');
  await compact(whole);
  const content = await recordsIn(t, whole);
  let cost = 0;
  for (let share = 0.01; share < 1; share += 0.07) {
    const dataDir = await folderFor(t);
    await cp(whole, dataDir, { recursive: true });
    await flip(await fileOf(dataDir, /\.ldb$/), share);
    const left = await recordsIn(t, dataDir);
    if (left && isDeepStrictEqual(left, content)) continue;
    t.diagnostic(`share ${share}: ${left?.size} of ${content?.size} records`);
    cost += 1;
    await holds(t, dataDir, blocks);
  }
  assert.ok(cost > 5);
});

/** Told; nothing changed by looking; a copy of all that was; nothing lost that was readable; clean and in balance then. */
async function holds(t: TestContext, dataDir: string, appended: number): Promise<void> {
  const before = await filesOf(dataDir);
  const readable = await blocksIn(t, dataDir);
  const { problems } = await checkStores(configFor(dataDir));
  assert.ok(problems.length > 0, 'told');
  assert.deepEqual(await filesOf(dataDir), before, 'looking changes nothing');

  const done = await repairStores(configFor(dataDir));
  const aside = /copied to (\S+) first/.exec(done.join())![1]!;
  const was = Object.entries(before).filter(([name]) => name.startsWith('outbox/') && !/LOG/.test(name));
  const copied = await filesOf(aside);
  assert.deepEqual(
    copied,
    Object.fromEntries(was.map(([name, hash]) => [name.slice(7), hash])),
    'copied as it was',
  );

  assert.deepEqual((await checkStores(configFor(dataDir))).problems, [], 'clean now');
  const after = await blocksIn(t, dataDir);
  const kept = [...(readable ?? [])].filter(([key, value]) => after?.get(key) === value);
  const unreadable = problems.filter(({ kind }) => kind === 'blocks-unreadable');
  const bad = unreadable.flatMap(({ seqs = [] }) => seqs).reduce((sum, [from, to]) => sum + to - from + 1, 0);
  if (readable) assert.equal(kept.length, readable.size - bad, 'nothing readable is lost');
  await balances(dataDir, appended, after?.size ?? 0);
}

async function balances(dataDir: string, appended: number, left: number): Promise<void> {
  await using outbox = await openOutboxIn(dataDir);
  const { devices } = outbox.report();
  const held = devices.flatMap(device => device.held).reduce((sum, { count }) => sum + count, 0);
  assert.equal(held, left * 8);
  for (const device of devices) {
    const own = device.held.reduce((sum, { count }) => sum + count, 0);
    assert.equal(device.read, own + device.damaged, device.device);
    assert.ok(device.read <= appended * 4);
  }
}

test('a flipped record of the ledger is told by name, and dropped by a repair', async t => {
  const dataDir = await filled(t, blocks, 'clean');
  const db = new ClassicLevel<string, Buffer>(path.join(dataDir, 'outbox'), { valueEncoding: 'buffer' });
  const value = (await db.get('lprobe-1'))!;
  value[value.length - 3]! ^= 1;
  await db.put('lprobe-1', value);
  await db.close();
  const { problems } = await checkStores(configFor(dataDir));
  assert.match(problems.map(({ reason }) => reason).join(), /record lprobe-1 is unreadable/);
  assert.match((await repairStores(configFor(dataDir))).join(), /lprobe-1/);
  assert.deepEqual((await checkStores(configFor(dataDir))).problems, []);
});

test('a block with a flipped value is told with its epoch and seq', async t => {
  const dataDir = await filled(t, blocks, 'clean');
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
  const db = new ClassicLevel<Buffer, Buffer>(path.join(dataDir, 'outbox'), options);
  const [key, value] = (await db.iterator({ gte: blockKey(0, 0), lt: endOfBlocks }).all())[4]!;
  value[value.length - 10]! ^= 1;
  await db.put(key, value);
  await db.close();
  const found = (await checkStores(configFor(dataDir))).problems.find(
    ({ kind }) => kind === 'blocks-unreadable',
  )!;
  assert.deepEqual(found.seqs, [[5, 5]]);
  assert.match(found.epoch!, /^000000001-/);
  await repairStores(configFor(dataDir));
  const { stored } = await auditOutbox(configFor(dataDir));
  assert.deepEqual(
    stored!.devices.map(({ read, damaged }) => ({ read, damaged })),
    [1, 2].map(() => ({ read: rows / 2, damaged: 4 })),
  );
});

test('a repair after a kill leaves the next start to tell of it', async t => {
  const dataDir = await filled(t, blocks, 'crash');
  const killedMs = Date.now();
  await flip(await fileOf(dataDir, /\.log$/), 0.3);
  while (Date.now() === killedMs) await new Promise(setImmediate);
  await repairStores(configFor(dataDir));
  await using outbox = await openOutboxIn(dataDir);
  assert.ok(outbox.gap && outbox.gap.fromMs <= killedMs);
});

test('what is held after a kill, and what came later, is read from the store as it is', async t => {
  const [dataDir, copy] = [await filled(t, blocks, 'clean'), await folderFor(t)];
  const outbox = await openOutboxIn(dataDir);
  await append(outbox, 5);
  const { epoch } = outbox;
  await cp(dataDir, copy, { recursive: true });
  await outbox[Symbol.asyncDispose]();
  const { stored } = await auditOutbox(configFor(copy));
  const [device] = stored!.devices;
  assert.equal(device!.read, rows / 2 + 20);
  assert.deepEqual(device!.held.at(-1), { epoch, from: 1, through: 20, count: 20 });
  assert.ok(stored!.epoch > epoch);
});

test('a folder without an outbox is no problem; one of a newer release is refused untouched', async t => {
  const dataDir = await folderFor(t);
  assert.deepEqual((await checkStores(configFor(dataDir))).problems, []);
  const newer = await filled(t, 1, 'clean');
  const file = path.join(newer, 'outbox.json');
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), version: 99 }));
  const before = await filesOf(newer);
  await assert.rejects(checkStores(configFor(newer)), error => hasCode(error, 'EW_STORE_VERSION'));
  await assert.rejects(repairStores(configFor(newer)), error => hasCode(error, 'EW_STORE_VERSION'));
  assert.deepEqual(await filesOf(newer), before);
});

test('while the agent runs its outbox is neither checked nor repaired, and its own lock holds', async t => {
  const dataDir = await filled(t, 3, 'clean');
  const holder = spawn(
    process.execPath,
    ['--input-type=module', '-e', holding, path.join(dataDir, 'outbox')],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: import.meta.dirname,
    },
  );
  t.after(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  for (let i = 0; i < 2; i++) {
    await assert.rejects(checkStores(configFor(dataDir)), error => hasCode(error, 'EW_STORE_LOCKED'));
    await assert.rejects(repairStores(configFor(dataDir)), error => hasCode(error, 'EW_STORE_LOCKED'));
  }
  assert.match((await auditOutbox(configFor(dataDir))).source, /it runs/);
  const left = (await readdir(dataDir)).filter(name => name.includes('look') || name.includes('repair'));
  assert.deepEqual(left, []);
});

const holding = `import { ClassicLevel } from 'classic-level';
const db = new ClassicLevel(process.argv[1]);
await db.open();
process.stdout.write('open');
process.stdin.resume();`;

test('seeded flips anywhere: told whenever a block is lost, and never made worse', async t => {
  const seed = testSeed('check-outbox');
  const rng = seededRng(seed);
  const whole = await filled(t, blocks, 'crash');
  for (let round = 0; round < 15; round++) {
    const dataDir = await folderFor(t);
    await cp(whole, dataDir, { recursive: true });
    const names = (await readdir(path.join(dataDir, 'outbox'))).filter(name =>
      /log$|^MANIFEST|^CURRENT/.test(name),
    );
    const name = names[Math.floor(rng() * names.length)]!;
    await flip(path.join(dataDir, 'outbox', name), rng());
    const readable = (await blocksIn(t, dataDir)) ?? new Map<string, string>();
    const { problems } = await checkStores(configFor(dataDir));
    // The end of the log is the same as a write that a crash cut short: that block was never acknowledged.
    if (problems.length === 0) assert.ok(readable.size >= blocks - 1, `SEED=${seed} round ${round} ${name}`);
    else {
      await repairStores(configFor(dataDir));
      assert.deepEqual((await checkStores(configFor(dataDir))).problems, [], `SEED=${seed} round ${round}`);
      const after = await blocksIn(t, dataDir);
      for (const key of readable.keys()) assert.ok(after?.has(key), `SEED=${seed} round ${round} ${name}`);
    }
  }
});
