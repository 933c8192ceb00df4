/**
 * After a partition fresh data comes first and the backlog beside it, also on a line that is hardly wide enough for
 * both: design's "live first".
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getOrMake } from '@edgeward/shared/maps';
import { freePort, getJson, until, Workbench } from '../support/processes.js';
import { readSink, SinkTail, type StoredRow } from '../support/sink-rows.js';
import { FaultProxy } from './fault-proxy.js';
import { gateway, type Ledger } from './plant.js';
import { full, minutes, rigTest } from './scale.js';

const pumps = 10;
const intervalMs = 50;
const outageMs = full ? 60_000 : 12_000;
/** As wide as this many times the arriving data. */
const lineWidth = 4;
/** Until the first fresh blocks of all devices have come. */
const graceMs = 2000;
const staleMs = 2000;
const lateAfterMs = 5000;

rigTest(
  'after a partition: fresh data within 2 s, the backlog at twice the arrival rate or better',
  {
    inShort: true,
    timeout: minutes(5),
  },
  async t => {
    await using site = await LiveSite.create();
    const bytesPerS = await site.arrivalBytesPerS();
    const cutMs = Date.now();
    site.proxy.set({ cut: true });
    await sleep(outageMs); // what is tested is that time
    const endMs = Date.now();
    site.proxy.set({ bytesPerSecond: lineWidth * bytesPerS });
    await until('it is connected again', async () => site.look().freshMs < Date.now() - endMs, 60_000);
    const healedMs = Date.now();
    const ages: number[] = [];
    const isDelivered = async () => {
      const { freshMs, complete } = site.look();
      if (Date.now() > healedMs + graceMs) ages.push(freshMs);
      return complete;
    };
    await until('the backlog is delivered', isDelivered, outageMs + 30_000);
    const drainedS = (Date.now() - healedMs) / 1000;
    const rate = (healedMs - cutMs) / 1000 / drainedS;
    t.diagnostic(`arriving: ${bytesPerS.toFixed(0)} B/s; backlog at ${rate.toFixed(1)} times that rate`);
    t.diagnostic(`fresh data at the sink at most ${Math.max(...ages)} ms old in ${ages.length} looks`);
    assert.ok(Math.max(...ages) < staleMs, `fresh data is ${Math.max(...ages)} ms old`);
    assert.ok(rate >= 2, `the backlog of ${(healedMs - cutMs) / 1000} s took ${drainedS} s`);
    await site.settled();
    assert.equal(
      site.unmarked(cutMs + 1000, endMs - lateAfterMs - 1000),
      0,
      'what is late is marked as such',
    );
  },
);

/** What the sink has of each device: the backlog is all there when no row below the highest is missing. */
interface Seen {
  rows: number;
  highest: number;
  newestMs: number;
}

class LiveSite implements AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly #bench = new Workbench();
  readonly #tail = new SinkTail(this.#sinkFolder);
  readonly #devices = new Map<string, Seen>();
  readonly #apiPort: number;
  readonly #collector;
  readonly #agent;

  private constructor(proxy: FaultProxy, brokerPort: number, apiPort: number) {
    this.proxy = proxy;
    this.#apiPort = apiPort;
    const collector = this.#bench.config('collector', {
      dataDir: './collector',
      broker: { port: brokerPort },
      api: { port: apiPort },
      ingest: { lateAfterMs },
      sinks: [{ type: 'file', directory: this.#sinkFolder }],
    });
    const devices = Array.from({ length: pumps }, (_, i) => ({ name: `pump-${i + 1}`, type: 'pump' }));
    const agent = this.#bench.config('agent', {
      gateway,
      dataDir: './agent',
      uplink: { url: `mqtt://127.0.0.1:${proxy.port}` },
      reportMs: 10_000,
      sources: [{ type: 'simulated', devices, intervalMs, stepMs: intervalMs, lingerMs: 200 }],
    });
    this.#collector = this.#bench.start(['collector', '-c', collector]);
    this.#agent = this.#bench.start(['agent', '-c', agent]);
  }

  static async create(): Promise<LiveSite> {
    const brokerPort = await freePort();
    const proxy = await FaultProxy.open(brokerPort);
    proxy.record();
    return new LiveSite(proxy, brokerPort, await freePort());
  }

  get #sinkFolder(): string {
    return path.join(this.#bench.folder, 'readings');
  }

  async arrivalBytesPerS(): Promise<number> {
    await until('rows are stored', async () => readSink(this.#sinkFolder).length > 20 * pumps);
    const [fromBytes, fromMs] = [this.#sentBytes(), Date.now()];
    await sleep(4000); // what is measured is that time
    return ((this.#sentBytes() - fromBytes) * 1000) / (Date.now() - fromMs);
  }

  #sentBytes(): number {
    return this.proxy.recorded.flat().reduce((sum, { length }) => sum + length, 0);
  }

  /** How old the newest row of the stalest device is, and whether all before the newest are there. */
  look(): { readonly freshMs: number; readonly complete: boolean } {
    for (const row of this.#tail.more()) note(this.#devices, row);
    const seen = [...this.#devices.values()];
    return {
      freshMs: Date.now() - Math.min(...seen.map(({ newestMs }) => newestMs)),
      complete: seen.every(({ rows, highest }) => rows === highest),
    };
  }

  async settled(): Promise<void> {
    assert.equal(await this.#agent.end('SIGTERM'), 0);
    await until('the ledger balances with nothing in flight', async () => {
      const ledger = await getJson<Ledger>(`http://127.0.0.1:${this.#apiPort}/api/ledger`);
      return ledger.balanced && ledger.devices.every(({ inFlight }) => inFlight === 0);
    });
    assert.equal(await this.#collector.end('SIGTERM'), 0);
  }

  /** Rows that were made in this time, and were not marked as late. */
  unmarked(fromMs: number, toMs: number): number {
    const rows = readSink(this.#sinkFolder);
    return rows.filter(({ time, late }) => time > fromMs && time < toMs && !late).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bench[Symbol.asyncDispose]();
    await this.proxy[Symbol.asyncDispose]();
  }
}

function note(devices: Map<string, Seen>, { device, row, time }: StoredRow): void {
  const seen = getOrMake(devices, device, () => ({ rows: 0, highest: 0, newestMs: 0 }));
  seen.rows += 1;
  seen.highest = Math.max(seen.highest, row);
  seen.newestMs = Math.max(seen.newestMs, time);
}
