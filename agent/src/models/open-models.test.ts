import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { bundleIdOf } from '@edgeward/shared/models/manifest';
import { type Notice, openModels } from './open-models.js';
import { ModelStore } from './store.js';
import { type Made, makeBundle } from './testing/real-bundle.js';
import { bringIn } from './testing/store-child.js';

let bundles: string;
let configured: Made | undefined;
let one: Made | undefined;
let two: Made | undefined;
before(async () => {
  bundles = await mkdtemp(path.join(tmpdir(), 'edgeward-bundles-'));
  configured = await makeBundle(bundles, 1);
  one = await makeBundle(bundles, 2);
  two = await makeBundle(bundles, 3);
});
after(() => rm(bundles, { recursive: true, force: true }));

async function place(t: TestContext) {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-models-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const store = await ModelStore.open(folder, silentLogger);
  await bringIn(store, one!, '1'.repeat(16));
  await bringIn(store, two!, '2'.repeat(16));
  /** As at a start. @returns the revision in use */
  const start = async () => {
    const events: Notice[] = [];
    const again = await ModelStore.open(folder, silentLogger);
    const options = { folders: [configured!.folder], engine: 'typescript' as const, log: silentLogger };
    const { models } = await openModels({ ...options, store: again, onEvent: event => events.push(event) });
    return { revisions: models.map(model => model.detector.revision), events, store: again };
  };
  const spoil = async (made: Made, name: string) => {
    const file = path.join(store.folderOf('machine', bundleIdOf(made.manifest)), name);
    await writeFile(
      file,
      (await readFile(file, 'utf8')).replace(/\d/, digit => String((Number(digit) + 1) % 10)),
    );
  };
  return { folder, store, start, spoil };
}

test('what was sent goes before what is configured; damaged, the one before goes on; then the configured one', async t => {
  const { start, spoil } = await place(t);
  const whole = await start();
  assert.deepEqual([whole.revisions, whole.events], [[two!.manifest.revision], []]);
  await spoil(two!, 'golden.json');
  const former = await start();
  assert.deepEqual(former.revisions, [one!.manifest.revision]);
  assert.match(former.events[0]!.text, /machine is damaged on this disk.*the one before it goes on/);
  assert.equal(former.store.stateOf('machine').outcome, null, 'so that its order is carried out again');
  assert.deepEqual((await start()).events, [], 'it is told once');
  await spoil(one!, 'card.json');
  assert.deepEqual((await start()).revisions, [configured!.manifest.revision]);
});

test('a version that is whole and does not reproduce its golden rows gives way, and is not tried again', async t => {
  const { folder, start } = await place(t);
  const { manifest, files } = two!;
  const golden = JSON.parse(Buffer.from(files['golden.json']!).toString());
  golden.scores[0] = 1 - golden.scores[0];
  const wrong = await makeBundle(bundles, 3, { 'golden.json': Buffer.from(JSON.stringify(golden)) });
  const store = await ModelStore.open(folder, silentLogger);
  await bringIn(store, wrong, '3'.repeat(16));
  const { revisions, events, store: after } = await start();
  assert.deepEqual(revisions, [manifest.revision], 'the one before');
  assert.match(events[0]!.text, /cannot be used any more/);
  const { outcome } = after.stateOf('machine');
  assert.deepEqual(
    [outcome?.state, outcome?.code, outcome?.order],
    ['rolled-back', 'EW_MODEL_GOLDEN', '3'.repeat(16)],
  );
});

test('with its state lost it starts as configured, and with nothing it starts', async t => {
  const { folder, start } = await place(t);
  await writeFile(path.join(folder, 'machine', 'state.json'), '{"format":1,"active":"../../etc"');
  assert.deepEqual((await start()).revisions, [configured!.manifest.revision]);
  const options = { engine: 'typescript' as const, log: silentLogger, onEvent: () => undefined };
  const store = await ModelStore.open(path.join(folder, 'none'), silentLogger);
  const broken = path.join(folder, 'broken');
  await cp(configured!.folder, broken, { recursive: true });
  await writeFile(path.join(broken, 'card.json'), '{}');
  assert.deepEqual((await openModels({ ...options, store, folders: [broken] })).models, []);
});
