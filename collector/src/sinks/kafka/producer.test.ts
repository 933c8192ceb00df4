/** What a producer keeps in memory: a broker that answers at once stands for the real one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '@edgeward/shared/clock';
import type { Call } from './calls.js';
import { Cluster } from './cluster.js';
import { compressorOf } from './compression.js';
import { Producer } from './producer.js';
import { BatchWriter, encodeHeaders } from './record-batch.js';
import type { Wire } from './wire.js';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

test('what was sent and answered is not held on to', async () => {
  const address = { host: '127.0.0.1', port: 9092 };
  const topics = [{ name: 'readings', code: 0, leaders: new Map([[0, 1]]) }];
  const answers: Record<string, object> = {
    Metadata: { brokers: new Map([[1, address]]), controller: 1, topics },
    FindCoordinator: address,
    InitProducerId: { producerId: 1n, producerEpoch: 0 },
  };
  const produced: WeakRef<object>[] = [];
  const answerOf = (name: string) => {
    const answer = answers[name] ?? {};
    if (name === 'Produce') produced.push(new WeakRef(answer));
    return answer;
  };
  const wire: Wire = {
    connect: async () => ({ call: async <T>({ name }: Call<T>) => answerOf(name) as T }),
    close: () => {},
  };
  const producer = await Producer.begin({
    cluster: new Cluster(wire, ['127.0.0.1:9092']),
    transactionalId: 'test',
    transactionTimeoutMs: 1000,
    requestTimeoutMs: 1000,
    compress: compressorOf('none'),
    clock: systemClock,
  });
  for (let i = 0; i < 1000; i++) {
    const batch = new BatchWriter(256);
    batch.add(Buffer.from('key'), Buffer.from('value'), encodeHeaders({}), 1e12);
    await producer.send([{ topic: 'readings', partition: 0, batch }]);
    await producer.commit();
  }
  await new Promise(setImmediate);
  collectGarbage();
  const held = produced.filter(answer => answer.deref() !== undefined).length;
  assert.equal(produced.length, 1000);
  assert.ok(held < 10, `${held} of 1000 answers are held`);
  await producer.abort(); // it lives until here
});
