/** A real mosquitto between gateways and the collector. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MqttUplink } from '@edgeward/agent/uplinks/mqtt';
import { ExternalBroker, type ExternalBrokerOptions } from '@edgeward/collector/external-broker';
import type { Message } from '@edgeward/collector/ingest';
import { gatewayWill, RawMqtt } from '@edgeward/collector/testing/raw-mqtt';
import { systemClock } from '@edgeward/shared/clock';
import type { AgentReport, Entry } from '@edgeward/shared/contracts';
import { Gate } from '@edgeward/shared/gate';
import { silentLogger } from '@edgeward/shared/log';
import { encodeReceipts } from '@edgeward/shared/receipts';
import { testSchema } from '@edgeward/shared/testing/batches';
import { topicOf } from '@edgeward/shared/topics';
import { describe } from '@edgeward/shared/wire';
import { Mosquitto, noMosquitto } from '../support/mosquitto.js';
import { until } from '../support/processes.js';

const limit = { timeout: 60_000, skip: noMosquitto() };
const users = { collector: 'collects', 'gw-1': 'one', 'gw-2': 'two' };
const epoch = '000000001-00000000000000aa';
const described = describe(testSchema);

async function collect(broker: Mosquitto, options: Partial<ExternalBrokerOptions> = {}) {
  const messages: Message[] = [];
  const link = ExternalBroker.open({
    url: `mqtt://127.0.0.1:${broker.port}`,
    username: 'collector',
    password: users.collector,
    clientId: 'collector',
    keepAliveS: 30,
    backoffMs: [50, 200],
    log: silentLogger,
    room: async () => undefined,
    onMessage: message => messages.push(message),
    ...options,
  });
  await until('the collector is connected', async () => link.status.ok);
  const count = (n: number) => until(`${n} messages`, async () => messages.length >= n);
  return { link, messages, count, [Symbol.asyncDispose]: () => link[Symbol.asyncDispose]() };
}

async function gateway(broker: Mosquitto, name: 'gw-1' | 'gw-2' = 'gw-1'): Promise<RawMqtt> {
  const client = new RawMqtt(broker);
  const login = { username: name, password: Buffer.from(users[name]), ...gatewayWill(name) };
  assert.equal((await client.connect(name, login))?.returnCode, 0);
  return client;
}

async function* blocks(n: number): AsyncGenerator<Entry, void, void> {
  for (let seq = 1; seq <= n; seq++)
    yield { epoch, seq, lane: 'live', bytes: Buffer.from(`block ${seq}`), described };
}

test('blocks reach the collector, and its receipts the agent', limit, async () => {
  await using broker = await Mosquitto.start(users);
  let seq = 0;
  await using at = await collect(broker, {
    onMessage: ({ gateway: name, kind }) => {
      if (kind !== 'block') return;
      seq += 1;
      const receipt = { epoch, from: seq, through: seq, mark: 'released' as const };
      void at.link.publish(topicOf(name, 'receipt'), encodeReceipts([receipt]));
    },
  });
  await using uplink = new MqttUplink({
    url: `mqtt://127.0.0.1:${broker.port}`,
    gateway: 'gw-1',
    username: 'gw-1',
    password: users['gw-1'],
    keepAliveS: 30,
    connectTimeoutMs: 5000,
    windowBytes: 1e6,
    clock: systemClock,
    log: silentLogger,
    birth: { epoch, outbox: 'o', version: '0' },
    report: () => ({ gateway: 'gw-1' }) as AgentReport,
  });
  const through: number[] = [];
  for await (const receipt of uplink.exchange(blocks(50), new AbortController().signal))
    through.push(receipt.through);
  assert.deepEqual(
    through,
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
});

test('the collector comes back when the broker does', limit, async () => {
  await using broker = await Mosquitto.start(users);
  let linked = 0;
  const onLinked = () => {
    linked += 1;
  };
  await using at = await collect(broker, { onLinked });
  for (let round = 1; round <= 3; round++) {
    assert.equal(linked, round);
    using client = await gateway(broker);
    assert.ok(await client.publish(topicOf('gw-1', 'block'), `round ${round}`));
    await at.count(round);
    await broker.kill();
    await until('the collector notices', async () => !at.link.status.ok);
    await assert.rejects(at.link.publish(topicOf('gw-1', 'receipt'), '[]'), { code: 'EW_LINK_LOST' });
    await broker.restart();
    await until('the collector is back', async () => at.link.status.ok);
  }
  assert.deepEqual(
    at.messages.map(({ payload }) => Buffer.from(payload).toString()),
    ['round 1', 'round 2', 'round 3'],
  );
});

test(
  'without room it takes nothing, stays connected, still sends receipts, and misses nothing',
  limit,
  async () => {
    const freed = new Gate();
    let full = false;
    const room = async (signal: AbortSignal) => {
      while (full && !signal.aborted) await freed.wait(signal);
    };
    await using broker = await Mosquitto.start(users);
    await using at = await collect(broker, { room, keepAliveS: 2 });
    using client = await gateway(broker);
    await client.subscribe(topicOf('gw-1', 'receipt'));
    full = true;
    const n = 5000; // more than mosquitto queues by default
    for (let i = 0; i < n; i++)
      client.send({
        cmd: 'publish',
        topic: topicOf('gw-1', 'block'),
        payload: `${i}`,
        qos: 1,
        messageId: 1 + (i % 60_000),
        dup: false,
        retain: false,
      });
    for (let i = 0; i < n; i++) assert.ok(await client.next('puback'));
    const beats = performance.now() + 7000; // three and a half keep-alives
    await until('silence longer than a keep-alive allows', async () => performance.now() > beats);
    assert.deepEqual([at.link.status.ok, at.messages.length], [true, 0]);
    await at.link.publish(topicOf('gw-1', 'receipt'), 'meanwhile');
    assert.equal((await client.next('publish'))?.payload.toString(), 'meanwhile');
    full = false;
    freed.open();
    await at.count(n);
    assert.deepEqual(
      at.messages.map(({ payload }) => Number(Buffer.from(payload).toString())),
      Array.from({ length: n }, (_, i) => i),
    );
  },
);

test('json goes to its handler, and the answer to the publisher', limit, async () => {
  await using broker = await Mosquitto.start(users);
  await using at = await collect(broker, {
    onJson: async (name, payload) => {
      const { id } = JSON.parse(Buffer.from(payload).toString()) as { id: string };
      await at.link.publish(topicOf(name, 'receipt'), JSON.stringify({ id }));
    },
  });
  using client = await gateway(broker, 'gw-2');
  await client.subscribe(topicOf('gw-2', 'receipt'));
  assert.ok(await client.publish(topicOf('gw-2', 'json'), 'no json at all'));
  assert.ok(await client.publish(topicOf('gw-2', 'json'), '{"id":"7"}'));
  assert.equal((await client.next('publish'))?.payload.toString(), '{"id":"7"}');
  assert.deepEqual(at.messages, []);
});

test('the shipped access list keeps a gateway to its own name', limit, async () => {
  await using broker = await Mosquitto.start(users);
  await using at = await collect(broker);
  using client = await gateway(broker);
  assert.deepEqual(
    await client.subscribe(
      '#',
      topicOf('gw-2', 'models'),
      topicOf('gw-1', 'receipt'),
      topicOf('gw-1', 'part'),
    ),
    [2, 2, 2, 2],
  );
  // mosquitto grants any subscription and acknowledges any message; what is not allowed goes nowhere.
  const others = (['receipt', 'models', 'part'] as const).map(kind => topicOf('gw-1', kind));
  for (const topic of [
    topicOf('gw-2', 'block'),
    topicOf('gw-2', 'fetch'),
    ...others,
    'edgeward/v1/gw-1/other',
  ])
    await client.publish(topic, 'forged');
  await at.link.publish(topicOf('gw-2', 'receipt'), 'not for gw-1');
  await at.link.publish(topicOf('gw-2', 'models'), 'not for gw-1', true);
  await client.publish(topicOf('gw-1', 'block'), 'honest');
  await at.link.publish(topicOf('gw-1', 'receipt'), 'for gw-1');
  await client.publish(topicOf('gw-1', 'fetch'), 'asked');
  await at.link.publish(topicOf('gw-1', 'part'), Buffer.from('answered'));
  await at.count(2);
  assert.equal((await client.next('publish'))?.payload.toString(), 'for gw-1');
  assert.equal((await client.next('publish'))?.payload.toString(), 'answered');
  assert.deepEqual(
    at.messages.map(({ gateway: name, kind, payload }) => [name, kind, Buffer.from(payload).toString()]),
    [
      ['gw-1', 'block', 'honest'],
      ['gw-1', 'fetch', 'asked'],
    ],
  );
});

test('a wrong password is told without it, and the process stays up', limit, async () => {
  await using broker = await Mosquitto.start(users);
  await using link = ExternalBroker.open({
    url: `mqtt://127.0.0.1:${broker.port}`,
    username: 'collector',
    password: 'not-the-word',
    clientId: 'collector',
    keepAliveS: 30,
    backoffMs: [50, 200],
    log: silentLogger,
    room: async () => undefined,
    onMessage: () => undefined,
  });
  await until('it says why', async () => /authorized/i.test(link.status.detail));
  assert.ok(!link.status.ok && !link.status.detail.includes('not-the-word'));
});
