/** Blocks that go past aedes, between and beside what does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rng } from '@edgeward/shared/contracts';
import { Gate } from '@edgeward/shared/gate';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { type TopicKind, topicOf } from '@edgeward/shared/topics';
import { generate, type IPublishPacket } from 'mqtt-packet';
import { openBroker } from '../testing/a-broker.js';
import { gatewayWill, RawMqtt } from '../testing/raw-mqtt.js';
import { ShortWay } from './short-way.js';

const limit = { timeout: 20_000 };
const block = topicOf('gw-1', 'block');
const maxBytes = 100_000;
type At = Awaited<ReturnType<typeof openBroker>>;

function publishPacket(messageId: number, payload: string, more: Partial<IPublishPacket> = {}) {
  const packet = { cmd: 'publish', topic: block, qos: 1, messageId, dup: false, retain: false } as const;
  return { ...packet, payload, ...more };
}

function frame(messageId: number, payload: string, more?: Partial<IPublishPacket>): Buffer {
  return generate(publishPacket(messageId, payload, more));
}

async function gateway(at: At): Promise<RawMqtt> {
  const client = new RawMqtt(at.broker);
  assert.equal((await client.connect('gw-1', gatewayWill('gw-1')))?.returnCode, 0);
  await client.subscribe([topicOf('gw-1', 'receipt'), 1]);
  return client;
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

function textsOf({ messages }: At): string[] {
  return messages.map(({ payload }) => Buffer.from(payload).toString());
}

/** Where there is room for everything, or for nothing. */
function aRoom() {
  const changed = new Gate();
  const untilRoom = async (signal: AbortSignal) => {
    while (isFull && !signal.aborted) await changed.wait(signal);
  };
  let isFull = false;
  return {
    wait: (signal: AbortSignal) => (isFull ? untilRoom(signal) : undefined),
    set isFull(full: boolean) {
      isFull = full;
      changed.open();
    },
  };
}

/** What comes of bytes that arrive in these pieces: blocks taken, and the rest. */
function passed(pieces: readonly Buffer[], room = Number.POSITIVE_INFINITY) {
  const taken: string[] = [];
  const left: Buffer[] = [];
  const isFree = () => Buffer.concat(left).length === 0;
  const take = (id: number, payload: Buffer, frameBytes: number) => {
    if (taken.length === room) return false;
    taken.push(`${id} ${payload} ${frameBytes}`);
    return true;
  };
  const way = new ShortWay(block, maxBytes, { isFree, take });
  for (const piece of pieces) left.push(way.pass(piece));
  return { taken, left: Buffer.concat(left) };
}

test('however the bytes are cut, blocks are taken whole and in order, and the rest is left whole', () => {
  const frames = [frame(1, 'first'), frame(0xabcd, '', { dup: true }), frame(65_535, 'x'.repeat(200))];
  const whole = ['1 first', `${0xabcd} `, `65535 ${'x'.repeat(200)}`];
  const expected = whole.map((text, i) => `${text} ${frames[i]?.length}`);
  const other = frame(4, 'other', { topic: topicOf('gw-1', 'events') });
  const stream = Buffer.concat([...frames, other, ...frames]);
  const left = Buffer.concat([other, ...frames]);
  for (let cut = 0; cut < stream.length; cut++) {
    const pieces = [stream.subarray(0, cut), stream.subarray(cut)];
    assert.deepEqual(passed(pieces), { taken: expected, left }, `cut at ${cut}`);
  }
  const bytes = Array.from(stream, byte => Buffer.of(byte));
  assert.deepEqual(passed(bytes), { taken: expected, left });
});

test('a block for which there is no room is left with all that follows, also if it came in parts', () => {
  const [first, second, third] = [frame(1, 'a'), frame(2, 'b'), frame(3, 'c')];
  const stream = Buffer.concat([first, second, third]);
  for (let cut = 0; cut < stream.length; cut++) {
    const { taken, left } = passed([stream.subarray(0, cut), stream.subarray(cut)], 1);
    assert.deepEqual(taken, [`1 a ${first.length}`]);
    assert.deepEqual(left, Buffer.concat([second, third]), `cut at ${cut}`);
  }
});

test('what is no block of this gateway, or no good one, is left as it is', () => {
  const zeroId = frame(1, 'x');
  zeroId[2 + 2 + block.length + 1] = 0;
  const qos3 = frame(1, 'x');
  qos3[0] = 0x36;
  const cutShort = Buffer.concat([Buffer.of(0x32, block.length + 3), frame(1, 'x').subarray(2)]);
  const others = [
    zeroId,
    qos3,
    cutShort,
    frame(1, 'x', { qos: 0 }),
    frame(1, 'x', { qos: 2 }),
    frame(1, 'x', { retain: true }),
    frame(1, 'x', { topic: topicOf('gw-2', 'block') }),
    frame(1, 'x', { topic: `${block}s` }),
    frame(1, 'x', { topic: block.slice(0, -1) }),
    frame(1, 'x'.repeat(maxBytes)).subarray(0, 5),
    Buffer.of(0x32, 0xff, 0xff, 0xff, 0xff),
    Buffer.of(0x32, 0),
    generate({ cmd: 'pingreq' }),
  ];
  for (const bytes of others) assert.deepEqual(passed([bytes]), { taken: [], left: bytes });
});

test('a small block does not hold on to all that was read with it', () => {
  const chunk = Buffer.concat([frame(1, 'tiny'), Buffer.alloc(60_000, 0xc0)]);
  let held = 0;
  const take = (_id: number, payload: Buffer) => {
    assert.equal(payload.toString(), 'tiny');
    held = payload.buffer.byteLength;
    return true;
  };
  new ShortWay(block, maxBytes, { isFree: () => held === 0, take }).pass(chunk);
  assert.ok(held > 0 && held < chunk.length / 4, `${held}`);
});

test('PUBACK and receipt leave together, and in order with what aedes sends', limit, async () => {
  await using at = await openBroker();
  using client = await gateway(at);
  const chunks: number[] = [];
  client.socket.on('data', bytes => chunks.push(bytes.length));
  client.send(publishPacket(1, 'a'), publishPacket(2, 'b'));
  await at.until(() => at.messages.length === 2);
  assert.ok(at.broker.send('gw-1', 'receipt', '[]'));
  assert.ok(await client.next('publish'));
  assert.equal(chunks.length, 1);
  const acknowledged = client.packets.map(packet => packet.cmd === 'puback' && packet.messageId);
  assert.deepEqual(acknowledged, [1, 2]);
  client.packets.length = 0;
  client.send(publishPacket(3, 'c'), { cmd: 'pingreq' });
  assert.ok(await client.next('pingresp'));
  assert.deepEqual(
    client.packets.map(({ cmd }) => cmd),
    ['puback'],
    'it was in front',
  );
});

test('PUBACK leaves without a receipt, after a wait for it', limit, async () => {
  await using at = await openBroker();
  using client = await gateway(at);
  for (const id of [1, 2, 3]) {
    const started = performance.now();
    client.send(publishPacket(id, 'x'));
    assert.equal((await client.next('puback'))?.messageId, id);
    const tookMs = performance.now() - started;
    assert.ok(tookMs > 40, `${tookMs} ms: it waited for the receipt`);
  }
});

test('all kinds come in the order in which they were sent, and so do their PUBACKs', limit, async () => {
  const seed = testSeed('short way');
  const rng = seededRng(seed);
  const room = aRoom();
  await using at = await openBroker({ room: room.wait });
  using client = await gateway(at);
  const n = 1500;
  for (let id = 1; id <= n; ) {
    const some = Math.min(1 + Math.floor(rng() ** 3 * 10), n + 1 - id);
    const bytes = Buffer.concat(Array.from({ length: some }, (_, i) => anyFrame(rng, id + i)));
    const cut = Math.floor(rng() * bytes.length);
    for (const part of rng() < 0.5 ? [bytes] : [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      client.write(part);
      if (rng() < 0.6) await sleep(1);
      room.isFull = rng() < 0.1;
    }
    id += some;
  }
  room.isFull = false;
  await at.until(() => at.messages.length === n);
  const came = textsOf(at).map(text => Number(text.split(' ')[0]));
  const sent = Array.from({ length: n }, (_, i) => i + 1);
  assert.deepEqual(came, sent, `seed ${seed}`);
  for (const id of sent) assert.equal((await client.next('puback'))?.messageId, id, `seed ${seed}`);
});

/** Mostly blocks; its payload begins with its number. */
function anyFrame(rng: Rng, id: number): Buffer {
  const kind: TopicKind = rng() < 0.8 ? 'block' : rng() < 0.5 ? 'state' : 'events';
  const length = rng() < 0.02 ? 90_000 : Math.floor(rng() * 300);
  const more = { topic: topicOf('gw-1', kind), retain: kind === 'state', dup: rng() < 0.1 };
  return frame(id, `${id} ${'x'.repeat(length)}`, more);
}

test('bytes that look like a block are none inside of another message', limit, async () => {
  await using at = await openBroker();
  using client = await gateway(at);
  const inner = frame(7, 'inner');
  const outer = frame(1, `outer${inner.toString('latin1')}`, { topic: topicOf('gw-1', 'events') });
  const cut = outer.indexOf(inner);
  client.write(outer.subarray(0, cut));
  await sleep(50);
  client.write(outer.subarray(cut));
  client.send(publishPacket(2, 'x'));
  await at.until(() => at.messages.length === 2);
  assert.deepEqual(textsOf(at), [`outer${inner}`, 'x']);
});

test('without room a client is held, and goes on in order once there is some', limit, async () => {
  const room = aRoom();
  await using at = await openBroker({ room: room.wait });
  using client = await gateway(at);
  client.send(publishPacket(1, '1'));
  await at.until(() => at.messages.length === 1);
  room.isFull = true;
  for (const id of [2, 3, 4]) {
    client.send(publishPacket(id, `${id}`));
    await new Promise(setImmediate); // mostly each comes by itself
  }
  assert.equal((await client.next('puback'))?.messageId, 1, 'goes out by itself, after its wait');
  assert.deepEqual(textsOf(at), ['1']);
  assert.equal(client.packets.length, 0, 'what is held has no PUBACK');
  room.isFull = false;
  client.send(publishPacket(5, '5'));
  await at.until(() => at.messages.length === 5);
  assert.deepEqual(textsOf(at), ['1', '2', '3', '4', '5']);
  for (const id of [2, 3, 4, 5]) assert.equal((await client.next('puback'))?.messageId, id);
});

test('a block for another gateway, or to be retained, is refused', limit, async () => {
  for (const [reason, more] of [
    ['topic', { topic: topicOf('gw-2', 'block') }],
    ['retain', { retain: true }],
  ] as const) {
    await using at = await openBroker();
    using client = await gateway(at);
    client.send(publishPacket(1, 'mine'), publishPacket(2, 'not mine', more), publishPacket(3, 'behind it'));
    await client.untilClosed();
    assert.equal(at.broker.refusals.get(reason), 1);
    assert.ok(!textsOf(at).includes('not mine'));
  }
});

test('a client that gave no outbox has no blocks', limit, async () => {
  await using at = await openBroker();
  using client = new RawMqtt(at.broker);
  await client.connect('gw-1');
  assert.equal(await client.publish(block), false);
  assert.equal(at.broker.refusals.get('topic'), 1);
  assert.deepEqual(at.topics, []);
});
