/**
 * kill -9 of an agent that others push to. The clients keep their own record of what they were told; at the end it is
 * held against the rows of the file sink: what was told yes is there, and nothing is there twice.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { load, post } from '../support/http-load.js';
import { type EdgewardProcess, freePort, getJson, until, Workbench } from '../support/processes.js';

interface Ports {
  readonly api: number;
  readonly broker: number;
  readonly http: number;
}

interface Ledger {
  readonly balanced: boolean;
  readonly devices: readonly { device: string; read: number; inFlight: number }[];
}

interface StoredRow {
  readonly device: string;
  readonly values: Readonly<Record<string, number>>;
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

function rowsOf(bench: Workbench): StoredRow[] {
  const folder = path.join(bench.folder, 'readings');
  const files = readdirSync(folder).filter(name => name.endsWith('.ndjson'));
  return files.flatMap(name =>
    readFileSync(path.join(folder, name), 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as StoredRow),
  );
}

/** Requests without a key: none is ever sent twice. */
class PlainClients {
  readonly sent = new Set<number>();
  readonly yes = new Set<number>();
  #next = 0;

  /** Until the agent is gone. */
  async run(port: number, stop: AbortSignal): Promise<void> {
    const from = this.#next;
    const request = (n: number) => {
      this.#next = Math.max(this.#next, from + n + 1);
      this.sent.add(from + n);
      return post('/write', `plain,device=plain-${n % 3} n=${from + n}i`);
    };
    const onAnswer = (n: number, status: number) => {
      if (status === 204) this.yes.add(from + n);
    };
    await load({ port, connections: 8, pipelined: 4, request, onAnswer }, stop);
  }
}

/** Requests with a key, over devices of two types, sent again until they are told yes. */
class KeyedClients {
  readonly yes = new Set<number>();
  retries = 0;
  #next = 0;

  async run(port: number, stop: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: 6 }, () => this.#one(port, stop)));
  }

  async #one(port: number, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const n = this.#next++;
      while (!(await this.#tried(port, n))) this.retries += 1;
      this.yes.add(n);
    }
  }

  async #tried(port: number, n: number): Promise<boolean> {
    const rows = ['left', 'right'].map(side => ({ device: `keyed-${side}`, type: side, values: { n } }));
    const headers = { 'idempotency-key': `request-${n}` };
    try {
      const url = `http://127.0.0.1:${port}/rows`;
      return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(rows) })).status === 204;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 20)); // it is being started again
      return false;
    }
  }
}

function listening(port: number): Promise<boolean> {
  return until('the source listens', async () => (await fetch(`http://127.0.0.1:${port}/ping`)).ok);
}

async function afterMore(yes: ReadonlySet<number>, more: number): Promise<void> {
  const enough = yes.size + more;
  await until(`${more} more are told yes`, async () => yes.size >= enough);
}

function assertOnce(
  rows: readonly StoredRow[],
  device: RegExp,
  told: ReadonlySet<number>,
  known: ReadonlySet<number>,
) {
  const found = rows.filter(row => device.test(row.device)).map(({ values }) => values.n!);
  const stored = new Set(found);
  assert.equal(stored.size, found.length, `${device}: none twice`);
  const lost = [...told].filter(n => !stored.has(n));
  assert.deepEqual(lost, [], `${device}: told yes and lost`);
  const unknown = [...stored].filter(n => !known.has(n));
  assert.deepEqual(unknown, [], `${device}: never sent`);
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
  const rows = rowsOf(bench);
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
