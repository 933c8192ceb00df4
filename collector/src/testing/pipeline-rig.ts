/** A fleet on a fake clock, watched by the pipeline's rules, with a real incident engine behind them. */
import { tmpdir } from 'node:os';
import type { TestContext } from 'node:test';
import type { ReaderLag } from '@edgeward/shared/contracts';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { Incident } from '../alerts/incident.js';
import { type Cause, loadCatalogue } from '../diagnosis/catalogue.js';
import { Gateways } from '../gateways.js';
import { Live } from '../live.js';
import { type HealthConfig, healthConfig } from '../pipeline/config.js';
import type { Past } from '../pipeline/past/kept-past.js';
import { read } from '../pipeline/read.js';
import type { Reading, SinkReading } from '../pipeline/readings.js';
import { PipelineWatch } from '../pipeline/watch.js';
import type { GatewayReport } from '../report.js';
import { AlertBench, type BenchOptions } from './alert-bench.js';
import { type RowSpec, Tape } from './deliveries.js';

export interface RigOptions extends Pick<BenchOptions, 'directory' | 'alerts' | 'store'> {
  readonly gateways?: number;
  /** By number of the gateway; default: none. */
  readonly siteOf?: (i: number) => string | undefined;
  readonly health?: Partial<HealthConfig>;
  readonly clock?: FakeClock;
  /** Time between reports; 0 = none, as of a microcontroller. */
  readonly reportMs?: number;
  /** What is usual of it, from before. */
  readonly past?: Past;
}

let catalogue: readonly Cause[] | undefined;

export const healthySink: SinkReading = {
  name: 'influx',
  state: 'running',
  lag: { blocks: 0, rows: 0, seconds: 0, notes: 0 },
  failure: null,
  rowsStored: 0,
  refusedRows: 0,
  errors: 0,
  writes: 0,
  writeSeconds: 0,
  readers: [],
};

export const readerLag = (seconds: number, messages: number): ReaderLag => ({
  group: 'spark-jobs',
  topic: 'readings',
  partition: 0,
  seconds,
  messages,
});

export class RigGateway {
  readonly tape: Tape;
  alive = true;
  rowsEveryMs = 1000;
  rowsPerBeat = 1;
  devices = ['pump-1', 'pump-2'];
  missing: readonly string[] = [];
  clockOffsetMs = 0;
  sentMs = 20;
  outboxShare = 0.01;
  epoch = '1-a1b2';
  link = 1;

  constructor(
    readonly id: string,
    readonly site: string | undefined,
  ) {
    this.tape = new Tape({ seed: 1, gateway: id, devices: ['pump-1', 'pump-2', 'tried'] });
  }
}

export class PipelineRig {
  readonly all: RigGateway[];
  readonly clock: FakeClock;
  readonly bench: AlertBench;
  readonly watch: PipelineWatch;
  readonly live = new Live();
  readonly fleet: Gateways;
  readonly collector = {
    failure: null as string | null,
    blocked: null as string | null,
    queuedBytes: 0,
    broker: { ok: true, detail: 'listens' },
    external: false,
    freeBytes: 50e9,
    ingestedMs: 5,
  };
  sinks: SinkReading[] = [healthySink];
  readonly #config: HealthConfig;
  readonly #reportMs: number;

  private constructor(bench: AlertBench, causes: readonly Cause[], options: RigOptions) {
    const { gateways = 1, siteOf = () => undefined, health = {}, reportMs = 10_000 } = options;
    this.bench = bench;
    this.clock = bench.clock;
    this.#reportMs = reportMs;
    this.#config = healthConfig.parse(health);
    this.fleet = new Gateways(this.clock);
    this.all = Array.from({ length: gateways }, (_, i) => new RigGateway(`gw-${i + 1}`, siteOf(i)));
    this.watch = new PipelineWatch({
      config: this.#config,
      live: this.live,
      catalogue: causes,
      read: () => this.#read(),
      tell: news => bench.engine.health(news),
      clock: this.clock,
      ...(options.past && { past: options.past }),
    });
  }

  static async open(t: TestContext, options: RigOptions = {}): Promise<PipelineRig> {
    catalogue ??= await loadCatalogue();
    const { directory, store, alerts = {}, clock = new FakeClock() } = options;
    const bench = await AlertBench.open(t, {
      clock,
      alerts,
      ...(directory !== undefined && { directory }),
      ...(store && { store }),
    });
    const rig = new PipelineRig(bench, catalogue, options);
    for (const gateway of rig.all) rig.connect(gateway);
    return rig;
  }

  get first(): RigGateway {
    return this.all[0]!;
  }

  /** Incidents of the pipeline, oldest first. */
  incidents(state?: Incident['state']): Incident[] {
    return this.bench.engine
      .list(2000)
      .filter(one => one.detector === 'pipeline' && (state === undefined || one.state === state))
      .reverse();
  }

  connect({ id, epoch, link, site }: RigGateway): void {
    this.fleet.state(id, { ...stateOf(epoch, link, site), online: true });
  }

  /** Its last will, or with `stopped` its goodbye. */
  leave(gateway: RigGateway, stopped = false): void {
    gateway.alive = false;
    const { id, epoch, link, site } = gateway;
    this.fleet.state(id, { ...stateOf(epoch, link, site), online: false, ...(stopped && { stopped }) });
  }

  /** So many seconds, with everything that comes in them, and a look every `everyMs`. */
  async run(seconds: number): Promise<void> {
    for (let s = 0; s < seconds; s++) {
      await this.clock.advance(1000);
      for (const gateway of this.all) if (gateway.alive) this.#beat(gateway);
      if (this.clock.monotonic() % this.#config.everyMs === 0) await this.watch.look();
    }
  }

  /** Looks until there is such an incident. @returns how long that took, s; undefined = longer than `most` */
  async untilFound(most: number): Promise<number | undefined> {
    for (let s = 1; s <= most; s++) {
      await this.run(1);
      if (this.incidents('open').length > 0) return s;
    }
    return undefined;
  }

  #beat(gateway: RigGateway): void {
    const { id, rowsEveryMs, rowsPerBeat, devices, missing, sentMs, tape } = gateway;
    const atMs = this.clock.monotonic();
    if (rowsEveryMs > 0 && atMs % rowsEveryMs === 0) {
      const timeMs = this.clock.now() - sentMs;
      const specs: RowSpec[] = devices.flatMap(device =>
        Array.from({ length: rowsPerBeat }, () => ({ device, timeMs, missing })),
      );
      const delivery = tape.block(specs);
      this.fleet.stored([delivery]);
      this.live.add([delivery], false);
      const { ingestedMs } = this.collector;
      const hops = { readS: 0.01, sentS: sentMs / 1000, ingestedS: ingestedMs / 1000 };
      this.fleet.timed(id, { rows: specs.length, late: false, ...hops });
    }
    if (this.#reportMs > 0 && atMs % this.#reportMs === 0) this.fleet.report(this.#report(gateway));
  }

  #report({ id, epoch, site, clockOffsetMs, outboxShare }: RigGateway): GatewayReport {
    return {
      gateway: id,
      epoch,
      atMs: this.clock.now() + clockOffsetMs,
      ...(site !== undefined && { site }),
      version: '1.0.0',
      devices: [],
      outbox: {
        id: 'outbox',
        blocks: 1,
        bytes: outboxShare * 1e6,
        maxBytes: 1e6,
        oldestMs: null,
        durability: 'deferred',
      },
      condensedThrough: 0,
      process: { pid: 1, rssBytes: 90e6, cpuSeconds: this.clock.monotonic() / 1e5 },
      models: {},
    };
  }

  async #read(): Promise<Reading> {
    const { failure, blocked, queuedBytes, broker, external, freeBytes } = this.collector;
    const counts = { blocks: this.clock.monotonic(), rows: 0, duplicates: 0, deadLetters: 0, refused: 0 };
    const reading = await read({
      name: 'hq',
      gateways: this.fleet,
      ingest: {
        counts,
        traffic: { receipts: { journaled: 0, released: 0 } } as never,
        queuedBytes,
        failure,
      },
      broker: () => ({ status: broker, connections: 1, refusals: new Map() }),
      external,
      followers: () => [],
      blocked: () => blocked,
      dataDir: tmpdir(),
      queueMaxBytes: 1e6,
      stopping: () => false,
      clock: this.clock,
    });
    return { ...reading, sinks: this.sinks, collector: { ...reading.collector, freeBytes } };
  }
}

function stateOf(epoch: string, link: number, site: string | undefined) {
  const common = { epoch, outbox: 'outbox', link, version: '1.0.0', schemas: [] };
  return site === undefined ? common : { ...common, site };
}
