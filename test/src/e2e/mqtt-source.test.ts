/** The mqtt source between a real broker and a real collector, with kills and restarts of all of them, and the count afterwards. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { Aedes } from 'aedes';
import { connectAsync, type MqttClient } from 'mqtt';
import { noMosquitto } from '../support/mosquitto.js';
import { PlantBroker } from '../support/plant-broker.js';
import { type EdgewardProcess, freePort, getJson, until, Workbench } from '../support/processes.js';

const limit = { timeout: 180_000 };

interface Ledger {
  readonly balanced: boolean;
  readonly devices: readonly { readonly read: number; readonly stored: number; readonly inFlight: number }[];
}

/** Agent and collector; the agent reads numbered messages of `plant/a/m-…/n`. */
class Rig {
  readonly #bench: Workbench;
  readonly #agentConfig: string;
  readonly #collectorConfig: string;
  readonly #api: number;
  #agent: EdgewardProcess | undefined;
  #collector: EdgewardProcess | undefined;

  private constructor(bench: Workbench, url: string, api: number, broker: number) {
    this.#bench = bench;
    this.#api = api;
    this.#collectorConfig = bench.config('collector', {
      dataDir: './collector',
      broker: { port: broker },
      api: { port: api },
      sinks: [{ type: 'file', directory: './readings' }],
    });
    const topic = 'plant/{line}/{device}/{field}';
    this.#agentConfig = bench.config('agent', {
      gateway: 'gateway-1',
      dataDir: './agent',
      uplink: { url: `mqtt://127.0.0.1:${broker}` },
      reportMs: 200,
      sources: [
        {
          type: 'mqtt',
          url,
          lingerMs: 20,
          joinMs: 0,
          keepAliveS: 5,
          batchRows: 100,
          subscriptions: [{ topic, payload: 'number', deviceType: 'machine' }],
        },
      ],
    });
  }

  static async create(bench: Workbench, url: string): Promise<Rig> {
    return new Rig(bench, url, await freePort(), await freePort());
  }

  startAgent(failpoint = ''): EdgewardProcess {
    this.#agent = this.#bench.start(['agent', '-c', this.#agentConfig], { EDGEWARD_FAILPOINT: failpoint });
    return this.#agent;
  }

  startCollector(): void {
    this.#collector = this.#bench.start(['collector', '-c', this.#collectorConfig]);
  }

  killAgent(): Promise<number | null> {
    return this.#agent!.end('SIGKILL');
  }

  async connected(): Promise<void> {
    const agent = this.#agent!;
    await until('the agent has subscribed', async () => agent.stderr.includes('"msg":"connected"'));
  }

  async stored(): Promise<number> {
    const ledger = await getJson<Ledger>(`http://127.0.0.1:${this.#api}/api/ledger`);
    return ledger.devices.reduce((sum, { stored }) => sum + stored, 0);
  }

  /** Everything arrived, the sums are right, and both end well. @returns the numbers in the file sink, sorted */
  async finish(messages: number): Promise<number[]> {
    await until('all is stored', async () => (await this.stored()) >= messages, 90_000);
    await until('the ledger balances', async () => {
      const { balanced, devices } = await getJson<Ledger>(`http://127.0.0.1:${this.#api}/api/ledger`);
      return balanced && devices.every(({ inFlight }) => inFlight === 0);
    });
    assert.equal(await this.#agent!.end('SIGTERM'), 0);
    assert.equal(await this.#collector!.end('SIGTERM'), 0);
    const folder = path.join(this.#bench.folder, 'readings');
    const files = readdirSync(folder).filter(name => name.endsWith('.ndjson'));
    const lines = files.flatMap(name => readFileSync(path.join(folder, name), 'utf8').split('\n'));
    return lines
      .filter(line => line !== '')
      .map(line => (JSON.parse(line) as { values: { n: number } }).values.n)
      .sort((a, b) => a - b);
  }
}

class Publisher {
  #client: MqttClient | undefined;
  published = 0;

  async connect(url: string): Promise<void> {
    this.#client = await connectAsync(url, { reconnectPeriod: 0 });
  }

  /** Resolves once the broker has all of them. */
  async publish(n: number): Promise<void> {
    const sent: Promise<unknown>[] = [];
    for (let i = 0; i < n; i++, this.published++) {
      const topic = `plant/a/m-${this.published % 7}/n`;
      sent.push(this.#client!.publishAsync(topic, String(this.published), { qos: 1 }));
    }
    await Promise.all(sent);
  }

  async end(): Promise<void> {
    await this.#client?.endAsync();
  }
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

test('kill -9 of the agent and restarts of mosquitto: every QoS 1 message is stored once', {
  ...limit,
  skip: noMosquitto(),
}, async () => {
  const seed = testSeed('mqtt source killed');
  const rng = seededRng(seed);
  await using bench = new Workbench();
  await using broker = new PlantBroker(bench.folder, await freePort());
  await broker.start();
  const rig = await Rig.create(bench, broker.url);
  rig.startCollector();
  rig.startAgent();
  await rig.connected();
  const publisher = new Publisher();
  await publisher.connect(broker.url);
  for (let kill = 1; kill <= 5; kill++) {
    const publishing = publisher.publish(1500);
    const wanted = publisher.published - 1500 + Math.floor(rng() * 1200);
    await until(`${wanted} rows`, async () => (await rig.stored()) >= wanted, 60_000);
    await rig.killAgent();
    await publishing;
    if (kill % 2 === 0) {
      await publisher.end();
      await broker.stop();
      await broker.start();
      await publisher.connect(broker.url);
    }
    rig.startAgent();
  }
  // Between what is stored and what is acknowledged, and just before either.
  for (const point of ['outbox.after-commit@3', 'outbox.before-commit@4', 'outbox.after-commit@1']) {
    await rig.killAgent();
    const agent = rig.startAgent(point);
    await publisher.publish(500);
    assert.equal(await agent.exited, null, point);
  }
  rig.startAgent();
  const rows = await rig.finish(publisher.published);
  await publisher.end();
  assert.deepEqual(rows, upTo(publisher.published));
});

test('a broker that forgets its sessions when it restarts is subscribed to again', limit, async () => {
  await using bench = new Workbench();
  const port = await freePort();
  const first = await openAedes(port);
  const rig = await Rig.create(bench, `mqtt://127.0.0.1:${port}`);
  rig.startCollector();
  rig.startAgent();
  await rig.connected();
  const publisher = new Publisher();
  await publisher.connect(`mqtt://127.0.0.1:${port}`);
  await until('subscribed', async () => {
    await publisher.publish(1);
    return (await rig.stored()) > 0;
  });
  const lost = publisher.published - (await settled(rig));
  await publisher.publish(500);
  await until('stored', async () => (await rig.stored()) === publisher.published - lost);
  await publisher.end();
  await first[Symbol.asyncDispose]();
  await using second = await openAedes(port);
  await until('subscribed again', async () => second.subscribed() > 0);
  await publisher.connect(`mqtt://127.0.0.1:${port}`);
  await publisher.publish(500);
  const rows = await rig.finish(publisher.published - lost);
  await publisher.end();
  assert.deepEqual(rows, upTo(publisher.published).slice(lost));
});

/** What was published before the subscription is nobody's. */
async function settled(rig: Rig): Promise<number> {
  let before = -1;
  return until('no more rows come', async () => {
    const now = await rig.stored();
    const same = now === before;
    before = now;
    await new Promise(resolve => setTimeout(resolve, 300));
    return same && now;
  });
}

/** aedes as it is, without what our collector puts around it. */
async function openAedes(port: number) {
  const aedes = await Aedes.createBroker();
  let subscriptions = 0;
  aedes.on('subscribe', () => {
    subscriptions += 1;
  });
  const server = createServer(aedes.handle).listen(port, '127.0.0.1');
  await once(server, 'listening');
  assert.equal((server.address() as AddressInfo).port, port);
  return {
    subscribed: () => subscriptions,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await new Promise<void>(resolve => aedes.close(() => resolve()));
    },
  };
}
