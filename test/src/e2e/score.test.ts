/** POST /score against a real collector with shipped models. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { freePort, getJson, until, Workbench } from '../support/processes.js';
import { root } from '../support/root.js';

interface Answer {
  readonly anomaly: boolean;
  readonly score: number;
  readonly sensorId?: string;
  readonly reasons: readonly string[];
}

const ordinaryFeed = { voltage: 400, current: 120, activePower: 73, powerFactor: 0.88, frequency: 50 };

test('rules and models judge single events and batches', { timeout: 60_000 }, async () => {
  await using bench = new Workbench();
  const api = await freePort();
  const config = bench.config('collector', {
    dataDir: './collector',
    broker: { port: await freePort() },
    api: { port: api },
    score: {
      rules: [{ name: 'seed-rule', when: 'temperature > 40 or pressure > 120', score: 1 }],
      models: [path.join(root, 'models', 'bundles', 'power-feed')],
    },
  });
  const collector = bench.start(['collector', '-c', config]);
  const url = `http://127.0.0.1:${api}`;
  await until('the collector is ready', () => getJson(`${url}/readyz`).then(() => true));
  const ask = async <T>(body: unknown): Promise<T> => {
    const response = await fetch(`${url}/score`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 200, JSON.stringify(body));
    return (await response.json()) as T;
  };

  const plain = await ask<Answer>({ sensorId: 'sensor-1', timestamp: 1690000000000, value: 50 });
  assert.equal(plain.sensorId, 'sensor-1');
  assert.equal(plain.anomaly, false);
  assert.equal(typeof plain.score, 'number');

  const event = (values: object, type?: string) => ({
    device: 'device-1',
    timestamp: 1690000000000,
    values,
    ...(type && { type }),
  });
  const hot = await ask<Answer>(event({ temperature: 41, pressure: 3 }));
  assert.equal(hot.anomaly, true);
  assert.equal(hot.score, 1);
  assert.match(hot.reasons.join(), /seed-rule/);

  const batch = await ask<Answer[]>([
    event(ordinaryFeed, 'power-feed'),
    event({ ...ordinaryFeed, voltage: 300 }, 'power-feed'),
    event({ temperature: 20, pressure: 121 }),
  ]);
  assert.deepEqual(
    batch.map(({ anomaly }) => anomaly),
    [false, true, true],
  );
  assert.ok(batch[1]!.score > batch[0]!.score);
  assert.equal(await collector.end('SIGTERM'), 0);
});
