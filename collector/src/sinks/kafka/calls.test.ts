import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Answer } from './answer.js';
import { addPartitionsCall, fetchCall } from './calls.js';

test('an answer without the partition that was asked for has nothing', () => {
  const throttled = Buffer.alloc(8);
  throttled.writeInt32BE(5000); // ms; then no topics
  const { read } = fetchCall('readings', 0, 7, { maxBytes: 1, maxWaitMs: 1, committed: true });
  const { data, stableOffset, aborted } = read(new Answer(throttled));
  assert.deepEqual([data.length, stableOffset, aborted], [0, -1, []]);
});

test('of partitions that cannot be added the one is told that is the reason', () => {
  const codes = [55, 29, 55];
  const answer = Buffer.concat([
    int32(0),
    int32(1),
    Buffer.from([0, 1]),
    Buffer.from('t'),
    int32(codes.length),
    ...codes.map((code, partition) => Buffer.concat([int32(partition), Buffer.from([0, code])])),
  ]);
  const { read } = addPartitionsCall('id', { producerId: 1n, producerEpoch: 0 }, new Map());
  assert.throws(() => read(new Answer(answer)), /topic t, partition 1: TOPIC_AUTHORIZATION_FAILED/);
});

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
