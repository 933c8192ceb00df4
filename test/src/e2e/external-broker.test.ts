/** Agent, mosquitto and collector as real processes; the broker in the middle is killed. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Mosquitto, noMosquitto } from '../support/mosquitto.js';
import { freePort, getJson, until, Workbench } from '../support/processes.js';

const lines = 3000;
const users = { collector: 'collects', 'gateway-1': 'delivers' };

interface Ledger {
  readonly balanced: boolean;
  readonly devices: readonly { readonly stored: number; readonly inFlight: number }[];
}

function configure(bench: Workbench, mosquitto: Mosquitto, api: number) {
  const input = path.join(bench.folder, 'numbered.csv');
  const rows = Array.from({ length: lines }, (_, i) => `${1_700_000_000_000 + i * 100},${i}`);
  writeFileSync(input, `timestamp,n\n${rows.join('\n')}\n`);
  const url = `mqtt://127.0.0.1:${mosquitto.port}`;
  const collector = bench.config('collector', {
    dataDir: './collector',
    broker: { external: { url, username: 'collector', password: { env: 'BROKER_PASSWORD' } } },
    api: { port: api },
    sinks: [{ type: 'file', directory: './readings' }],
  });
  const replay = {
    type: 'replay',
    path: input,
    device: 'recorder-1',
    deviceType: 'recorder',
    timeFormat: 'epochMs',
  };
  const agent = bench.config('agent', {
    gateway: 'gateway-1',
    dataDir: './agent',
    uplink: { url, password: { env: 'BROKER_PASSWORD' } },
    reportMs: 200,
    sources: [{ ...replay, speed: 60, batchRows: 40, lingerMs: 50 }],
  });
  return { collector, agent };
}

function storedNumbers(bench: Workbench): number[] {
  const folder = path.join(bench.folder, 'readings');
  const text = readdirSync(folder)
    .filter(name => name.endsWith('.ndjson'))
    .map(name => readFileSync(path.join(folder, name), 'utf8'))
    .join('');
  const rows = text.split('\n').filter(line => line !== '');
  return rows.map(line => (JSON.parse(line) as { values: { n: number } }).values.n);
}

test('with mosquitto between them, killed three times, every row arrives once', {
  timeout: 180_000,
  skip: noMosquitto(),
}, async () => {
  await using mosquitto = await Mosquitto.start(users);
  await using bench = new Workbench();
  const api = await freePort();
  const { collector, agent } = configure(bench, mosquitto, api);
  const ledger = () => getJson<Ledger>(`http://127.0.0.1:${api}/api/ledger`);
  const stored = async () => (await ledger()).devices.reduce((sum, device) => sum + device.stored, 0);
  const collecting = bench.start(['collector', '-c', collector], { BROKER_PASSWORD: users.collector });
  const sending = bench.start(['agent', '-c', agent], { BROKER_PASSWORD: users['gateway-1'] });
  for (const rows of [300, 900, 1500]) {
    await until(`${rows} rows are stored`, async () => (await stored()) >= rows, 60_000);
    await mosquitto.restart();
  }
  await until('the whole file is stored', async () => (await stored()) >= lines, 60_000);
  await until('the ledger balances with nothing in flight', async () => {
    const { balanced, devices } = await ledger();
    return balanced && devices.every(({ inFlight }) => inFlight === 0);
  });
  assert.equal(await sending.end('SIGTERM'), 0);
  assert.equal(await collecting.end('SIGTERM'), 0);
  const numbers = storedNumbers(bench).sort((a, b) => a - b);
  assert.deepEqual(
    numbers,
    Array.from({ length: lines }, (_, i) => i),
  );
});
