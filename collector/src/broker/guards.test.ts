/** Clients that do what none should, at a broker with small limits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '@edgeward/shared/gate';
import { topicOf } from '@edgeward/shared/topics';
import { generate, type Packet } from 'mqtt-packet';
import { openBroker } from '../testing/a-broker.js';
import { connectPacket, gatewayWill, RawMqtt } from '../testing/raw-mqtt.js';

const limit = { timeout: 30_000 };
const block = topicOf('gw-1', 'block');
const json = topicOf('gw-1', 'json');

function publishPacket(messageId: number, topic = block, payload: string | Buffer = 'x'): Packet {
  return { cmd: 'publish', topic, payload, qos: 1, messageId, dup: false, retain: false };
}

async function gateway(at: Awaited<ReturnType<typeof openBroker>>, name = 'gw-1'): Promise<RawMqtt> {
  const client = new RawMqtt(at.broker);
  assert.equal((await client.connect(name, gatewayWill(name)))?.returnCode, 0);
  return client;
}

test('an endless PUBLISH is cut off at its header, and nobody else is', limit, async () => {
  await using at = await openBroker({ limits: { maxPacketBytes: 10_000 } });
  using other = await gateway(at, 'gw-2');
  using client = await gateway(at);
  assert.ok(await client.publish(block, Buffer.alloc(9000)));
  client.write(Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f]));
  await client.untilClosed();
  assert.equal(at.broker.refusals.get('frame-too-long'), 1);
  assert.ok(await other.ping());
});

test('a CONNECT may not be long, nor anything else come first or be malformed', limit, async () => {
  await using at = await openBroker();
  const long = 'x'.repeat(65_000);
  const openings = [
    generate(connectPacket(long, { username: long, password: Buffer.from(long) })),
    generate(publishPacket(1)),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80, 0x01]),
    Buffer.from([0x00, 0x00]),
  ];
  for (const bytes of openings) {
    using client = new RawMqtt(at.broker);
    client.write(bytes);
    await client.untilClosed();
    assert.deepEqual(client.packets, []);
  }
  const { refusals } = at.broker;
  assert.equal(
    (refusals.get('frame-too-long') ?? 0) + (refusals.get('frame-malformed') ?? 0),
    openings.length,
  );
  assert.deepEqual(at.topics, []);
});

test(
  'what comes with CONNECT, or before its answer, is taken after it, whole and in order',
  limit,
  async () => {
    await using at = await openBroker();
    using client = new RawMqtt(at.broker);
    const n = 700; // more than aedes queues, and more than the guard hands over at once
    const packets = Array.from({ length: n }, (_, i) => publishPacket(i + 1, block, `${i}`));
    client.send(connectPacket('gw-1', gatewayWill('gw-1')), ...packets);
    await at.until(() => at.messages.length === n);
    const expected = Array.from({ length: n }, (_, i) => `${i}`);
    assert.deepEqual(
      at.messages.map(({ payload }) => Buffer.from(payload).toString()),
      expected,
    );
    for (let i = 1; i <= n; i++) assert.equal((await client.next('puback'))?.messageId, i);
  },
);

test('what comes with a CONNECT that is refused is not taken', limit, async () => {
  await using at = await openBroker({ users: new Map([['gw-1', 'secret']]) });
  using client = new RawMqtt(at.broker);
  const login = { username: 'gw-1', password: Buffer.from('wrong'), ...gatewayWill('gw-1') };
  client.send(connectPacket('gw-1', login), publishPacket(1));
  assert.equal((await client.next('connack'))?.returnCode, 4);
  await client.untilClosed();
  assert.deepEqual(at.topics, []);
});

test('so many connections and no more; one that goes makes room', limit, async () => {
  for (const [option, reason] of [
    ['maxConnections', 'connections'],
    ['maxConnectionsPerAddress', 'connections-per-address'],
  ] as const) {
    await using at = await openBroker({ limits: { [option]: 2 } });
    using first = await gateway(at, 'gw-1');
    using _second = await gateway(at, 'gw-2');
    using third = new RawMqtt(at.broker);
    assert.equal(await third.connect('gw-3', gatewayWill('gw-3')), undefined);
    assert.equal(at.broker.refusals.get(reason), 1);
    first.socket.destroy();
    await at.until(() => at.topics.includes(topicOf('gw-1', 'state'))); // its last will
    using fourth = new RawMqtt(at.broker);
    assert.equal((await fourth.connect('gw-4', gatewayWill('gw-4')))?.returnCode, 0);
  }
});

test('whoever never says who it is is hung up on, and nobody else', limit, async () => {
  await using at = await openBroker({ limits: { connectTimeoutMs: 200 } });
  using client = await gateway(at);
  using silent = new RawMqtt(at.broker);
  using slow = new RawMqtt(at.broker);
  slow.write(Buffer.from([0x10, 0x20, 0]));
  await Promise.all([silent.untilClosed(), slow.untilClosed()]);
  assert.equal(at.broker.refusals.get('connect-timeout'), 2);
  assert.ok(await client.publish(block));
});

test('a client that sends too fast is read more slowly, and loses nothing', limit, async () => {
  for (const limits of [{ maxMessagesPerSecond: 300 }, { maxBytesPerSecond: 300 * 30 }]) {
    await using at = await openBroker({ limits });
    using client = await gateway(at);
    const started = performance.now();
    client.send(...Array.from({ length: 900 }, (_, i) => publishPacket(i + 1)));
    await at.until(() => at.messages.length === 900);
    const tookMs = performance.now() - started;
    assert.ok(tookMs > 900, `900 messages at 300 a second and a burst of 300 to 600 took ${tookMs} ms`);
    assert.ok(at.broker.refusals.get('rate'));
    assert.ok(await client.ping());
  }
});

test(
  'a silent client is cut off after one and a half keep-alives, or after ours if it asks for none',
  limit,
  async () => {
    await using at = await openBroker({ limits: { maxIdleS: 3 } });
    const livedMs = async (keepalive: number) => {
      using client = new RawMqtt(at.broker);
      await client.connect(`gw-${keepalive}`, { keepalive, ...gatewayWill(`gw-${keepalive}`) });
      const started = performance.now();
      await client.untilClosed();
      return performance.now() - started;
    };
    const [one, none, long] = await Promise.all([livedMs(1), livedMs(0), livedMs(1000)]);
    assert.ok(one > 1400 && one < 2900, `keep-alive 1 s: ${one} ms`);
    assert.ok(none > 2900 && long > 2900, `${none}, ${long} ms`);
    assert.equal(at.broker.refusals.get('idle'), 3);
    assert.equal(at.topics.length, 3, 'their last wills');
  },
);

test('a client that says something now and then, or that we do not read, is not silent', limit, async () => {
  const full = new Gate();
  let held = true;
  const room = async (signal: AbortSignal) => {
    while (held && !signal.aborted) await full.wait(signal);
  };
  await using at = await openBroker({ room });
  using lively = new RawMqtt(at.broker);
  await lively.connect('gw-1', { keepalive: 1, ...gatewayWill('gw-1') });
  using waiting = new RawMqtt(at.broker);
  await waiting.connect('gw-2', { keepalive: 1, ...gatewayWill('gw-2') });
  waiting.send(publishPacket(1, topicOf('gw-2', 'block')));
  for (let i = 0; i < 8; i++) {
    assert.ok(await lively.ping());
    await new Promise(resolve => setTimeout(resolve, 400));
  }
  assert.deepEqual([lively.closed, waiting.closed], [false, false]);
  held = false;
  full.open();
  assert.ok(await waiting.next('puback'));
});

test('a client that does not read is cut off, and holds nobody up meanwhile', limit, async () => {
  for (const limits of [{ maxUnreadBytes: 2_000_000 }, { maxUnreadBytes: 1e9, drainTimeoutMs: 4000 }]) {
    await using at = await openBroker({ limits });
    const [slow, quick] = [topicOf('gw-1', 'receipt'), topicOf('gw-2', 'receipt')];
    using reader = await gateway(at, 'gw-2');
    await reader.subscribe(quick);
    using client = await gateway(at);
    await client.subscribe(slow);
    client.socket.pause();
    // Sockets take some of it; of the rest more messages wait than aedes delivers at once.
    const big = 'x'.repeat(100_000);
    for (let i = 0; i < 250; i++) void at.broker.publish(slow, big);
    await at.broker.publish(quick, 'for the reader');
    assert.equal((await reader.next('publish'))?.payload.toString(), 'for the reader');
    if ('drainTimeoutMs' in limits) assert.equal(at.broker.refusals.get('slow-consumer'), undefined);
    await at.until(() => at.topics.includes(topicOf('gw-1', 'state')));
    assert.equal(at.broker.refusals.get('slow-consumer'), 1);
    assert.ok(await reader.ping());
  }
});

test('subscriptions are counted, also refused ones in one packet', limit, async () => {
  const policy = {
    admit: () => ({ grant: { refusePublish: () => undefined, mayRead: () => true } }),
    left: () => undefined,
  };
  await using at = await openBroker({ policy, limits: { maxSubscriptions: 3 } });
  using client = new RawMqtt(at.broker);
  await client.connect('anybody');
  assert.deepEqual(await client.subscribe('a', 'b', 'c', 'd'), [2, 2, 2, 128]);
  assert.deepEqual(await client.subscribe(['a', 1]), [1], 'a known one again');
  client.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: ['b'] });
  await client.next('unsuback');
  assert.deepEqual(await client.subscribe('d', 'e'), [2, 128]);
  assert.equal(at.broker.refusals.get('subscription'), 2);
});

test('the PUBACK of a json message waits for the journal, of many at once, from many', limit, async () => {
  const waiting: (() => void)[] = [];
  const came = new Gate();
  const onJson = () =>
    new Promise<void>(resolve => {
      waiting.push(resolve);
      came.open();
    });
  await using at = await openBroker({ onJson });
  const names = ['a', 'b', 'c', 'd'];
  const clients = await Promise.all(names.map(name => gateway(at, name)));
  for (const [i, client] of clients.entries())
    client.send(...Array.from({ length: 100 }, (_, n) => publishPacket(n + 1, topicOf(names[i]!, 'json'))));
  while (waiting.length < 400) await came.wait();
  using other = await gateway(at, 'gw-2');
  assert.ok(await other.publish(topicOf('gw-2', 'block')), 'others go on meanwhile');
  assert.deepEqual(
    clients.flatMap(client => client.packets),
    [],
  );
  for (const resolve of waiting.splice(0)) resolve();
  for (const client of clients)
    for (let n = 1; n <= 100; n++) assert.equal((await client.next('puback'))?.messageId, n);
  for (const client of clients) client.socket.destroy();
  assert.deepEqual(
    at.topics.filter(topic => topic.endsWith('json')),
    [],
    'they go no other way',
  );
});

test(
  'a publisher that dies while its json message is held harms nobody; one that cannot be kept gets no PUBACK',
  limit,
  async () => {
    const held = new Gate();
    const came = new Gate();
    const bad = new Set<string>();
    const onJson = async (gatewayName: string) => {
      came.open();
      if (bad.has(gatewayName)) throw new Error('the disk is full');
      await held.wait();
    };
    await using at = await openBroker({ onJson, limits: { maxHeldJson: 3 } });
    using dying = await gateway(at);
    dying.send(...Array.from({ length: 8 }, (_, n) => publishPacket(n + 1, json)));
    await came.wait();
    dying.socket.destroy();
    await at.until(() => at.topics.includes(topicOf('gw-1', 'state')));
    using patient = await gateway(at, 'gw-2');
    let answered = false;
    const answer = patient.publish(topicOf('gw-2', 'json')).then(yes => {
      answered = true;
      return yes;
    });
    while (!answered) {
      held.open();
      await new Promise(setImmediate);
    }
    assert.ok(await answer);
    bad.add('gw-3');
    using unlucky = await gateway(at, 'gw-3');
    assert.equal(await unlucky.publish(topicOf('gw-3', 'json')), false);
  },
);

test('no more json messages are handed over than may be held', limit, async () => {
  let [now, most] = [0, 0];
  const onJson = async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise(setImmediate);
    now -= 1;
  };
  await using at = await openBroker({ onJson, limits: { maxHeldJson: 5 } });
  using client = await gateway(at);
  client.send(...Array.from({ length: 500 }, (_, n) => publishPacket(n + 1, json)));
  for (let n = 1; n <= 500; n++) assert.equal((await client.next('puback'))?.messageId, n);
  assert.equal(most, 5);
});
