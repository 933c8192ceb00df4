/**
 * kill -9 of an agent that others push to. The clients keep their own record of what they were told; at the end it is
 * held against the rows of the file sink: what was told yes is there, and nothing is there twice.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { assertOnce, KeyedClients, PlainClients } from '../support/http-clients.js';
import { type EdgewardProcess, freePort, getJson, until, Workbench } from '../support/processes.js';
import { readSink } from '../support/sink-rows.js';

interface Ports {
  readonly api: number;
  readonly broker: number;
  readonly http: number;
}

interface Ledger {
  readonly balanced: boolean;
  readonly devices: readonly { device: string; read: number; inFlight: number }[];
}

function configs(bench: Workbench, ports: Ports) {
  const collector = bench.config('collector', {
    dataDir: './collector',
    broker: { port: ports.broker },
    api: { port: ports.api },
    sinks: [{ type: 'file', directory: './readings' }],
  });
  const agent = bench.config('agent', {
    gateway: 'gateway-1',
    dataDir: './agent',
    uplink: { url: `mqtt://127.0.0.1:${ports.broker}` },
    reportMs: 200,
    sources: [{ type: 'http', port: ports.http }],
  });
  return { collector, agent };
}

function listening(port: number): Promise<boolean> {
  return until('the source listens', async () => (await fetch(`http://127.0.0.1:${port}/ping`)).ok);
}

async function afterMore(yes: ReadonlySet<number>, more: number): Promise<void> {
  const enough = yes.size + more;
  await until(`${more} more are told yes`, async () => yes.size >= enough);
}

/** Twice between a commit and its answers, once at any moment. */
const ends = ['outbox.after-commit@25', 'outbox.after-commit@26', ''];

test('http: what was told yes survives three kill -9, once; so does what is sent again with its key', {
  timeout: 180_000,
}, async () => {
  const seed = testSeed('http killed');
  const rng = seededRng(seed);
  await using bench = new Workbench();
  const ports: Ports = { api: await freePort(), broker: await freePort(), http: await freePort() };
  const { collector, agent } = configs(bench, ports);
  const collecting = bench.start(['collector', '-c', collector]);
  const plain = new PlainClients();
  const keyed = new KeyedClients();
  const stop = new AbortController();
  const keyedRun = keyed.run(ports.http, stop.signal);
  for (const failpoint of ends) {
    const process = bench.start(['agent', '-c', agent], { EDGEWARD_FAILPOINT: failpoint });
    await listening(ports.http);
    const plainRun = plain.run(ports.http, stop.signal);
    if (failpoint === '') {
      await afterMore(plain.yes, 100 + Math.round(rng() * 300));
      await process.end('SIGKILL');
    }
    assert.equal(await process.exited, null, failpoint);
    await plainRun;
  }
  const last = bench.start(['agent', '-c', agent]);
  await listening(ports.http);
  const plainRun = plain.run(ports.http, stop.signal);
  await Promise.all([afterMore(plain.yes, 100), afterMore(keyed.yes, 50)]);
  stop.abort();
  await Promise.all([plainRun, keyedRun]);
  await settled(ports, last, collecting);
  const rows = readSink(path.join(bench.folder, 'readings'));
  assert.ok(keyed.retries > 0, 'some were sent again');
  assertOnce(rows, /^plain/, plain.yes, plain.sent);
  for (const side of ['left', 'right']) assertOnce(rows, new RegExp(`^keyed-${side}`), keyed.yes, keyed.yes);
});

/** All has arrived, the ledger balances, and both end well. */
async function settled(ports: Ports, agent: EdgewardProcess, collector: EdgewardProcess): Promise<void> {
  await until('the ledger balances with nothing in flight', async () => {
    const ledger = await getJson<Ledger>(`http://127.0.0.1:${ports.api}/api/ledger`);
    return ledger.balanced && ledger.devices.every(({ inFlight }) => inFlight === 0);
  });
  assert.equal(await agent.end('SIGTERM'), 0);
  assert.equal(await collector.end('SIGTERM'), 0);
}
