/** Models that come over MQTT, at a real agent behind the collector's broker. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Made, makeBundle } from '@edgeward/agent/models/testing/real-bundle';
import { gatewayWill, RawMqtt } from '@edgeward/collector/testing/raw-mqtt';
import { revisionOf } from '@edgeward/models/bundle';
import type { ForestCard } from '@edgeward/models/card';
import { machineBatch } from '@edgeward/models/testing/machine';
import { type ModelManifest, manifestOf } from '@edgeward/shared/models/manifest';
import { Quality } from '@edgeward/shared/quality';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { topicOf } from '@edgeward/shared/topics';
import { FaultProxy } from '../faults/fault-proxy.js';
import { MachineAgent } from '../support/machine-agent.js';
import { type Files, ModelYard } from '../support/model-yard.js';

const limit = { timeout: 60_000 };
let folder: string;
let first: Made;
let second: Made;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'edgeward-lifecycle-'));
  first = await makeBundle(folder, 1);
  second = await makeBundle(folder, 2);
});
after(() => rm(folder, { recursive: true, force: true }));

let orders = 0;
function orderFor(manifest: unknown) {
  orders += 1;
  return { order: orders.toString(16).padStart(16, '0'), type: 'machine', manifest };
}

const dataDir = () => mkdtemp(path.join(folder, 'agent-'));

function agentAt(yard: ModelYard, directory: string): MachineAgent {
  return new MachineAgent({ port: yard.port, dataDir: directory, models: [first.folder] });
}

test(
  'a model is fetched, checked and swapped in while rows flow: none is lost, doubled or of two models',
  limit,
  async () => {
    await using yard = await ModelYard.open();
    await using agent = agentAt(yard, await dataDir());
    await yard.until('rows of the first model', () => yard.blocks.length > 20);
    yard.files(second.files);
    const order = orderFor(second.manifest);
    await yard.announce(order);
    assert.deepEqual((await yard.outcomeOf(order.order)).state, 'active');
    assert.equal(yard.report?.models.machine, second.manifest.revision);
    const revisions = () => yard.blocks.map(({ batch }) => batch.model);
    const from = () => revisions().indexOf(second.manifest.revision);
    await yard.until(
      'rows past the warm-up of the second',
      () => from() >= 0 && yard.blocks.length > from() + 20,
    );
    await agent.end();

    const blocks = [...yard.blocks].sort((a, b) => a.header.seq - b.header.seq);
    const switched = blocks.findIndex(({ batch }) => batch.model === second.manifest.revision);
    for (const [i, { batch }] of blocks.entries())
      assert.equal(batch.model, (i < switched ? first : second).manifest.revision, `block ${i}`);
    for (const device of [0, 1]) {
      const rows = blocks.flatMap(({ batch }) => [...batch.row].filter((_, r) => batch.device[r] === device));
      assert.deepEqual(
        rows,
        Array.from({ length: rows.length }, (_, r) => r + 1),
      );
    }
    const flat = blocks.slice(switched).flatMap(({ batch }) =>
      [...batch.quality].map((quality, r) => ({
        warm: (quality & Quality.warmUp) !== 0,
        scored: !Number.isNaN(batch.score![r]!),
      })),
    );
    const warmUp = flat.findIndex(({ warm }) => !warm);
    assert.equal(warmUp, 2 * 30, 'both devices warm up anew');
    assert.ok(flat.every(({ warm, scored }, i) => warm === i < warmUp && scored === i >= warmUp));
  },
);

test(
  'a stop in the midst costs nothing that had come; the next start runs what was fetched',
  limit,
  async () => {
    const directory = await dataDir();
    const order = orderFor(second.manifest);
    {
      await using yard = await ModelYard.open();
      await using agent = agentAt(yard, directory);
      yard.serve = ({ file, offset, bytes }) =>
        file === 'golden.json' && offset >= 4000
          ? undefined
          : second.files[file]?.subarray(offset, offset + bytes);
      await yard.announce(order);
      await yard.until('a question without an answer', () => {
        const last = yard.asks.at(-1);
        return last?.file === 'golden.json' && last.offset >= 4000;
      });
      await agent.end();
    }
    await using yard = await ModelYard.open();
    yard.files(second.files);
    {
      await using agent = agentAt(yard, directory);
      await yard.announce(order);
      assert.equal((await yard.outcomeOf(order.order)).state, 'active');
      const names = new Set(yard.asks.map(({ file }) => file));
      const again = second.manifest.files.findIndex(({ name }) => name === 'golden.json');
      for (const { name } of second.manifest.files.slice(0, again))
        assert.ok(!names.has(name), `${name} again`);
      assert.ok(yard.asks[0]!.offset >= 4000 && yard.asks[0]!.file === 'golden.json');
      await agent.end();
    }
    yard.forget();

    await using _ = agentAt(yard, directory);
    await yard.until('a report', () => yard.report?.models.machine !== undefined);
    assert.equal(yard.report?.models.machine, second.manifest.revision);
    assert.deepEqual(yard.asks, []);
  },
);

test('where models cannot be kept, the agent runs as configured and says what is wrong', limit, async () => {
  const directory = await dataDir();
  await writeFile(path.join(directory, 'models'), 'a file where a folder should be');
  await using yard = await ModelYard.open();
  yard.files(second.files);
  await using agent = agentAt(yard, directory);
  const order = orderFor(second.manifest);
  await yard.announce(order);
  const told = () => yard.report?.deployments?.find(one => one.order === order.order);
  await yard.until('it says why', () => /ENOTDIR|EEXIST/.test(told()?.text ?? ''));
  assert.equal(told()?.state, 'waiting');
  const before = yard.blocks.length;
  await yard.until('rows go on', () => yard.blocks.length > before + 5);
  assert.equal(yard.blocks.at(-1)?.batch.model, first.manifest.revision);
  await agent.end();
});

test('cuts in the midst: what has come is not fetched again', limit, async () => {
  await using yard = await ModelYard.open();
  await using proxy = await FaultProxy.open(yard.port);
  proxy.set({ latencyMs: 5 });
  await using agent = new MachineAgent({
    port: proxy.port,
    dataDir: await dataDir(),
    models: [first.folder],
  });
  await yard.until('the link is up', () => yard.blocks.length > 2);
  yard.files(second.files);
  const order = orderFor(second.manifest);
  await yard.announce(order);
  for (const asks of [3, 6]) {
    await yard.until('some pieces', () => yard.asks.length >= asks);
    proxy.breakAll();
  }
  assert.equal((await yard.outcomeOf(order.order)).state, 'active');
  const places = yard.asks.map(({ file, offset }) => {
    const before = second.manifest.files.slice(
      0,
      second.manifest.files.findIndex(({ name }) => name === file),
    );
    return before.reduce((sum, { bytes }) => sum + bytes, offset);
  });
  for (const [i, place] of places.entries()) assert.ok(i === 0 || place >= places[i - 1]!, `question ${i}`);
  const asked = yard.asks.reduce((sum, { bytes }) => sum + bytes, 0);
  const whole = second.manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const most = Math.max(...yard.asks.map(({ bytes }) => bytes));
  assert.ok(asked - whole <= 2 * most, 'each cut costs a piece at most');
  await agent.end();
});

/** As whoever makes a bundle could make it: every hash and the revision fit what is in it. */
function consistent(
  files: Files,
  change: Partial<ForestCard> = {},
): { files: Files; manifest: ModelManifest } {
  const card = { ...(JSON.parse(Buffer.from(files['card.json']!).toString()) as ForestCard), ...change };
  card.modelSha256 = createHash('sha256').update(files['model.onnx']!).digest('hex');
  card.revision = revisionOf(card);
  const whole = { ...files, 'card.json': Buffer.from(JSON.stringify(card)) };
  return { files: whole, manifest: manifestOf({ type: card.deviceType, revision: card.revision }, whole) };
}

test(
  'what is wrong is refused with a reason, nothing of it is used, and the former model goes on',
  limit,
  async () => {
    const rng = seededRng(testSeed('hostile bundles'));
    await using yard = await ModelYard.open();
    await using agent = agentAt(yard, await dataDir());
    await yard.until('rows', () => yard.blocks.length > 5);
    const noise = (n: number) => Uint8Array.from({ length: n }, () => Math.floor(rng() * 256));
    const onnx = (bytes: Uint8Array) => consistent({ ...second.files, 'model.onnx': bytes });
    const whole = second.files['model.onnx']!;
    const claims = (bytes: number) => [{ name: 'model.onnx', bytes, sha256: '0'.repeat(64) }];
    const golden = JSON.parse(Buffer.from(second.files['golden.json']!).toString());
    golden.scores[3] = 1 - golden.scores[3];
    const altered = { ...second.files, 'golden.json': Buffer.from(JSON.stringify(golden)) };
    const unasked: readonly [string, unknown, RegExp][] = [
      ['no manifest', { format: 9 }, /format/],
      ['a model of more than 1 MiB', { ...second.manifest, files: claims(2 << 20) }, /1048576/],
      [
        'all of them more than 9 MiB',
        {
          ...second.manifest,
          files: ['a', 'b', 'c'].map(name => ({ ...claims(4 << 20)[0], name })),
        },
        /more than 9437184/,
      ],
      [
        'a name that leaves the folder',
        {
          ...second.manifest,
          files: [{ ...claims(5)[0], name: '../../state.json' }],
        },
        /is not a file name/,
      ],
      ['another device type', { ...second.manifest, type: 'pump' }, /for devices of type pump/],
    ];
    for (const [what, manifest, reason] of unasked) {
      const order = orderFor(manifest);
      await yard.announce(order);
      const { state, code, text } = await yard.outcomeOf(order.order);
      assert.deepEqual([state, code], ['refused', 'EW_MODEL_BUNDLE'], what);
      assert.match(text!, reason, what);
    }
    assert.deepEqual(yard.asks, [], 'nothing was asked for');

    const fetched: readonly [string, { files: Files; manifest: ModelManifest }, string, RegExp][] = [
      [
        'other bytes than told',
        { ...second, files: { ...second.files, 'golden.json': noise(second.files['golden.json']!.length) } },
        'EW_MODEL_BUNDLE',
        /golden\.json has the SHA-256/,
      ],
      ['noise for a model', onnx(noise(5000)), 'EW_MODEL_BUNDLE', /model\.onnx/],
      ['half a model', onnx(whole.subarray(0, whole.length / 2)), 'EW_MODEL_BUNDLE', /model\.onnx/],
      [
        'a model with something behind it',
        onnx(Buffer.concat([whole, Buffer.from([0x3a, 2, 0, 0])])),
        'EW_MODEL_BUNDLE',
        /model\.onnx/,
      ],
      [
        'golden rows that it does not reproduce',
        { files: altered, manifest: manifestOf(second.manifest, altered) },
        'EW_MODEL_GOLDEN',
        /golden row 3/,
      ],
      [
        'a card of another revision',
        { ...second, manifest: { ...second.manifest, revision: '0'.repeat(12) } },
        'EW_MODEL_BUNDLE',
        /its manifest of machine 000000000000/,
      ],
    ];
    for (const [what, { files, manifest }, wanted, reason] of fetched) {
      yard.files(files);
      const order = orderFor(manifest);
      await yard.announce(order);
      const { state, code, text } = await yard.outcomeOf(order.order);
      assert.deepEqual([state, code], ['refused', wanted], `${what}: ${text}`);
      assert.match(text!, reason, what);
      assert.ok(!text!.includes(folder), 'no path of the gateway');
    }
    await yard.send('models', 'no announcement');
    await yard.send('models', JSON.stringify({ assignments: Array.from({ length: 65 }, () => ({})) }));
    await yard.send('models', ' '.repeat(300_000));
    await yard.send('part', noise(1000));

    const before = yard.blocks.length;
    await yard.until('rows go on', () => yard.blocks.length > before + 5);
    assert.ok(yard.blocks.slice(before).every(({ batch }) => batch.model === first.manifest.revision));
    assert.equal(
      yard.events.filter(text => /is refused and the former goes on/.test(text)).length,
      unasked.length + fetched.length,
    );
    await agent.end();
  },
);

test(
  'a model for fields that the devices do not have is refused; on no rows nothing is fetched',
  limit,
  async () => {
    await using yard = await ModelYard.open();
    const rows = machineBatch({ rows: 20_000 });
    const fields = rows.schema.fields.map(field =>
      field.name === 'flow' ? { ...field, name: 'torque' } : field,
    );
    const other = { ...rows, schema: { ...rows.schema, fields } };
    await using agent = new MachineAgent({ port: yard.port, dataDir: await dataDir(), rows: other });
    yard.files(second.files);
    const [here, elsewhere] = [orderFor(second.manifest), orderFor({ ...second.manifest, type: 'press' })];
    await yard.announce({ ...elsewhere, type: 'press' }, here);
    const { state, code, text } = await yard.outcomeOf(here.order);
    assert.deepEqual([state, code], ['refused', 'EW_MODEL_FIELDS']);
    assert.match(text!, / flow\.$/);
    const waiting = yard.report?.deployments?.find(({ type }) => type === 'press');
    assert.deepEqual(
      [waiting?.state, waiting?.text],
      ['waiting', 'no rows of this device type have come yet'],
    );
    await agent.end();
  },
);

test(
  'nobody but the collector may announce or hand out models, and nobody reads those of others',
  limit,
  async () => {
    await using yard = await ModelYard.open();
    const enter = async (name: string) => {
      const client = new RawMqtt(yard);
      assert.equal((await client.connect(name, gatewayWill(name)))?.returnCode, 0);
      return client;
    };
    for (const [name, topic] of [
      ['gw-1', topicOf('gw-1', 'models')],
      ['gw-1', topicOf('gw-1', 'part')],
      ['gw-2', topicOf('gw-1', 'models')],
      ['gw-2', topicOf('gw-1', 'fetch')],
    ] as const) {
      using client = await enter(name);
      assert.equal(await client.publish(topic, 'forged'), false, `${name} to ${topic}: hung up on`);
    }
    using client = await enter('gw-2');
    const filters = (['models', 'part'] as const).flatMap(kind => [
      topicOf('gw-1', kind),
      topicOf('gw-2', kind),
    ]);
    assert.deepEqual(await client.subscribe(...filters), [128, 2, 128, 2]);
  },
);

test('on a modem a model on its way goes in small pieces, between the readings', {
  timeout: 90_000,
}, async () => {
  await using yard = await ModelYard.open();
  await using proxy = await FaultProxy.open(yard.port);
  proxy.set({ bytesPerSecond: 8000, latencyMs: 20 });
  const feed = { everyMs: 125, rowsABatch: 10, reportMs: 2000 };
  await using agent = new MachineAgent({
    port: proxy.port,
    dataDir: await dataDir(),
    models: [first.folder],
    ...feed,
  });
  await yard.until('the link is up', () => yard.blocks.length > 4);
  /** Blocks that had come by each question. */
  const blocks: number[] = [];
  yard.serve = ({ file, offset, bytes }) => {
    blocks.push(yard.blocks.length);
    return second.files[file]?.subarray(offset, offset + bytes);
  };
  await yard.announce(orderFor(second.manifest));
  await yard.until('it is there', () => yard.report?.models.machine === second.manifest.revision, 60_000);
  await agent.end();
  const most = Math.max(...yard.asks.map(({ bytes }) => bytes));
  assert.ok(most <= 8192, `${most} bytes are more than a second of this way`);
  const alone = Math.max(...blocks.map((before, i) => blocks.slice(i).filter(n => n === before).length));
  console.log(`${yard.asks.length} pieces of up to ${most} bytes, at most ${alone} without a block between`);
  assert.ok(alone <= 4, `${alone} pieces went without a block between them`);
});

const policy = {
  rows: 300,
  hours: 0,
  maxAlarmsPerDay: 1e6,
  minReproduced: 0,
  rollbackFactor: 1,
  rollbackHours: 1,
};

test('a candidate runs in the shadow, also over a restart, and takes over by the rules', limit, async () => {
  await using yard = await ModelYard.open();
  yard.files(second.files);
  const directory = await dataDir();
  const order = { ...orderFor(second.manifest), shadow: { ...policy, rows: 4000 } };
  const shadow = () => yard.report?.deployments?.find(one => one.order === order.order)?.shadow;
  {
    await using agent = agentAt(yard, directory);
    await yard.announce(order);
    await yard.until('it has scored some rows', () => (shadow()?.rows ?? 0) > 500);
    await agent.end();
  }
  const before = shadow()!;
  yard.forget();
  await using agent = agentAt(yard, directory);
  await yard.until('it goes on', () => shadow() !== undefined);
  assert.ok(shadow()!.rows >= before.rows, 'it does not begin anew');
  assert.deepEqual(yard.asks, [], 'and is not fetched again');
  assert.ok(yard.blocks.every(({ batch }) => batch.model === first.manifest.revision));
  assert.equal((await yard.outcomeOf(order.order)).state, 'active');
  await yard.until('rows of it', () => yard.blocks.at(-1)?.batch.model === second.manifest.revision);
  await agent.end();
});

test('a candidate that raises too many alarms does not take over', limit, async () => {
  await using yard = await ModelYard.open();
  const { files, manifest } = consistent(second.files, { threshold: 0.01 });
  yard.files(files);
  await using agent = agentAt(yard, await dataDir());
  const order = { ...orderFor(manifest), shadow: { ...policy, maxAlarmsPerDay: 1 } };
  await yard.announce(order);
  const { state, code, text } = await yard.outcomeOf(order.order);
  assert.deepEqual([state, code], ['refused', 'EW_MODEL_ALARMS']);
  assert.match(text!, /alarms a day and device, allowed are 1\.$/);
  assert.equal(yard.report?.models.machine, first.manifest.revision);
  assert.ok(
    yard.blocks.every(({ batch }) => batch.model === first.manifest.revision && !batch.anomaly?.includes(1)),
  );
  await agent.end();
});

test('a model that took over and raises too many alarms gives way to the one before', limit, async () => {
  await using yard = await ModelYard.open();
  yard.files(second.files);
  const rows = machineBatch({ rows: 20_000, seed: 77 });
  const flow = rows.values[1] as Float64Array;
  for (let r = 0; r < flow.length; r++) {
    const row = Math.floor(r / 2);
    if (row > 1500 && row % 100 < 30) flow[r]! -= 8;
  }
  const directory = await dataDir();
  await using agent = new MachineAgent({ port: yard.port, dataDir: directory, models: [first.folder], rows });
  const order = { ...orderFor(second.manifest), shadow: policy };
  await yard.announce(order);
  const find = () => yard.report?.deployments?.find(one => one.order === order.order);
  await yard.until('it takes over', () => find()?.state === 'active');
  await yard.until('it gives way', () => find()?.state === 'rolled-back');
  assert.equal(find()?.code, 'EW_MODEL_ALARMS');
  assert.match(find()!.text!, /It raised \d+ alarms in its first \d\.\d h, from \d+ on it gives way/);
  await yard.until('rows of the former', () => yard.blocks.at(-1)?.batch.model === first.manifest.revision);
  const models = new Set(
    [...yard.blocks].sort((a, b) => a.header.seq - b.header.seq).map(one => one.batch.model),
  );
  assert.deepEqual([...models], [first.manifest.revision, second.manifest.revision]);
  assert.ok(yard.events.some(text => /gave way to the one before it/.test(text)));
  await agent.end();
});
