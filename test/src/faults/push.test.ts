/** Power cuts of an agent that others push to: what it told them yes to was on the disk by then. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRng } from '@edgeward/shared/rng';
import { assertOnce, KeyedClients, PlainClients } from '../support/http-clients.js';
import { freePort, getJson, until, Workbench } from '../support/processes.js';
import { readSink } from '../support/sink-rows.js';
import { Disk } from './disk.js';
import { lacks } from './host.js';
import { gateway, type Ledger } from './plant.js';
import { amount, full, minutes, rigTest } from './scale.js';
import { underSeeds } from './seeds.js';

const cutsInStory = full ? 6 : 2;

rigTest(
  'power cut of an agent that is pushed to over http: what was told yes is there, once',
  {
    inShort: true,
    timeout: minutes(30),
    skip: lacks('root', 'loop'),
  },
  async () => {
    await underSeeds('power cuts under http', amount(1, 3), async seed => {
      const rng = seededRng(seed);
      using disk = new Disk();
      await using site = await PushedSite.create(disk);
      const keyed = new KeyedClients();
      const plain = new PlainClients();
      const over = new AbortController();
      const pushing = keyed.run(site.httpPort, over.signal);
      for (let cut = 0; cut <= cutsInStory; cut++) {
        await site.startAgent();
        const last = new AbortController();
        const plainPushing = plain.run(site.httpPort, last.signal);
        const enough = plain.yes.size + 100 + rng() * 300;
        await until('some are told yes', async () => plain.yes.size >= enough);
        await sleep(rng() * 500);
        if (cut < cutsInStory) await site.cutPower();
        last.abort();
        await plainPushing;
      }
      over.abort();
      await pushing;
      await site.settled();
      const rows = readSink(site.sinkFolder);
      assert.ok(keyed.retries > 0, 'some were sent again');
      assertOnce(rows, /^plain/, plain.yes, plain.sent);
      for (const side of ['left', 'right'])
        assertOnce(rows, new RegExp(`^keyed-${side}`), keyed.yes, keyed.yes);
    });
  },
);

/** An agent on a disk of its own that listens for pushes, and its collector. */
class PushedSite implements AsyncDisposable {
  readonly httpPort: number;
  readonly #bench = new Workbench();
  readonly #disk: Disk;
  readonly #apiPort: number;
  readonly #agentConfig: string;
  readonly #collector;
  #agent: ReturnType<Workbench['start']> | undefined;

  private constructor(disk: Disk, [api, broker, http]: readonly [number, number, number]) {
    this.httpPort = http;
    this.#disk = disk;
    this.#apiPort = api;
    this.#agentConfig = this.#bench.config('agent', {
      gateway,
      dataDir: path.join(disk.folder, 'agent'),
      uplink: { url: `mqtt://127.0.0.1:${broker}` },
      reportMs: 200,
      sources: [{ type: 'http', port: http }],
    });
    const collector = this.#bench.config('collector', {
      dataDir: './collector',
      broker: { port: broker },
      api: { port: api },
      sinks: [{ type: 'file', directory: this.sinkFolder }],
    });
    this.#collector = this.#bench.start(['collector', '-c', collector]);
  }

  static async create(disk: Disk): Promise<PushedSite> {
    return new PushedSite(disk, [await freePort(), await freePort(), await freePort()]);
  }

  get sinkFolder(): string {
    return path.join(this.#bench.folder, 'readings');
  }

  async startAgent(): Promise<void> {
    this.#agent = this.#bench.start(['agent', '-c', this.#agentConfig]);
    await until('the source listens', async () => (await fetch(`http://127.0.0.1:${this.httpPort}/ping`)).ok);
  }

  async cutPower(): Promise<void> {
    await this.#agent?.end('SIGKILL');
    this.#disk.cutPower();
  }

  /** All has arrived, the ledger balances, and both end well. */
  async settled(): Promise<void> {
    await until('the ledger balances with nothing in flight', async () => {
      const ledger = await getJson<Ledger>(`http://127.0.0.1:${this.#apiPort}/api/ledger`);
      return ledger.balanced && ledger.devices.every(({ inFlight }) => inFlight === 0);
    });
    assert.equal(await this.#agent?.end('SIGTERM'), 0);
    assert.equal(await this.#collector.end('SIGTERM'), 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#bench[Symbol.asyncDispose]();
  }
}
