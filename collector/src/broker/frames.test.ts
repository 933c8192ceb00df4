import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { generate, type Packet } from 'mqtt-packet';
import { connectPacket } from '../testing/raw-mqtt.js';
import { FrameScanner } from './frames.js';

const limits = { maxPacketBytes: 300_000, maxControlBytes: 1000 };
const connect = generate(connectPacket('gw-1'));

function publish(bytes: number): Buffer {
  const packet: Packet = {
    cmd: 'publish',
    topic: 't',
    payload: Buffer.alloc(bytes),
    qos: 0,
    dup: false,
    retain: false,
  };
  return generate(packet);
}

function opened(): FrameScanner {
  const scanner = new FrameScanner(limits);
  assert.equal(scanner.scan(connect, 1), connect.length);
  return scanner;
}

test('frames are counted the same however the bytes are cut', () => {
  const seed = testSeed('frames');
  const rng = seededRng(seed);
  const sizes = [0, 1, 120, 124, 125, 126, 16_379, 16_380, 16_381, 200_000];
  const stream = Buffer.concat([connect, ...sizes.map(publish), generate({ cmd: 'pingreq' })]);
  for (let run = 0; run < 50; run++) {
    const scanner = new FrameScanner(limits);
    for (let at = 0; at < stream.length; ) {
      const n = 1 + Math.floor(rng() * (run % 2 ? 5 : 50_000));
      const chunk = stream.subarray(at, at + n);
      assert.equal(scanner.scan(chunk, Number.POSITIVE_INFINITY), chunk.length);
      at += n;
    }
    assert.equal(scanner.frames, sizes.length + 2, `seed ${seed} run ${run}`);
  }
});

test('it stops at the end of the frame that is one too many', () => {
  const scanner = opened();
  const stream = Buffer.concat([publish(10), publish(20), publish(30)]);
  const two = publish(10).length + publish(20).length;
  assert.equal(scanner.scan(stream, 2), two);
  assert.equal(scanner.scan(stream.subarray(two), 2), stream.length - two);
  assert.equal(scanner.frames, 4);
});

test('a frame is refused by its header, before its body', () => {
  assert.doesNotThrow(() => opened().scan(publish(limits.maxPacketBytes - 3), 1));
  const over = publish(limits.maxPacketBytes + 1).subarray(0, 4);
  assert.throws(() => opened().scan(over, 1), { reason: 'frame-too-long' });
  const cases: [bytes: number[], reason: string][] = [
    [[0x30, 0xff, 0xff, 0xff, 0xff], 'frame-too-long'],
    [[0x30, 0x80, 0x80, 0x80, 0x80], 'frame-malformed'],
    [[0x82, 0xe9, 0x07], 'frame-too-long'],
    [[0x00, 0x00], 'frame-malformed'],
    [[0xf0, 0x00], 'frame-malformed'],
    [[0x10, 0x02], 'frame-malformed'],
  ];
  for (const [bytes, reason] of cases) {
    const scanner = opened();
    const feed = () => {
      for (const byte of bytes) scanner.scan(Uint8Array.of(byte), 9);
    };
    assert.throws(feed, { reason }, bytes.join());
  }
});

test('CONNECT comes first, and is short', () => {
  assert.throws(() => new FrameScanner(limits).scan(publish(1), 1), { reason: 'frame-malformed' });
  const long = generate(connectPacket('x'.repeat(limits.maxControlBytes)));
  assert.throws(() => new FrameScanner(limits).scan(long, 1), { reason: 'frame-too-long' });
});
