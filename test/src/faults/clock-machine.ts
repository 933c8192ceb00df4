/** A collector, and an agent whose wall clock does what the test says (libfaketime). */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type EdgewardProcess, freePort, getJson, until, type Workbench } from '../support/processes.js';

const places = ['x86_64-linux-gnu', 'aarch64-linux-gnu', 'arm-linux-gnueabihf', '.'].map(
  folder => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`,
);
const library = places.find(place => existsSync(place));

/** For `test(name, { skip: noFaketime() }, …)`. With EDGEWARD_NO_SKIP always false, so that its absence fails. */
export function noFaketime(): string | false {
  if (library !== undefined || process.env.EDGEWARD_NO_SKIP) return false;
  return 'NOT SHOWN on this machine: needs libfaketime (Debian package faketime)';
}

/** Environment of a process whose wall clock follows the file. */
export function fakeClock(offsetFile: string): Record<string, string> {
  return {
    LD_PRELOAD: library ?? 'libfaketimeMT.so.1',
    FAKETIME_TIMESTAMP_FILE: offsetFile,
    FAKETIME_NO_CACHE: '1',
    // Older releases of the library know the second name.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
}

/** The true time plus this, at once. */
export function setFakeClock(offsetFile: string, aheadS: number): void {
  const fresh = `${offsetFile}.new`;
  writeFileSync(fresh, `${aheadS < 0 ? '' : '+'}${aheadS}\n`);
  renameSync(fresh, offsetFile); // read at every look at the clock: it must never be half written
}

interface Ledger {
  readonly balanced: boolean;
  readonly devices: readonly { read: number; stored: number; inFlight: number }[];
}

export interface ClockRow {
  readonly device: string;
  readonly epoch: string;
  readonly row: number;
  /** ms. */
  readonly time: number;
  readonly quality: readonly string[];
}

export class ClockMachine {
  readonly #bench: Workbench;
  readonly #offsetFile: string;
  readonly #url: string;
  readonly #agentConfig: string;
  readonly #collector: EdgewardProcess;
  #agent: EdgewardProcess | undefined;
  #ended = false;

  private constructor(bench: Workbench, ports: { api: number; broker: number }) {
    this.#bench = bench;
    this.#url = `http://127.0.0.1:${ports.api}`;
    this.#offsetFile = path.join(bench.folder, 'clock');
    const collector = bench.config('collector', {
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
      sources: [
        {
          type: 'simulated',
          devices: [{ name: 'pump-1', type: 'pump' }],
          intervalMs: 10,
          lingerMs: 50,
          seed: 3,
        },
      ],
    });
    this.#collector = bench.start(['collector', '-c', collector]);
  }

  static async create(bench: Workbench): Promise<ClockMachine> {
    return new ClockMachine(bench, { api: await freePort(), broker: await freePort() });
  }

  /** The agent's clock shows the true time plus this, at once. */
  setClock(aheadS: number): void {
    setFakeClock(this.#offsetFile, aheadS);
  }

  startAgent(): void {
    this.#agent = this.#bench.start(['agent', '-c', this.#agentConfig], fakeClock(this.#offsetFile));
    void this.#agent.exited.then(() => {
      this.#ended = true;
    });
  }

  async #storedRows(): Promise<number> {
    const { devices } = await getJson<Ledger>(`${this.#url}/api/ledger`);
    return devices.reduce((sum, { stored }) => sum + stored, 0);
  }

  /** So many rows more than now have gone the whole way, and the agent is alive. */
  async moreRows(rows: number): Promise<void> {
    const before = await until('the collector answers', async () => ({ rows: await this.#storedRows() }));
    const wanted = before.rows + rows;
    await until(`${wanted} rows are stored`, async () => (await this.#storedRows()) >= wanted, 60_000);
    assert.ok(!this.#ended, `the agent has ended: ${this.#agent?.stderr.slice(-2000)}`);
  }

  /** Stops both. @returns what the file sink has, after checking that the ledger balances with nothing in flight */
  async stop(): Promise<ClockRow[]> {
    assert.equal(await this.#agent?.end('SIGTERM'), 0, this.#agent?.stderr.slice(-2000));
    const [device] = await until('the ledger balances with nothing in flight', async () => {
      const { balanced, devices } = await getJson<Ledger>(`${this.#url}/api/ledger`);
      return balanced && devices.every(({ inFlight }) => inFlight === 0) && devices;
    });
    assert.equal(await this.#collector.end('SIGTERM'), 0, this.#collector.stderr.slice(-2000));
    const rows = this.#fileRows();
    assert.equal(rows.length, device?.read, 'every row that was read is in the file, once');
    return rows;
  }

  #fileRows(): ClockRow[] {
    const folder = path.join(this.#bench.folder, 'readings');
    return readdirSync(folder)
      .filter(name => name.endsWith('.ndjson'))
      .sort()
      .flatMap(name => readFileSync(path.join(folder, name), 'utf8').split('\n'))
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as ClockRow);
  }
}
