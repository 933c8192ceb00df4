import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@edgeward/shared/log';
import { bundleIdOf } from '@edgeward/shared/models/manifest';
import { ModelStore } from './store.js';
import { madeUp } from './testing/made-up.js';
import { bringIn } from './testing/store-child.js';

const child = fileURLToPath(new URL('testing/store-child.js', import.meta.url));
const idOf = (seed: number) => bundleIdOf(madeUp(seed).manifest);

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-models-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const open = (folder: string) => ModelStore.open(folder, silentLogger);
const versions = async (folder: string) => (await readdir(path.join(folder, 'machine', 'versions'))).sort();

/** Brings in bundle 1, then bundle 2. @returns whether it was killed */
function run(folder: string, failpoint?: string): boolean {
  const env = { ...process.env, ...(failpoint && { EDGEWARD_FAILPOINT: failpoint }) };
  const { status, signal, stderr } = spawnSync(process.execPath, [child, folder, '1', '2'], { env });
  assert.ok(status === 0 || signal === 'SIGKILL', String(stderr));
  return signal === 'SIGKILL';
}

test('killed at any place, the active version is whole, and the next try completes', async t => {
  // Of 18 pieces each; and which of the two bundles is active then, 0 = none.
  const places = {
    'after-part@1': 0,
    'after-part@11': 0,
    'after-part@25': 1,
    'before-version@1': 0,
    'before-version@2': 1,
    'after-version@1': 0,
    'after-version@2': 1,
    'before-switch@1': 0,
    'before-switch@2': 1,
    'after-switch@1': 1,
    'after-switch@2': 2,
  };
  for (const [place, seed] of Object.entries(places)) {
    const folder = await folderFor(t);
    assert.ok(run(folder, `models.${place}`), `${place} is passed`);
    const after = await open(folder);
    const { active, previous, outcome } = after.stateOf('machine');
    assert.equal(active, seed === 0 ? null : idOf(seed), place);
    assert.equal(previous, seed === 2 ? idOf(1) : null, place);
    assert.equal(outcome?.order, seed === 0 ? undefined : `${seed}`, place);
    if (active) await after.check('machine', active);
    assert.ok(!run(folder));
    const { active: last, previous: former } = (await open(folder)).stateOf('machine');
    assert.deepEqual([last, former], [idOf(2), idOf(1)], place);
    assert.deepEqual(await versions(folder), [idOf(1), idOf(2)].sort());
    assert.deepEqual(await readdir(path.join(folder, 'machine', 'incoming')), []);
  }
});

test('what had come before a kill is not fetched again', async t => {
  const folder = await folderFor(t);
  run(folder, 'models.after-part@7');
  const incoming = await (await open(folder)).receive(madeUp(1).manifest);
  assert.equal(incoming.doneBytes, 7000);
  assert.deepEqual(incoming.next, { file: 'model.onnx', offset: 7000, left: 3000 });
  await incoming.close();
});

test('it keeps the active version and the one before, no more, and a switch back needs nothing fetched', async t => {
  const folder = await folderFor(t);
  const store = await open(folder);
  for (const seed of [1, 2, 3]) await bringIn(store, madeUp(seed), `${seed}`);
  assert.deepEqual(await versions(folder), [idOf(2), idOf(3)].sort());
  assert.ok(await store.has('machine', idOf(2)));
  await bringIn(store, madeUp(2), 'back');
  const { active, previous } = (await open(folder)).stateOf('machine');
  assert.deepEqual([active, previous], [idOf(2), idOf(3)]);
});

test('one byte changed, one missing, one file gone: each is found', async t => {
  const folder = await folderFor(t);
  const store = await open(folder);
  const damages = [
    async (file: string) => {
      const bytes = await readFile(file);
      bytes[17]! ^= 1;
      await writeFile(file, bytes);
    },
    async (file: string) => truncate(file, (await stat(file)).size - 2),
    (file: string) => rm(file),
    async (file: string) => writeFile(file, Buffer.concat([await readFile(file), Buffer.from('x')])),
  ];
  for (const [i, damage] of damages.entries())
    for (const name of ['model.onnx', 'card.json', 'manifest.json']) {
      await bringIn(store, madeUp(1), `${name}-${i}`);
      await damage(path.join(store.folderOf('machine', idOf(1)), name));
      await assert.rejects(store.check('machine', idOf(1)), { code: 'EW_MODEL_BUNDLE' }, `${name} ${i}`);
    }
});

test('a spoilt part of an earlier try is found at the end and fetched again', async t => {
  const folder = await folderFor(t);
  const store = await open(folder);
  const { manifest, files } = madeUp(1);
  const first = await store.receive(manifest);
  await first.write(files['model.onnx']!.subarray(0, 5000));
  await first.close();
  const part = path.join(first.folder, 'model.onnx.part');
  await writeFile(part, Buffer.alloc(5000)); // as after a power cut: the size is there, the bytes are not
  const incoming = await store.receive(manifest);
  const fill = async () => {
    for (let { next } = incoming; next; { next } = incoming)
      await incoming.write(files[next.file]!.subarray(next.offset, next.offset + 4096));
  };
  await fill();
  await assert.rejects(store.accept(incoming), { code: 'EW_MODEL_BUNDLE' });
  assert.deepEqual([incoming.takeResumed(), incoming.takeResumed()], [true, false]);
  assert.deepEqual(incoming.next, { file: 'model.onnx', offset: 0, left: 10_000 });
  await fill();
  await store.accept(incoming);
  assert.ok(await store.has('machine', idOf(1)));
});
