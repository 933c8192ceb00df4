/** Who may do what at the broker: by packets made by hand, as a gateway that does not behave would send. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '@edgeward/shared/gate';
import { topicOf } from '@edgeward/shared/topics';
import type { IConnectPacket } from 'mqtt-packet';
import { openBroker } from './testing/a-broker.js';
import { gatewayWill, RawMqtt } from './testing/raw-mqtt.js';

const limit = { timeout: 20_000 };

test('a gateway publishes under its own name only, and only what gateways say', limit, async () => {
  await using at = await openBroker();
  const mine = (['block', 'state', 'reported', 'events'] as const).map(kind => topicOf('gw-1', kind));
  using honest = new RawMqtt(at.broker);
  await honest.connect('gw-1', gatewayWill('gw-1'));
  for (const topic of mine) assert.ok(await honest.publish(topic), topic);
  await at.until(() => at.topics.length === mine.length);
  const others = [
    topicOf('gw-2', 'block'),
    topicOf('gw-2', 'json'),
    topicOf('gw-1', 'receipt'),
    topicOf('gw-1', 'desired'),
    'edgeward/v1/gw-1/secret',
    '$SYS/gw-1/new',
    'anything',
    `edgeward/v1/gw-1/${'x'.repeat(300)}`,
    'a/b/c/d/e/f/g/h/i/j',
  ];
  for (const topic of others) {
    using liar = new RawMqtt(at.broker);
    await liar.connect('gw-1', gatewayWill('gw-1'));
    assert.equal(await liar.publish(topic), false, topic);
  }
  assert.deepEqual(
    at.topics.filter(topic => topic !== topicOf('gw-1', 'state')),
    mine.filter(topic => topic !== topicOf('gw-1', 'state')),
  );
});

test('it reads its own receipts and commands, and nothing of others', limit, async () => {
  await using at = await openBroker();
  const reads = async (topic: string) => {
    using client = new RawMqtt(at.broker);
    await client.connect('gw-1');
    const granted = await client.subscribe(topic);
    return granted !== undefined && granted[0] !== 128;
  };
  for (const kind of ['receipt', 'desired'] as const) assert.ok(await reads(topicOf('gw-1', kind)));
  const others = [
    '#',
    '+/+/+/+',
    'edgeward/v1/+/receipt',
    'edgeward/v1/gw-1/+',
    '$SYS/#',
    '$SYS/+/new/clients',
  ];
  for (const topic of [...others, topicOf('gw-2', 'receipt'), topicOf('gw-1', 'block')])
    assert.equal(await reads(topic), false, topic);
});

test('a name that is none is rejected by CONNACK', limit, async () => {
  await using at = await openBroker();
  for (const id of ['', '+', 'a/b', '..', '-x', 'ä']) {
    using client = new RawMqtt(at.broker);
    assert.equal((await client.connect(id))?.returnCode, 2, JSON.stringify(id));
    await client.untilClosed();
  }
  assert.equal(at.broker.refusals.get('client-id'), 6);
});

test('where passwords are set, only the name they belong to gets in with them', limit, async () => {
  const users = new Map([
    ['gw-1', 'one'],
    ['gw-2', 'two'],
  ]);
  await using at = await openBroker({ users });
  const code = async (id: string, username?: string, password?: string) => {
    using client = new RawMqtt(at.broker);
    const login: Partial<IConnectPacket> = {
      ...(username && { username }),
      ...(password && { password: Buffer.from(password) }),
    };
    return (await client.connect(id, login))?.returnCode;
  };
  assert.equal(await code('gw-1', 'gw-1', 'one'), 0);
  const wrong: [id: string, user?: string, password?: string][] = [
    ['gw-1'],
    ['gw-1', 'gw-1'],
    ['gw-1', 'gw-1', 'two'],
    ['gw-1', 'gw-1', 'onexx'],
    ['gw-2', 'gw-1', 'one'],
    ['gw-3', 'gw-3', 'one'],
    ['toString', 'toString', 'x'],
  ];
  for (const login of wrong) assert.equal(await code(...login), 4, login.join());
  assert.equal(at.broker.refusals.get('password'), wrong.length);
});

test('a last will speaks for its own gateway; for any other the connection is refused', limit, async () => {
  await using at = await openBroker();
  const login = async (topic: string) => {
    using client = new RawMqtt(at.broker);
    const { will } = gatewayWill('gw-1');
    return (await client.connect('gw-1', { will: { ...will, topic } }))?.returnCode;
  };
  for (const topic of [
    topicOf('gw-2', 'state'),
    topicOf('gw-1', 'receipt'),
    '$SYS/x',
    topicOf('gw-1', 'block'),
  ])
    assert.equal(await login(topic), 5, topic);
  assert.equal(await login(topicOf('gw-1', 'state')), 0);
  await at.until(() => at.topics.length > 0);
  assert.deepEqual(at.topics, [topicOf('gw-1', 'state')]);
  assert.equal(at.broker.refusals.get('will'), 4);
});

test('nothing is retained but state', limit, async () => {
  await using at = await openBroker();
  for (const kind of ['block', 'reported', 'events', 'json'] as const) {
    using client = new RawMqtt(at.broker);
    await client.connect('gw-1', gatewayWill('gw-1'));
    assert.equal(await client.publish(topicOf('gw-1', kind), 'x', true), false, kind);
  }
  using client = new RawMqtt(at.broker);
  await client.connect('gw-1', gatewayWill('gw-1'));
  assert.ok(await client.publish(topicOf('gw-1', 'state'), 'x', true));
  assert.equal(at.broker.refusals.get('retain'), 4);
});

test(
  'whoever names no outbox in its last will is a simple publisher: json, and nothing else',
  limit,
  async () => {
    await using at = await openBroker({ onJson: async () => undefined });
    const will = {
      topic: topicOf('gw-1', 'state'),
      payload: Buffer.from('gone'),
      qos: 0 as const,
      retain: false,
    };
    for (const login of [{}, { will }]) {
      using client = new RawMqtt(at.broker);
      await client.connect('gw-1', login);
      assert.ok(await client.publish(topicOf('gw-1', 'json')));
      assert.equal(await client.publish(topicOf('gw-1', 'block')), false);
    }
    assert.deepEqual(at.topics, []);
  },
);

test('a full collector holds its gateways back, and an end lets them go', limit, async () => {
  const held = new Gate();
  const at = await openBroker({ room: signal => held.wait(signal) });
  using client = new RawMqtt(at.broker);
  await client.connect('gw-1', gatewayWill('gw-1'));
  let answered = false;
  const first = client.publish(topicOf('gw-1', 'block')).then(answer => {
    answered = true;
    return answer;
  });
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  assert.deepEqual([answered, at.topics.length], [false, 0]);
  while (!answered) {
    held.open();
    await new Promise(setImmediate);
  }
  assert.equal(await first, true);
  const second = client.publish(topicOf('gw-1', 'block'));
  await at[Symbol.asyncDispose]();
  await at[Symbol.asyncDispose]();
  await second;
});

test('an end hangs up on everybody, whether they have said who they are or not', limit, async () => {
  const at = await openBroker();
  using silent = new RawMqtt(at.broker);
  await silent.untilConnected();
  using client = new RawMqtt(at.broker); // taken after the silent one
  await client.connect('gw-1');
  await at[Symbol.asyncDispose]();
  await Promise.all([silent.untilClosed(), client.untilClosed()]);
});

test('a port that is taken is said in words', limit, async () => {
  await using at = await openBroker();
  await assert.rejects(openBroker({ port: at.broker.port }), { code: 'EW_LISTEN' });
});
