/**
 * kill -9 of real processes in mid-stream, and the count afterwards. The outcome is checked three ways: by the
 * ledger, by the rows of the file sink, and against what the input held.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { type EdgewardProcess, freePort, getJson, until, Workbench } from '../support/processes.js';

interface Ledger {
  readonly balanced: boolean;
  readonly devices: readonly {
    device: string;
    read: number;
    stored: number;
    inFlight: number;
    balanced: boolean;
  }[];
}

interface StoredRow {
  readonly device: string;
  readonly epoch: string;
  readonly seq: number;
  readonly row: number;
  readonly values: Readonly<Record<string, number>>;
}

class Rig {
  readonly #bench: Workbench;
  readonly #agentConfig: string;
  readonly #collectorConfig: string;
  readonly #url: string;
  #agent: EdgewardProcess | undefined;
  #collector: EdgewardProcess | undefined;

  private constructor(bench: Workbench, ports: { api: number; broker: number }, sources: object[]) {
    this.#bench = bench;
    this.#url = `http://127.0.0.1:${ports.api}`;
    this.#collectorConfig = bench.config('collector', {
      dataDir: './collector',
      broker: { port: ports.broker },
      api: { port: ports.api },
      sinks: [{ type: 'file', directory: './readings' }],
    });
    this.#agentConfig = bench.config('agent', {
      gateway: 'gateway-1',
      dataDir: './agent',
      uplink: { url: `mqtt://127.0.0.1:${ports.broker}` },
      reportMs: 200,
      sources,
    });
  }

  static async create(bench: Workbench, sources: object[]): Promise<Rig> {
    return new Rig(bench, { api: await freePort(), broker: await freePort() }, sources);
  }

  /** @param failpoint  where it shall end itself with kill -9, for example `outbox.after-commit@3` */
  startAgent(failpoint = ''): EdgewardProcess {
    this.#agent = this.#bench.start(['agent', '-c', this.#agentConfig], { EDGEWARD_FAILPOINT: failpoint });
    return this.#agent;
  }

  startCollector(failpoint = ''): EdgewardProcess {
    this.#collector = this.#bench.start(['collector', '-c', this.#collectorConfig], {
      EDGEWARD_FAILPOINT: failpoint,
    });
    return this.#collector;
  }

  killAgent(): Promise<number | null> {
    return this.#agent!.end('SIGKILL');
  }

  killCollector(): Promise<number | null> {
    return this.#collector!.end('SIGKILL');
  }

  stopAgent(): Promise<number | null> {
    return this.#agent!.end('SIGTERM');
  }

  stopCollector(): Promise<number | null> {
    return this.#collector!.end('SIGTERM');
  }

  ledger(): Promise<Ledger> {
    return getJson<Ledger>(`${this.#url}/api/ledger`);
  }

  async gaps(): Promise<number> {
    const events = await getJson<readonly { gateway: string; kind: string }[]>(`${this.#url}/api/events`);
    return events.filter(({ gateway, kind }) => gateway === 'gateway-1' && kind === 'gap').length;
  }

  async storedRows(): Promise<number> {
    return (await this.ledger()).devices.reduce((sum, { stored }) => sum + stored, 0);
  }

  /** Everything the file sink has, in the order of its files. */
  fileRows(): StoredRow[] {
    const folder = path.join(this.#bench.folder, 'readings');
    const files = readdirSync(folder)
      .filter(name => name.endsWith('.ndjson'))
      .sort();
    return files.flatMap(name =>
      readFileSync(path.join(folder, name), 'utf8')
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as StoredRow),
    );
  }
}

const lines = 6000;

/** Numbered rows, so that what arrived can be held against what was there. */
function numberedCsv(bench: Workbench): string {
  const file = path.join(bench.folder, 'numbered.csv');
  const rows = Array.from(
    { length: lines },
    (_, i) => `${1_700_000_000_000 + i * 100},${i},${Math.sin(i / 50)}`,
  );
  writeFileSync(file, `timestamp,n,wave\n${rows.join('\n')}\n`);
  return file;
}

const replay = (file: string, speed = 60) => ({
  type: 'replay',
  path: file,
  device: 'recorder-1',
  deviceType: 'recorder',
  timeFormat: 'epochMs',
  // By default about 600 rows a second, in small blocks: many commits to be killed in.
  speed,
  batchRows: 40,
  lingerMs: 50,
});

async function finished(rig: Rig): Promise<void> {
  await until('the whole file is stored', async () => (await rig.storedRows()) >= lines, 90_000);
  await until('the ledger balances with nothing in flight', async () => {
    const ledger = await rig.ledger();
    return ledger.balanced && ledger.devices.every(({ inFlight }) => inFlight === 0);
  });
}

/** Exactly the rows of the input, each once, in order. */
function assertEachRowOnce(rows: readonly StoredRow[]): void {
  assert.deepEqual(
    rows.map(({ values }) => values.n).sort((a, b) => a! - b!),
    Array.from({ length: lines }, (_, i) => i),
  );
  const ids = new Set(rows.map(({ device, epoch, row }) => `${device}/${epoch}/${row}`));
  assert.equal(ids.size, rows.length, 'no (device, epoch, row) twice');
}

const victims = {
  agent: { kill: (rig: Rig) => rig.killAgent(), start: (rig: Rig) => rig.startAgent() },
  collector: { kill: (rig: Rig) => rig.killCollector(), start: (rig: Rig) => rig.startCollector() },
};

for (const [name, victim] of Object.entries(victims))
  test(`kill -9 of the ${name}: every row of a replayed file arrives once, in the journal and in the file sink`, {
    timeout: 180_000,
  }, async () => {
    const seed = testSeed(`kill -9 of the ${name}`);
    const rng = seededRng(seed);
    await using bench = new Workbench();
    const rig = await Rig.create(bench, [replay(numberedCsv(bench))]);
    rig.startCollector();
    rig.startAgent();
    for (let kill = 1; kill <= 4; kill++) {
      const rows = kill * 1000 + Math.round(rng() * 300);
      await until(`${rows} rows are stored`, async () => (await rig.storedRows()) >= rows, 60_000);
      await victim.kill(rig);
      victim.start(rig);
    }
    await finished(rig);
    assert.equal(await rig.stopAgent(), 0);
    assert.equal(await rig.stopCollector(), 0);
    assertEachRowOnce(rig.fileRows());
  });

test('kill -9 of both at once, polled source: what was read is stored, and the gap is told', {
  timeout: 180_000,
}, async () => {
  await using bench = new Workbench();
  const simulated = {
    type: 'simulated',
    devices: [{ name: 'pump-1', type: 'pump' }],
    intervalMs: 20,
    lingerMs: 100,
    seed: 3,
  };
  const rig = await Rig.create(bench, [simulated]);
  rig.startCollector();
  rig.startAgent();
  await until('100 rows are stored', async () => (await rig.storedRows()) >= 100);
  assert.equal(await rig.gaps(), 0);
  await Promise.all([rig.killAgent(), rig.killCollector()]);
  rig.startAgent();
  rig.startCollector();
  await until('the gap is told', async () => (await rig.gaps()) === 1);
  await until('300 rows are stored', async () => (await rig.storedRows()) >= 300);
  assert.equal(await rig.stopAgent(), 0);
  const ledger = await until('the ledger balances', async () => {
    const found = await rig.ledger();
    return found.balanced && found;
  });
  assert.equal(ledger.devices[0]!.inFlight, 0);
  assert.equal(await rig.stopCollector(), 0);
  const rows = rig.fileRows();
  assert.equal(rows.length, ledger.devices[0]!.read);
  assert.equal(new Set(rows.map(({ epoch, row }) => `${epoch}/${row}`)).size, rows.length);
});

/** The worst moments: between what is promised and what is kept. */
const agentPoints = ['outbox.before-commit@10', 'outbox.after-commit@7', 'outbox.before-release@5'];
const collectorPoints = ['journal.before-commit@8', 'journal.after-commit@4', 'sink.after-write@3'];

/** Rows must still come when the last point is set, so this file is played slowly. */
async function endedAt(point: string, process: EdgewardProcess): Promise<void> {
  const ended = process.exited.then(code => ({ code }));
  assert.deepEqual(await until(`the end at ${point}`, () => soon(ended), 30_000), { code: null });
}

function soon<T>(result: Promise<T>): Promise<T | undefined> {
  return Promise.race([result, new Promise<undefined>(resolve => setTimeout(resolve, 20, undefined))]);
}

test('kill -9 at named points between promise and keeping', { timeout: 180_000 }, async () => {
  await using bench = new Workbench();
  const rig = await Rig.create(bench, [replay(numberedCsv(bench), 20)]);
  rig.startCollector();
  for (const point of agentPoints) {
    await endedAt(point, rig.startAgent(point));
  }
  await rig.killCollector();
  rig.startAgent();
  for (const point of collectorPoints) {
    await endedAt(point, rig.startCollector(point));
  }
  rig.startCollector();
  await finished(rig);
  assert.equal(await rig.stopAgent(), 0);
  assert.equal(await rig.stopCollector(), 0);
  assertEachRowOnce(rig.fileRows());
});
