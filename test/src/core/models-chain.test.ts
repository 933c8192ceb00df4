/** Models from `edgeward models` through a real collector to a real agent. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Made, makeBundle } from '@edgeward/agent/models/testing/real-bundle';
import { collectorConfig } from '@edgeward/collector/config';
import { runCollector } from '@edgeward/collector/main';
import { command } from '@edgeward/collector/models-command';
import { gatewayWill, RawMqtt } from '@edgeward/collector/testing/raw-mqtt';
import type { GatewayModelView, ModelsView } from '@edgeward/collector/views';
import type { CommandValues } from '@edgeward/shared/command';
import { silentLogger } from '@edgeward/shared/log';
import { bundleIdOf, parseAnnouncement } from '@edgeward/shared/models/manifest';
import { topicOf } from '@edgeward/shared/topics';
import { MachineAgent } from '../support/machine-agent.js';
import { Mosquitto, noMosquitto } from '../support/mosquitto.js';
import { freePort, getJson, until } from '../support/processes.js';

const never = new AbortController().signal;

/** Until it is disposed of. */
async function collectorAt(dataDir: string, api: number, broker: object) {
  const config = collectorConfig.parse({ dataDir, api: { port: api }, broker });
  const stop = new AbortController();
  let running = Promise.resolve();
  await new Promise<unknown>((resolve, reject) => {
    const options = { config, log: silentLogger, onListening: resolve };
    running = runCollector(options, stop.signal, AbortSignal.any([]));
    running.catch(reject);
  });
  return {
    [Symbol.asyncDispose]: () => {
      stop.abort();
      return running;
    },
  };
}

async function edgeward(values: CommandValues): Promise<string> {
  const stdout = new PassThrough();
  const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), stop: never, deadline: never };
  await command.run(values, io);
  stdout.end();
  return text(stdout);
}

test('added, assigned, run, rolled back; a file that was altered at the collector is refused', {
  timeout: 90_000,
}, async t => {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-chain-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [first, second, third] = [
    await makeBundle(folder, 1),
    await makeBundle(folder, 2),
    await makeBundle(folder, 3),
  ];
  const [api, port] = [await freePort(), await freePort()];
  const config = path.join(folder, 'collector.yaml');
  await writeFile(config, `api: { port: ${api} }\nbroker: { port: ${port} }\n`);
  const dataDir = path.join(folder, 'collector');
  const row = async () =>
    (await getJson<ModelsView>(`http://127.0.0.1:${api}/api/models`)).gateways.find(
      ({ type }) => type === 'machine',
    );
  const see = (what: string, ready: (row: GatewayModelView) => boolean) =>
    until(what, async () => {
      const found = await row();
      return found && ready(found) ? found : undefined;
    });
  const agent = new MachineAgent({
    port,
    dataDir: path.join(folder, 'agent'),
    models: [first.folder],
    engine: 'auto',
  });
  try {
    {
      await using _ = await collectorAt(dataDir, api, { port });
      await see('the configured model', ({ inUse }) => inUse === first.manifest.revision);
      const assign = [`machine=${second.manifest.revision}`];
      const said = await edgeward({ config, add: [second.folder, third.folder], assign });
      assert.match(said, /is assigned to all gateways/);
      await see('the second', ({ inUse, state }) => inUse === second.manifest.revision && state === 'active');

      const id = bundleIdOf(third.manifest);
      const kept = path.join(dataDir, 'models', 'bundles', id, 'golden.json');
      await writeFile(
        kept,
        (await readFile(kept, 'utf8')).replace(/[1-8]/, digit => `${Number(digit) + 1}`),
      );
      await edgeward({ config, assign: [`machine=${third.manifest.revision}`], gateway: 'gw-1' });
      const refused = await see('a refusal', ({ state }) => state === 'refused');
      assert.match(`${refused.code} ${refused.text}`, /EW_MODEL_BUNDLE.*golden\.json has the SHA-256/);
      assert.equal(refused.inUse, second.manifest.revision);
    }
    await using _ = await collectorAt(dataDir, api, { port });
    const still = await see(
      'what it had, after a restart of the collector',
      ({ state }) => state === 'refused',
    );
    assert.deepEqual([still.inUse, still.wanted], [second.manifest.revision, third.manifest.revision]);
    await edgeward({ config, rollback: ['machine'], gateway: 'gw-1' });
    await see(
      'the general one',
      ({ inUse, wanted }) => inUse === second.manifest.revision && wanted === second.manifest.revision,
    );
    await edgeward({ config, rollback: ['machine'] });
    await see('the configured model again', ({ inUse }) => inUse === first.manifest.revision);
  } finally {
    await agent.end();
  }
});

test('behind mosquitto with the shipped access list, also after it was killed and started again', {
  timeout: 90_000,
  skip: noMosquitto(),
}, async t => {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-chain-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const users = { collector: 'collects', 'gw-1': 'one' };
  await using broker = await Mosquitto.start(users);
  const [first, second] = [await makeBundle(folder, 1), await makeBundle(folder, 2)];
  process.env.EDGEWARD_TEST_COLLECTOR = users.collector;
  process.env.EDGEWARD_TEST_GATEWAY = users['gw-1'];
  const api = await freePort();
  const config = path.join(folder, 'collector.yaml');
  await writeFile(config, `api: { port: ${api} }\n`);
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const external = { url, username: 'collector', password: { env: 'EDGEWARD_TEST_COLLECTOR' } };
  await using _ = await collectorAt(path.join(folder, 'collector'), api, { external });
  const place = {
    port: broker.port,
    dataDir: path.join(folder, 'agent'),
    passwordEnv: 'EDGEWARD_TEST_GATEWAY',
  };
  const agent = new MachineAgent({ ...place, models: [first.folder] });
  const runs = (made: Made) =>
    until(`${made.manifest.revision} is in use`, async () => {
      const { gateways } = await getJson<ModelsView>(`http://127.0.0.1:${api}/api/models`);
      return gateways.some(({ inUse }) => inUse === made.manifest.revision);
    });
  try {
    await runs(first);
    await edgeward({ config, add: [second.folder], assign: [`machine=${second.manifest.revision}`] });
    await runs(second);
    await broker.kill();
    await edgeward({ config, rollback: ['machine'] }); // cannot be announced now
    await broker.restart();
    await runs(first);
  } finally {
    await agent.end();
  }
  await broker.restart(); // it has forgotten all that it kept
  using client = new RawMqtt(broker);
  const login = { username: 'gw-1', password: Buffer.from(users['gw-1']), ...gatewayWill('gw-1') };
  await client.connect('gw-1', login);
  await client.subscribe(topicOf('gw-1', 'models'));
  const { payload } = (await client.next('publish'))!;
  assert.deepEqual(
    parseAnnouncement(payload as Buffer)?.map(({ type }) => type),
    ['machine'],
    'it hears of it though it has not spoken since',
  );
});
