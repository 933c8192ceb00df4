/** A whole collector in this process, on free ports. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { collectorConfig } from './config.js';
import { folderFor } from './journal/testing/blocks.js';
import { runCollector } from './main.js';

const limit = { timeout: 20_000 };

interface Ports {
  readonly api: number;
  readonly broker: number;
}

/** Runs a collector until `work` is through, and then until it has ended. */
async function whileRunning(dataDir: string, work: (ports: Ports) => Promise<void>): Promise<void> {
  const config = collectorConfig.parse({ dataDir, api: { port: 0 }, broker: { port: 0 } });
  const [stop, deadline] = [new AbortController(), new AbortController()];
  let running = Promise.resolve();
  const listening = new Promise<Ports>((resolve, reject) => {
    const options = { config, log: silentLogger, onListening: resolve };
    running = runCollector(options, stop.signal, deadline.signal);
    running.catch(reject);
  });
  try {
    await work(await listening);
  } finally {
    stop.abort();
    await running;
  }
}

async function silentConnection(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function checks(port: number): Promise<{ name: string; ok: boolean; detail: string }[]> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  assert.equal(response.status, 200);
  const { checks } = (await response.json()) as { checks: { name: string; ok: boolean; detail: string }[] };
  return checks;
}

test('ends although somebody holds a connection and says nothing', limit, async t => {
  const silent: Socket[] = [];
  await whileRunning(await folderFor(t), async ({ api, broker }) => {
    silent.push(await silentConnection(api), await silentConnection(broker));
    await checks(api); // both were taken: this came later
  });
  for (const socket of silent) if (!socket.closed) await once(socket, 'close');
});

test('asked to stop while it starts, it starts and ends', limit, async t => {
  const config = collectorConfig.parse({
    dataDir: await folderFor(t),
    api: { port: 0 },
    broker: { port: 0 },
  });
  await runCollector({ config, log: silentLogger }, AbortSignal.abort(), new AbortController().signal);
});

test('a journal that had to be repaired is told, and does not keep gateways out', limit, async t => {
  const dataDir = await folderFor(t);
  const damage = async (port: number) =>
    (await checks(port)).filter(({ name, ok }) => name === 'journal:damage' && !ok).length;
  await whileRunning(dataDir, async ({ api }) => assert.equal(await damage(api), 0));
  await rm(path.join(dataDir, 'journal', 'CURRENT'));
  await whileRunning(dataDir, async ({ api }) => assert.notEqual(await damage(api), 0));
});
