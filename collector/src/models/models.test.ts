/** Registry, assignments and distribution, without a network. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { createBundle, writeBundle } from '@edgeward/models/bundle';
import { machineBatch, machineTraining } from '@edgeward/models/testing/machine';
import { train } from '@edgeward/models/training';
import type { ModelDeployment } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { modelLimits, parseAnnouncement } from '@edgeward/shared/models/manifest';
import { encodeAsk, type ModelPart, parsePart } from '@edgeward/shared/models/parts';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { pino } from 'pino';
import { Gateways } from '../gateways.js';
import type { GatewayReport } from '../report.js';
import { Assignments } from './assignments.js';
import { shadowConfig } from './config.js';
import { Models } from './controls.js';
import { Distribution } from './distribution.js';
import { ModelRegistry } from './registry.js';

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-registry-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const trained = train(
  { batch: machineBatch({ rows: 800 }), skippedRows: 0 },
  { ...machineTraining, trees: 10, samples: 64 },
).bundle;

/** Another threshold is another revision. */
async function filesOf(folder: string, threshold: number): Promise<Record<string, Buffer>> {
  const { format: _, revision: __, modelSha256: ___, ...card } = trained.card;
  const at = path.join(folder, `bundle-${threshold}`);
  await writeBundle(at, createBundle({ ...card, threshold }, trained.forest, trained.golden));
  const names = await readdir(at);
  return Object.fromEntries(
    await Promise.all(names.map(async name => [name, await readFile(path.join(at, name))] as const)),
  );
}

const shadow = shadowConfig.parse({});
const open = (folder: string) => ModelRegistry.open(folder, new FakeClock(), silentLogger);

test('a bundle is kept as it was added, once, and is there after a restart', async t => {
  const folder = await folderFor(t);
  const registry = await open(folder);
  const files = await filesOf(folder, 0.7);
  const added = await registry.add(files);
  assert.equal((await registry.add(files)).id, added.id);
  await mkdir(path.join(folder, 'bundles', '.new-half'));
  const again = await open(folder);
  assert.deepEqual(again.all(), [added]);
  assert.deepEqual(await readdir(path.join(folder, 'bundles')), [added.id], 'what was half added is gone');
  const { name, bytes } = added.manifest.files[0]!;
  const read = await again.read(added.id, name, 10, bytes);
  assert.deepEqual(Buffer.from(read), files[name]!.subarray(10));
  await writeFile(path.join(folder, 'bundles', added.id, name), 'short');
  assert.deepEqual((await open(folder)).all(), [], 'one that is damaged is nobody’s');
});

const tooLarge = /model\.onnx has 1048577 bytes, more than 1048576, and gateways refuse it: train on fewer/;

test('a bundle that gateways refuse since the last release is not announced, and said', async t => {
  const folder = await folderFor(t);
  const { id } = await (await open(folder)).add(await filesOf(folder, 0.7));
  const record = path.join(folder, 'bundles', id, 'manifest.json');
  const { manifest, ...rest } = JSON.parse(await readFile(record, 'utf8'));
  const claimed = manifest.files.map((file: { name: string }) =>
    file.name === 'model.onnx' ? { ...file, bytes: 1_048_577 } : file,
  );
  await writeFile(record, JSON.stringify({ manifest: { ...manifest, files: claimed }, ...rest }));
  const said: { error?: string }[] = [];
  const log = pino({}, { write: line => void said.push(JSON.parse(line)) });
  assert.deepEqual((await ModelRegistry.open(folder, new FakeClock(), log)).all(), []);
  assert.equal(said.length, 1);
  assert.match(said[0]!.error!, tooLarge);
});

test('what a gateway would refuse is refused here, and nothing of it is left', async t => {
  const folder = await folderFor(t);
  const registry = await open(folder);
  const files = await filesOf(folder, 0.7);
  const altered = {
    ...files,
    'golden.json': Buffer.from(String(files['golden.json']).replace(/[1-8]/, '9')),
  };
  const { 'card.json': _, ...lacking } = files;
  for (const [bad, code, reason] of [
    [{ ...files, 'model.onnx': Buffer.from('x') }, 'EW_MODEL_BUNDLE', /does not have the SHA-256/],
    [altered, /EW_MODEL_(GOLDEN|BUNDLE)/, /golden/],
    [lacking, 'EW_MODEL_BUNDLE', /card\.json cannot be read/],
    [{ ...files, '../evil': Buffer.from('x') }, 'EW_MODEL_BUNDLE', /is not a file name/],
    [{ ...files, 'manifest.json': Buffer.from('x') }, 'EW_MODEL_BUNDLE', /kept for the store/],
    [{ ...files, 'more.bin': Buffer.alloc((4 << 20) + 1) }, 'EW_MODEL_BUNDLE', /4194304/],
    [{ ...files, 'model.onnx': Buffer.alloc((1 << 20) + 1) }, 'EW_MODEL_BUNDLE', tooLarge],
  ] as const)
    await assert.rejects(registry.add(bad), (error: Error & { code: string }) => {
      assert.match(error.code, new RegExp(code));
      assert.match(error.message, reason);
      assert.ok(!error.message.includes(folder), error.message);
      return true;
    });
  assert.deepEqual(await readdir(path.join(folder, 'bundles')).catch(() => []), []);
});

test("a gateway's own assignment goes before the general one; rollbacks lead back, at last to what is configured", async t => {
  const folder = await folderFor(t);
  const load = () => Assignments.open(folder, new FakeClock(), silentLogger);
  const assignments = await load();
  await assignments.assign({ type: 'pump', gateway: null, bundle: 'a' });
  await assignments.assign({ type: 'pump', gateway: 'gw-2', bundle: 'b' });
  await assignments.assign({ type: 'fan', gateway: null, bundle: 'c' });
  const seen = async (gateway: string) =>
    Object.fromEntries((await load()).of(gateway).map(({ type, bundle }) => [type, bundle]));
  assert.deepEqual(await seen('gw-1'), { pump: 'a', fan: 'c' });
  assert.deepEqual(await seen('gw-2'), { pump: 'b', fan: 'c' });
  const first = await assignments.assign({ type: 'pump', gateway: null, bundle: 'd' });
  const same = await assignments.assign({ type: 'pump', gateway: null, bundle: 'd' });
  assert.notEqual(first.order, same.order, 'said again is to be done again');
  assert.deepEqual([...assignments.used].sort(), ['a', 'b', 'c', 'd']);
  for (const bundle of ['a', null, null]) {
    const back = await assignments.rollBack('pump', null);
    assert.equal(back?.bundle, bundle);
  }
  assert.equal(await assignments.rollBack('press', null), undefined);
  await writeFile(path.join(folder, 'assignments.json'), '{');
  assert.deepEqual((await load()).all(), [], 'lost, and told; nothing fails');
});

test('a rollback leads to what ran before: nowhere else, not where it is, not to what was refused or is gone', async t => {
  const folder = await folderFor(t);
  const assignments = await Assignments.open(folder, new FakeClock(), silentLogger);
  const assign = (bundle: string, isFit = true) =>
    assignments.assign({ type: 'pump', gateway: null, bundle }, () => isFit);
  for (const bundle of ['a', 'b', 'a', 'a', 'gone', 'c']) await assign(bundle);
  await assign('d');
  await assign('c', false); // d was refused
  const led = [];
  const isThere = (bundle: string) => bundle !== 'gone';
  for (let i = 0; i < 4; i++) led.push((await assignments.rollBack('pump', null, isThere))?.bundle);
  assert.deepEqual(led, ['a', 'b', 'a', null]);
});

test('what gateways refused, or tried beside another model only, is no place to go back to', async t => {
  const folder = await folderFor(t);
  const registry = await open(folder);
  const clock = new FakeClock();
  const assignments = await Assignments.open(folder, clock, silentLogger);
  const distribution = new Distribution({
    registry,
    assignments,
    publish: async () => undefined,
    log: silentLogger,
  });
  const gateways = new Gateways(clock);
  const journal = { tell: async () => undefined };
  const trainings = () => ({ view: () => [], start: () => assert.fail('nobody asked for it') });
  const models = new Models({ registry, assignments, distribution, gateways, journal, shadow, trainings });
  const revisions = [];
  for (const threshold of [0.5, 0.6, 0.7, 0.8])
    revisions.push((await models.add(await filesOf(folder, threshold))).revision);
  const [good, refused, tried, last] = revisions as [string, string, string, string];
  const target = { type: 'machine', gateway: null };
  const assign = async (revision: string, state: ModelDeployment['state'], byShadow = false) => {
    const { order } = (await models.assign(target, revision, byShadow))!;
    const deployments = [{ type: 'machine', order, revision, state }];
    gateways.report({ gateway: 'gw-1', deployments } as unknown as GatewayReport);
  };
  await assign(good, 'active', true);
  await assign(refused, 'rolled-back');
  await assign(tried, 'shadow', true);
  await assign(last, 'active');
  assert.equal((await models.rollBack(target))?.revision, good);
});

test('one device type more than a gateway takes is refused; one that is as configured takes no room', async t => {
  const assignments = await Assignments.open(await folderFor(t), new FakeClock(), silentLogger);
  const assign = (type: string, gateway: string | null = null) =>
    assignments.assign({ type, gateway, bundle: 'a' });
  for (let i = 1; i < modelLimits.maxAssignments; i++) await assign(`type-${i}`);
  await assign('own', 'gw-1');
  await assert.rejects(assign('more', 'gw-1'), {
    code: 'EW_HTTP_REQUEST',
    message: /type: more would be one device type more than the 64 .*gateway gw-1/,
  });
  await assert.rejects(assign('more'), /gateway gw-1/, 'in all gateways are those with one of their own');
  await assign('type-1');
  await assign('more', 'gw-2');
  await assignments.rollBack('type-1', null);
  await assign('more');
  assert.equal(assignments.of('gw-1').filter(({ bundle }) => bundle !== null).length, 64);
});

test('assignments made at the same time are all kept', async t => {
  const folder = await folderFor(t);
  const assignments = await Assignments.open(folder, new FakeClock(), silentLogger);
  const gateways = Array.from({ length: 8 }, (_, i) => `gw-${i}`);
  await Promise.all(gateways.map(gateway => assignments.assign({ type: 'pump', gateway, bundle: 'a' })));
  const kept = (await Assignments.open(folder, new FakeClock(), silentLogger)).all();
  assert.deepEqual(kept.map(({ gateway }) => gateway).sort(), gateways);
});

test('a gateway whose own first assignment is rolled back follows the general one again', async t => {
  const folder = await folderFor(t);
  const assignments = await Assignments.open(folder, new FakeClock(), silentLogger);
  await assignments.assign({ type: 'pump', gateway: null, bundle: 'a' });
  await assignments.assign({ type: 'pump', gateway: 'gw-1', bundle: 'b' });
  assert.equal((await assignments.rollBack('pump', 'gw-1'))?.bundle, 'a');
  await assignments.assign({ type: 'pump', gateway: null, bundle: 'c' });
  assert.deepEqual(
    assignments.of('gw-1').map(({ bundle }) => bundle),
    ['c'],
  );
});

test('a gateway gets what it should run and nothing else', async t => {
  const folder = await folderFor(t);
  const registry = await open(folder);
  const assignments = await Assignments.open(folder, new FakeClock(), silentLogger);
  const mine = await registry.add(await filesOf(folder, 0.7));
  const other = await registry.add(await filesOf(folder, 0.8));
  await assignments.assign({ type: 'machine', gateway: 'gw-1', bundle: mine.id });
  await assignments.assign({ type: 'machine', gateway: 'gw-2', bundle: other.id });
  const sent: [string, Uint8Array | string, boolean | undefined][] = [];
  let away = false;
  let arrived: () => void = () => undefined;
  const publish = async (topic: string, payload: Uint8Array | string, retain?: boolean) => {
    if (away) throw new Error('away');
    sent.push([topic, payload, retain]);
    arrived();
  };
  const distribution = new Distribution({ registry, assignments, publish, log: silentLogger });
  await distribution.announce('gw-3');
  assert.equal(sent.length, 0, 'who is to run nothing hears nothing');
  away = true;
  await distribution.announce('gw-1');
  assert.ok(distribution.owes('gw-1'));
  away = false;
  await distribution.announce('gw-1');
  assert.ok(!distribution.owes('gw-1'));
  await distribution.announceAll(['gw-2', 'gw-3']);
  const toAll = sent.splice(1).map(([topic]) => topic);
  assert.deepEqual(toAll, ['edgeward/v1/gw-2/models', 'edgeward/v1/gw-1/models'], 'known, or told before');
  const [topic, payload, retained] = sent.pop()!;
  assert.deepEqual([topic, retained], ['edgeward/v1/gw-1/models', true]);
  const [wanted] = parseAnnouncement(Buffer.from(payload as string))!;
  assert.deepEqual(wanted && 'manifest' in wanted && wanted.manifest, mine.manifest);

  const ask = async (gateway: string, bundle: string, file = 'card.json'): Promise<ModelPart> => {
    const answer = new Promise<void>(resolve => {
      arrived = resolve;
    });
    distribution.asked(gateway, Buffer.from(encodeAsk({ bundle, file, offset: 5, bytes: 100 })));
    await answer;
    return parsePart(sent.pop()![1] as Uint8Array)!;
  };
  assert.equal((await ask('gw-1', mine.id)).data.length, 100);
  for (const [gateway, bundle, file] of [
    ['gw-1', other.id],
    ['gw-3', mine.id],
    ['gw-1', mine.id, 'manifest.json'],
    ['gw-1', 'f'.repeat(64)],
  ] as const) {
    const { data, error } = await ask(gateway, bundle, file);
    assert.deepEqual([data.length, error?.code], [0, 'EW_MODEL_TRANSFER']);
    assert.match(error!.text, /not what this gateway should run/);
  }
});
