/** Bytes that nobody should send: the broker stays up, keeps its limits, and nothing of them reaches the journal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rng } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { topicOf } from '@edgeward/shared/topics';
import { generate, type Packet } from 'mqtt-packet';
import { openBroker } from '../testing/a-broker.js';
import { connectPacket, gatewayWill, RawMqtt } from '../testing/raw-mqtt.js';

const opening = generate(connectPacket('gw-1', gatewayWill('gw-1')));
const foreign = topicOf('gw-2', 'block');
const own = topicOf('gw-1', 'block');
const packets: Packet[] = [
  connectPacket('gw-1', gatewayWill('gw-1')),
  { cmd: 'publish', topic: foreign, payload: 'x', qos: 2, messageId: 1, dup: false, retain: true },
  { cmd: 'publish', topic: own, payload: 'x', qos: 1, messageId: 4, dup: true, retain: false },
  { cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: '#', qos: 1 }] },
  { cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['#'] },
  { cmd: 'pubrel', messageId: 1 },
  { cmd: 'pubrec', messageId: 9 },
  { cmd: 'pubcomp', messageId: 9 },
  { cmd: 'puback', messageId: 9 },
  { cmd: 'connack', returnCode: 0, sessionPresent: false },
  { cmd: 'pingreq' },
];

function pick<T>(rng: Rng, from: readonly T[]): T {
  return from[Math.floor(rng() * from.length)]!;
}

/** A real packet with some bytes altered, left out or repeated, or noise. */
function hostile(rng: Rng): Buffer {
  if (rng() < 0.2) return Buffer.from(Array.from({ length: 1 + rng() * 40 }, () => Math.floor(rng() * 256)));
  const bytes = Buffer.from(generate(pick(rng, packets)));
  for (let i = 0; i < 3; i++) bytes[Math.floor(rng() * bytes.length)] = Math.floor(rng() * 256);
  const end = rng() < 0.3 ? Math.floor(rng() * bytes.length) : bytes.length;
  return rng() < 0.2 ? Buffer.concat([bytes, bytes]) : bytes.subarray(0, end);
}

test('hostile bytes, before and after CONNECT', { timeout: 60_000 }, async () => {
  const seed = testSeed('broker fuzz');
  const rng = seededRng(seed);
  await using at = await openBroker({ limits: { connectTimeoutMs: 100, maxIdleS: 5 } });
  using witness = new RawMqtt(at.broker);
  await witness.connect('witness', gatewayWill('witness'));
  for (let round = 0; round < 60; round++) {
    const clients = Array.from({ length: 10 }, () => new RawMqtt(at.broker));
    for (const client of clients) {
      if (rng() < 0.7) client.write(opening);
      for (let i = 0; i < 5; i++) client.write(hostile(rng));
      client.socket.end();
    }
    assert.ok(await witness.ping(), `seed ${seed} round ${round}`);
    await Promise.all(clients.map(client => client.untilClosed()));
  }
  assert.equal(at.topics.includes(foreign), false, `seed ${seed}`);
  assert.ok(await witness.publish(topicOf('witness', 'block')));
  while (at.broker.connections > 1) assert.ok(await witness.ping(), `seed ${seed}: nobody else is left`);
});
