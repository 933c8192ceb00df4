/** The agent's mqtt source against a real mosquitto. */
import assert from 'node:assert/strict';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { mqtt } from '@edgeward/agent/sources/mqtt';
import { cellOf, RowNumbers } from '@edgeward/shared/batch';
import { systemClock } from '@edgeward/shared/clock';
import type { SourcePosition } from '@edgeward/shared/contracts';
import { isRetryable } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { connectAsync } from 'mqtt';
import { noMosquitto } from '../support/mosquitto.js';
import { PlantBroker } from '../support/plant-broker.js';
import { freePort, until } from '../support/processes.js';

const limit = { timeout: 60_000, skip: noMosquitto() };
const password = 'pssst-4711';

/** As mosquitto_passwd writes it: PBKDF2 with SHA-512. */
function passwordFile(folder: string): string {
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(password, salt, 101, 64, 'sha512');
  const file = path.join(folder, 'passwords');
  writeFileSync(file, `reader:$7$101$${salt.toString('base64')}$${hash.toString('base64')}\n`, {
    mode: 0o600,
  });
  return file;
}

async function rig() {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgeward-mosquitto-'));
  const secured = ['allow_anonymous false', `password_file ${passwordFile(folder)}`];
  const broker = new PlantBroker(folder, await freePort(), secured);
  await broker.start();
  const publisher = await connectAsync(broker.url, { username: 'reader', password });
  return {
    broker,
    folder,
    publish: (topic: string, payload: string, retain = false) =>
      publisher.publishAsync(topic, payload, { qos: 1, retain }),
    [Symbol.asyncDispose]: async () => {
      await publisher.endAsync();
      await broker[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

class Reader {
  readonly rows: string[] = [];
  position: SourcePosition | undefined;
  fault: unknown;
  readonly #options: object;
  #stop = new AbortController();
  #reading: Promise<void> = Promise.resolve();

  constructor(broker: PlantBroker, options: object) {
    this.#options = { url: broker.url, username: 'reader', joinMs: 0, ...options };
  }

  start(): void {
    this.#stop = new AbortController();
    const context = {
      clock: systemClock,
      rows: new RowNumbers(),
      log: silentLogger,
      position: this.position,
      reject: () => undefined,
    };
    const source = mqtt.create(mqtt.config.parse(this.#options), context);
    this.#reading = (async () => {
      for await (const batch of source.read(this.#stop.signal)) {
        this.position = source.position?.();
        const { fields, devices, type } = batch.schema;
        for (let i = 0; i < batch.row.length; i++) {
          const cells = fields.flatMap(({ name }, f) => {
            const value = cellOf(batch, f, i);
            return value === undefined ? [] : [`${name}=${String(value)}`];
          });
          this.rows.push([type, devices[batch.device[i]!], ...cells].join(' '));
        }
      }
    })().catch((error: unknown) => {
      this.fault = error;
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#reading;
  }

  ended(): Promise<void> {
    return this.#reading;
  }
}

const subscriptions = [
  { topic: 'plant/+/{device}/{field}', payload: 'number', deviceType: 'machine' },
  { topic: 'cells/{cell}/#', device: 'cell-{cell}', deviceType: 'cell', timePath: 'ts' },
];

test('wildcards, credentials, retained values, and what came while we were away', limit, async () => {
  await using at = await rig();
  process.env.MOSQUITTO_TEST_PASSWORD = password;
  process.env.MOSQUITTO_TEST_WRONG = 'wrong';
  const stranger = new Reader(at.broker, { subscriptions, password: { env: 'MOSQUITTO_TEST_WRONG' } });
  stranger.start();
  await stranger.ended();
  assert.match(String(stranger.fault), /user name or password|check username/);
  assert.ok(isRetryable(stranger.fault));

  await at.publish('plant/x/m-1/set', '5', true);
  const reader = new Reader(at.broker, { subscriptions, password: { env: 'MOSQUITTO_TEST_PASSWORD' } });
  reader.start();
  await until('the retained value', async () => reader.rows.length === 1);
  await at.publish('plant/y/m-2/temp', '21.5');
  await at.publish('cells/7/a/b', '{"ts":"2026-01-01T00:00:00Z","v":{"soc":0.5}}');
  await at.publish('elsewhere/m-1', '1');
  await until('three rows', async () => reader.rows.length === 3);
  await reader.stop();
  await at.publish('plant/y/m-2/temp', '22.5');
  await at.broker.stop();
  await at.broker.start();
  reader.start();
  await until('what came meanwhile', async () => reader.rows.length >= 4);
  await reader.stop();
  assert.deepEqual(reader.rows.sort(), [
    'cell cell-7 v.soc=0.5',
    'machine m-1 set=5',
    'machine m-2 temp=21.5',
    'machine m-2 temp=22.5',
  ]);
});

test('a broker that sends twenty at a time is not kept waiting for more', limit, async () => {
  await using at = await rig();
  process.env.MOSQUITTO_TEST_PASSWORD = password;
  const lingerMs = 1000;
  const options = { subscriptions, lingerMs, password: { env: 'MOSQUITTO_TEST_PASSWORD' } };
  const reader = new Reader(at.broker, options);
  reader.start();
  await at.publish('plant/x/m-1/n', '0');
  await until('subscribed', async () => {
    await at.publish('plant/x/m-1/n', '0');
    return reader.rows.length > 0;
  });
  const before = reader.rows.length;
  const startMs = performance.now();
  await Promise.all(Array.from({ length: 2000 }, (_, i) => at.publish('plant/x/m-1/n', String(i))));
  await until('all of them', async () => reader.rows.length >= before + 2000);
  const tookMs = performance.now() - startMs;
  await reader.stop();
  // Lingering for each twenty would take a hundred times as long.
  assert.ok(tookMs < 10 * lingerMs, `${Math.round(tookMs)} ms`);
});
