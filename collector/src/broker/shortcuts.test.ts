import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicOf } from '@edgeward/shared/topics';
import { generate, type Packet, parser } from 'mqtt-packet';
import { openBroker } from '../testing/a-broker.js';
import { gatewayWill, RawMqtt } from '../testing/raw-mqtt.js';
import { publishFrame } from './shortcuts.js';

const limit = { timeout: 10_000 };

test('a frame is what any MQTT library reads, whatever its length', () => {
  const topic = topicOf('gw-1', 'receipt');
  const before = topic.length + 2;
  for (const length of [before, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
    const payload = 'x'.repeat(length - before);
    const read: Packet[] = [];
    parser({ protocolVersion: 4 })
      .on('packet', packet => read.push(packet))
      .parse(publishFrame(topic, payload));
    assert.equal(read.length, 1);
    const [packet] = read;
    assert.ok(packet?.cmd === 'publish');
    assert.deepEqual([packet.topic, packet.qos, packet.retain], [topic, 0, false]);
    assert.ok(packet.payload.toString() === payload, `${length} bytes`);
  }
  const umlaut = publishFrame(topic, 'ä');
  assert.deepEqual(
    umlaut,
    generate({ cmd: 'publish', topic, payload: 'ä', qos: 0, dup: false, retain: false }),
  );
});

test('only who listens is handed something, as long as it is connected', limit, async () => {
  await using at = await openBroker();
  const client = new RawMqtt(at.broker);
  await client.connect('gw-1', gatewayWill('gw-1'));
  assert.equal(at.broker.send('gw-1', 'receipt', '[]'), false);
  await client.subscribe([topicOf('gw-1', 'receipt'), 1]);
  assert.equal(at.broker.send('gw-1', 'desired', '{}'), false);
  assert.equal(at.broker.send('gw-2', 'receipt', '[]'), false);
  assert.equal(at.broker.send('gw-1', 'receipt', '[1]'), true);
  assert.equal((await client.next('publish'))?.payload.toString(), '[1]');
  client[Symbol.dispose]();
  await at.until(() => at.topics.includes(topicOf('gw-1', 'state')));
  assert.equal(at.broker.send('gw-1', 'receipt', '[]'), false);
});

test('a block is acknowledged with its receipt, and soon without one', limit, async () => {
  await using at = await openBroker();
  using client = new RawMqtt(at.broker);
  await client.connect('gw-1', gatewayWill('gw-1'));
  await client.subscribe([topicOf('gw-1', 'receipt'), 1]);
  for (let i = 0; i < 3; i++) assert.ok(await client.publish(topicOf('gw-1', 'block'), `${i}`));
  const published = client.publish(topicOf('gw-1', 'block'), 'last');
  await at.until(() => at.messages.length === 4);
  assert.ok(at.broker.send('gw-1', 'receipt', '[]'));
  assert.ok(await published);
  assert.ok(await client.next('publish'));
});

test('state and blocks come in the order in which they were sent', limit, async () => {
  await using at = await openBroker();
  using client = new RawMqtt(at.broker);
  await client.connect('gw-1', gatewayWill('gw-1'));
  const kinds = ['block', 'state', 'block', 'block', 'state', 'block'] as const;
  client.send(
    ...kinds.map((kind, i) => ({
      cmd: 'publish' as const,
      topic: topicOf('gw-1', kind),
      payload: `${i}`,
      qos: 1 as const,
      messageId: i + 1,
      dup: false,
      retain: kind === 'state',
    })),
  );
  await at.until(() => at.messages.length === kinds.length);
  assert.deepEqual(
    at.messages.map(({ kind, payload }) => [kind, Buffer.from(payload).toString()]),
    kinds.map((kind, i) => [kind, `${i}`]),
  );
});
