/**
 * MQTT 3.1.1 at our broker: aedes and the guards in front of it, with a policy that lets everybody in. Written from
 * the clauses of the specification, which stand beside what they ask for. What the gateways' own policy forbids on
 * top of this is tested beside the broker.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker } from '@edgeward/collector/broker';
import type { Policy } from '@edgeward/collector/broker/policy';
import { connectPacket, RawMqtt } from '@edgeward/collector/testing/raw-mqtt';
import { silentLogger } from '@edgeward/shared/log';
import type { IPublishPacket, QoS } from 'mqtt-packet';

const limit = { timeout: 30_000 };
const forbidden = 'test/nosubscribe';

const everybody: Policy = {
  admit: () => ({ grant: { refusePublish: () => undefined, mayRead: topic => topic !== forbidden } }),
  left: () => undefined,
};

function openBroker(): Promise<Broker> {
  return Broker.open({
    host: '127.0.0.1',
    port: 0,
    users: undefined,
    log: silentLogger,
    room: async () => undefined,
    onMessage: () => undefined,
    policy: everybody,
  });
}

interface Said {
  readonly qos?: QoS;
  readonly retain?: boolean;
  readonly messageId?: number;
}

function publishPacket(
  topic: string,
  payload: string,
  { qos = 0, retain = false, messageId = 1 }: Said = {},
): IPublishPacket {
  return { cmd: 'publish', topic, payload, qos, retain, dup: false, ...(qos > 0 && { messageId }) };
}

async function login(
  broker: Broker,
  id: string,
  more: Parameters<RawMqtt['connect']>[1] = {},
): Promise<RawMqtt> {
  const client = new RawMqtt(broker);
  assert.equal((await client.connect(id, more))?.returnCode, 0, id);
  return client;
}

/** Publishes, and goes through the whole exchange of that QoS [MQTT-4.3.2-2], [MQTT-4.3.3-2]. */
async function say(client: RawMqtt, topic: string, payload: string, said: Said = {}): Promise<void> {
  const { qos = 0, messageId = 1 } = said;
  client.send(publishPacket(topic, payload, said));
  if (qos === 1) assert.equal((await client.next('puback'))?.messageId, messageId);
  if (qos === 2) {
    assert.equal((await client.next('pubrec'))?.messageId, messageId);
    client.send({ cmd: 'pubrel', messageId });
    assert.equal((await client.next('pubcomp'))?.messageId, messageId);
  }
  if (qos === 0) assert.ok(await client.ping());
}

/** The next message, answered as its QoS asks for: `topic:payload:qos`, with `:retained` where it is. */
async function hear(client: RawMqtt): Promise<string> {
  const packet = await client.next('publish');
  assert.ok(packet, 'the connection was closed');
  const { topic, payload, qos, retain, messageId = 0 } = packet;
  if (qos === 1) client.send({ cmd: 'puback', messageId });
  if (qos === 2) {
    client.send({ cmd: 'pubrec', messageId });
    assert.equal((await client.next('pubrel'))?.messageId, messageId); // [MQTT-4.3.3-1]
    client.send({ cmd: 'pubcomp', messageId });
  }
  return `${topic}:${payload.toString()}:${qos}${retain ? ':retained' : ''}`;
}

async function hearAll(client: RawMqtt, n: number): Promise<string[]> {
  const heard: string[] = [];
  for (let i = 0; i < n; i++) heard.push(await hear(client));
  return heard.sort();
}

/** Nothing is on its way: what the broker sent before this answer has come. */
async function silent(client: RawMqtt): Promise<void> {
  assert.ok(await client.ping());
  assert.deepEqual(
    client.packets.filter(({ cmd }) => cmd === 'publish'),
    [],
  );
}

test('1 basic: connect, subscribe, publish with each QoS, disconnect', limit, async () => {
  await using broker = await openBroker();
  using client = await login(broker, 'basic');
  assert.deepEqual(await client.subscribe(['TopicA', 2]), [2]); // [MQTT-3.8.4-1], [MQTT-3.9.3-1]
  for (const qos of [0, 1, 2] as const)
    await say(client, 'TopicA', `qos ${qos}`, { qos, messageId: qos + 1 });
  assert.deepEqual(await hearAll(client, 3), ['TopicA:qos 0:0', 'TopicA:qos 1:1', 'TopicA:qos 2:2']);
  client.send({ cmd: 'disconnect' });
  await client.untilClosed(); // [MQTT-3.14.4-1]

  using twice = await login(broker, 'twice');
  twice.send(connectPacket('twice'));
  await twice.untilClosed(); // [MQTT-3.1.0-2]
  using first = await login(broker, 'same');
  using _second = await login(broker, 'same');
  await first.untilClosed(); // [MQTT-3.1.4-2]
  using early = new RawMqtt(broker);
  early.send({ cmd: 'pingreq' });
  await early.untilClosed(); // [MQTT-3.1.0-1]
  assert.deepEqual(early.packets, []);
});

test(
  '1 basic: an unknown protocol version is answered by return code 1, another protocol by nothing',
  limit,
  async () => {
    await using broker = await openBroker();
    const answer = async (name: string, version: number) => {
      using client = new RawMqtt(broker);
      const body = [
        0,
        name.length,
        ...Buffer.from(name),
        version,
        2,
        0,
        0,
        ...(version > 4 ? [0] : []),
        0,
        1,
        0x61,
      ];
      client.write(Buffer.from([0x10, body.length, ...body]));
      const code = (await client.next('connack'))?.returnCode;
      await client.untilClosed();
      return code;
    };
    for (const version of [5, 6, 255]) assert.equal(await answer('MQTT', version), 1); // [MQTT-3.1.2-2]
    assert.equal(await answer('hfju', 4), undefined); // [MQTT-3.1.2-1]
  },
);

test('2 retained messages: the last of each topic, and none where the last was empty', limit, async () => {
  await using broker = await openBroker();
  using client = await login(broker, 'retainer');
  for (const qos of [0, 1, 2] as const) {
    await say(client, `fromb/qos ${qos}`, 'old', { qos, retain: true, messageId: 10 + qos });
    await say(client, `fromb/qos ${qos}`, `new ${qos}`, { qos, retain: true, messageId: 20 + qos });
  }
  assert.deepEqual(await client.subscribe(['fromb/+', 2]), [2]);
  const expected = [
    'fromb/qos 0:new 0:0:retained',
    'fromb/qos 1:new 1:1:retained',
    'fromb/qos 2:new 2:2:retained',
  ];
  assert.deepEqual(await hearAll(client, 3), expected); // [MQTT-3.3.1-6], [MQTT-3.3.1-8]
  await say(client, 'fromb/live', 'x', { qos: 1, retain: true });
  assert.equal(await hear(client), 'fromb/live:x:1'); // [MQTT-3.3.1-9]
  for (const topic of ['qos 0', 'qos 1', 'qos 2', 'live'])
    await say(client, `fromb/${topic}`, '', { retain: true });
  await hearAll(client, 4);
  using later = await login(broker, 'later');
  await later.subscribe(['fromb/+', 2]);
  await silent(later); // [MQTT-3.3.1-10], [MQTT-3.3.1-11]
});

test('3 offline messages are queued for a kept session, and for no clean one', limit, async () => {
  await using broker = await openBroker();
  for (const clean of [false, true]) {
    const id = `away-${clean}`;
    const before = await login(broker, id, { clean });
    await before.subscribe(['+/queued', 2]);
    before.send({ cmd: 'disconnect' });
    await before.untilClosed();
    using other = await login(broker, 'other');
    for (const qos of [0, 1, 2] as const)
      await say(other, `q${qos}/queued`, 'x', { qos, messageId: 1 + qos });
    using after = new RawMqtt(broker);
    assert.equal((await after.connect(id, { clean }))?.sessionPresent, !clean); // [MQTT-3.2.2-2], [MQTT-3.2.2-1]
    if (clean)
      await silent(after); // [MQTT-3.1.2-6]
    else assert.deepEqual(await hearAll(after, 2), ['q1/queued:x:1', 'q2/queued:x:2']); // [MQTT-3.1.2-5]
  }
});

test('4 will: published when the connection breaks, and not after DISCONNECT', limit, async () => {
  await using broker = await openBroker();
  using listener = await login(broker, 'listener');
  await listener.subscribe(['will/+', 2]);
  const leave = async (name: string, how: (client: RawMqtt) => void) => {
    const will = { topic: `will/${name}`, payload: Buffer.from('gone'), qos: 1 as const, retain: true };
    const client = await login(broker, name, { will });
    how(client);
    await client.untilClosed();
  };
  await leave('polite', client => client.send({ cmd: 'disconnect' }));
  await leave('rude', client => client.socket.destroy());
  assert.equal(await hear(listener), 'will/rude:gone:1'); // [MQTT-3.1.2-8], [MQTT-3.1.2-10]
  await leave('broken', client => client.write(Buffer.from([0xff, 0xff])));
  assert.equal(await hear(listener), 'will/broken:gone:1');
  await silent(listener);
  using later = await login(broker, 'later');
  await later.subscribe(['will/+', 2]);
  assert.deepEqual(await hearAll(later, 2), ['will/broken:gone:1:retained', 'will/rude:gone:1:retained']); // [MQTT-3.1.2-17]
});

test('5 overlapping subscriptions: at least once, with the highest QoS of them', limit, async () => {
  await using broker = await openBroker();
  using client = await login(broker, 'overlapping');
  assert.deepEqual(await client.subscribe(['TopicA/#', 2], ['TopicA/+', 1]), [2, 1]);
  await say(client, 'TopicA/C', 'x', { qos: 2 });
  const heard = [await hear(client)];
  await client.ping();
  while (client.packets.some(({ cmd }) => cmd === 'publish')) heard.push(await hear(client));
  // [MQTT-3.3.5-1]: one of the highest QoS, or one for each subscription
  assert.ok(heard.includes('TopicA/C:x:2') && heard.length <= 2, heard.join());
});

test(
  '6 keep-alive: silence of one and a half times of it ends the connection, and the will is published',
  limit,
  async () => {
    await using broker = await openBroker();
    using listener = await login(broker, 'listener');
    await listener.subscribe(['will', 2]);
    const will = { topic: 'will', payload: Buffer.from('expired'), qos: 0 as const, retain: false };
    using client = await login(broker, 'keeper', { keepalive: 2, will });
    assert.ok(await client.ping()); // [MQTT-3.12.4-1]
    const started = performance.now();
    assert.equal(await hear(listener), 'will:expired:0'); // [MQTT-3.1.2-24]
    const tookMs = performance.now() - started;
    assert.ok(client.closed && tookMs > 2900 && tookMs < 6000, `${tookMs} ms`);
  },
);

test('7 redelivery: what was not acknowledged comes again, marked, with its id', limit, async () => {
  await using broker = await openBroker();
  const before = await login(broker, 'again', { clean: false });
  await before.subscribe(['again/+', 2]);
  using other = await login(broker, 'other');
  for (const qos of [1, 2] as const) await say(other, `again/q${qos}`, 'x', { qos, messageId: qos });
  const first = [await before.next('publish'), await before.next('publish')];
  before.socket.destroy();
  await before.untilClosed();
  using after = new RawMqtt(broker);
  assert.equal((await after.connect('again', { clean: false }))?.sessionPresent, true);
  const second = [await after.next('publish'), await after.next('publish')];
  const idOf = (packets: typeof first, topic: string) =>
    packets.find(packet => packet?.topic === topic)?.messageId;
  for (const topic of ['again/q1', 'again/q2']) {
    assert.ok(idOf(first, topic));
    assert.equal(idOf(second, topic), idOf(first, topic), topic); // [MQTT-4.4.0-1]
  }
  assert.deepEqual(
    second.map(packet => packet?.dup),
    [true, true],
  ); // [MQTT-3.3.1-1]
});

test(
  '7 redelivery: a QoS 2 message that is sent again before its PUBREL is published once',
  limit,
  async () => {
    await using broker = await openBroker();
    using listener = await login(broker, 'listener');
    await listener.subscribe(['once', 2]);
    using client = await login(broker, 'sender', { clean: false });
    client.send(publishPacket('once', 'x', { qos: 2, messageId: 7 }));
    assert.equal((await client.next('pubrec'))?.messageId, 7);
    client.send({ ...publishPacket('once', 'x', { qos: 2, messageId: 7 }), dup: true });
    assert.equal((await client.next('pubrec'))?.messageId, 7);
    client.send({ cmd: 'pubrel', messageId: 7 });
    assert.equal((await client.next('pubcomp'))?.messageId, 7);
    assert.equal(await hear(listener), 'once:x:2');
    await silent(listener); // [MQTT-4.3.3-2]
  },
);

test(
  '8 an empty client id: a name is given to a clean session, and any other is rejected',
  limit,
  async () => {
    await using broker = await openBroker();
    using kept = new RawMqtt(broker);
    kept.write(Buffer.from([0x10, 12, 0, 4, ...Buffer.from('MQTT'), 4, 0, 0, 0, 0, 0]));
    assert.equal((await kept.next('connack'))?.returnCode, 2); // [MQTT-3.1.3-8]
    await kept.untilClosed(); // [MQTT-3.1.3-9]
    using one = await login(broker, ''); // [MQTT-3.1.3-6]
    using two = await login(broker, '');
    assert.ok((await one.ping()) && (await two.ping()), 'they have different names');
  },
);

test(
  '9 topics: $ is not matched by wildcards at the start; a filter that is refused is answered by 0x80',
  limit,
  async () => {
    await using broker = await openBroker();
    using client = await login(broker, 'dollar');
    assert.deepEqual(await client.subscribe(['#', 2], ['+/x', 2], [forbidden, 2]), [2, 2, 128]); // [MQTT-3.8.4-5]
    await say(client, '$TopicA/x', 'hidden');
    await silent(client); // [MQTT-4.7.2-1]
    await say(client, forbidden, 'by #');
    assert.equal(await hear(client), `${forbidden}:by #:0`);
    for (const topic of ['a/#/b', 'a#', '+a', 'a+', 'a/b+', 'a/#b']) {
      using wrong = await login(broker, 'wrong');
      assert.equal(await wrong.subscribe([topic, 0]), undefined, topic); // [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.3-1]
    }
    for (const topic of ['a/+', '#']) {
      using wrong = await login(broker, 'wrong');
      assert.equal(await wrong.publish(topic), false, topic); // [MQTT-3.3.2-2]
    }
  },
);

test('10 unsubscribe: what is not subscribed any more does not come, and the rest does', limit, async () => {
  await using broker = await openBroker();
  using client = await login(broker, 'leaver');
  await client.subscribe(['TopicA', 2], ['TopicA/B', 2], ['Topic/C', 2]);
  client.send({ cmd: 'unsubscribe', messageId: 77, unsubscriptions: ['TopicA', 'never'] });
  assert.equal((await client.next('unsuback'))?.messageId, 77); // [MQTT-3.10.4-4], [MQTT-3.10.4-5]
  using other = await login(broker, 'other');
  for (const topic of ['TopicA', 'TopicA/B', 'Topic/C']) await say(other, topic, 'x', { qos: 1 });
  assert.deepEqual(await hearAll(client, 2), ['Topic/C:x:1', 'TopicA/B:x:1']);
  await silent(client); // [MQTT-3.10.4-2]
});
