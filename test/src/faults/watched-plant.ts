/** Three gateways, a mosquitto, a collector and a server behind one of its sinks: each can be broken by itself. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { readingsOf } from '../support/kafka.js';
import { Mosquitto } from '../support/mosquitto.js';
import { type EdgewardProcess, freePort, getJson, Workbench } from '../support/processes.js';
import { fakeClock, setFakeClock } from './clock-machine.js';
import { FaultProxy } from './fault-proxy.js';

export interface PipelineIncident {
  readonly detector: string;
  readonly source: string;
  readonly device: string;
  readonly state: 'open' | 'closed';
  readonly title: string;
  readonly lastMs: number;
  readonly diagnosis?: { readonly causes: readonly { readonly id: string; readonly component: string }[] };
}

const newline = 0x0a;
const password = 'a password of the rig';
const names = ['gateway-1', 'gateway-2', 'gateway-3'] as const;

export class WatchedPlant implements AsyncDisposable {
  readonly #bench = new Workbench();
  readonly #clockFile = path.join(this.#bench.folder, 'clock');
  readonly #collectorClockFile = path.join(this.#bench.folder, 'clock-collector');
  readonly #agents: EdgewardProcess[] = [];
  #collector: EdgewardProcess | undefined;
  readonly kafkaSink = 'stream';

  private constructor(
    readonly broker: Mosquitto,
    /** Between gateway-1 and the broker. */
    readonly network: FaultProxy,
    readonly server: SinkServer,
    readonly apiPort: number,
    readonly pushPort: number,
  ) {}

  /** @param kafka  address of a broker, for a further sink */
  static async start(health: object, kafka?: string): Promise<WatchedPlant> {
    const users = Object.fromEntries(['collector', ...names].map(name => [name, password]));
    const broker = await Mosquitto.start(users);
    const network = await FaultProxy.open(broker.port);
    const server = await SinkServer.open();
    const plant = new WatchedPlant(broker, network, server, await freePort(), await freePort());
    plant.setClock(0);
    plant.setCollectorClock(0);
    plant.#startCollector(health, kafka);
    for (const i of [0, 1, 2]) plant.startAgent(i);
    return plant;
  }

  async incidents(state?: PipelineIncident['state']): Promise<PipelineIncident[]> {
    const all = await getJson<readonly PipelineIncident[]>(`http://127.0.0.1:${this.apiPort}/api/incidents`);
    return all.filter(one => one.detector === 'pipeline' && (state === undefined || one.state === state));
  }

  /** Rows that the pipeline's device has shown, by the newest values. */
  async health(device: string): Promise<Readonly<Record<string, number | null>>> {
    const url = `http://127.0.0.1:${this.apiPort}/api/devices?gateway=_pipeline`;
    const all = await getJson<readonly { device: string; last: Record<string, number | null> }[]>(url);
    return all.find(one => one.device === device)?.last ?? {};
  }

  startAgent(i: number): void {
    const gateway = names[i]!;
    const config = this.#bench.config(gateway, {
      gateway,
      dataDir: path.join(this.#bench.folder, `agent-${i}`),
      uplink: {
        url: `mqtt://127.0.0.1:${i === 0 ? this.network.port : this.broker.port}`,
        password: { env: 'RIG_PASSWORD' },
      },
      reportMs: 300,
      log: { level: 'warn' },
      sources: [
        { type: 'simulated', devices: [{ name: `pump-${i}`, type: 'pump' }], intervalMs: 500, seed: 3 },
        ...(i === 1 ? [{ type: 'http', name: 'push', port: this.pushPort }] : []),
      ],
    });
    const clock = i === 1 ? fakeClock(this.#clockFile) : {};
    this.#agents[i] = this.#bench.start(['agent', '-c', config], { RIG_PASSWORD: password, ...clock });
  }

  killAgent(i: number): Promise<number | null> {
    return this.#agents[i]!.end('SIGKILL');
  }

  /** As a user stops it. */
  stopAgent(i: number): Promise<number | null> {
    return this.#agents[i]!.end('SIGTERM');
  }

  /** Of gateway-2, and only of its wall clock. */
  setClock(aheadS: number): void {
    setFakeClock(this.#clockFile, aheadS);
  }

  setCollectorClock(aheadS: number): void {
    setFakeClock(this.#collectorClockFile, aheadS);
  }

  get collectorPid(): number {
    return this.#collector?.pid ?? 0;
  }

  /** A few hundred rows to gateway-2. */
  async push(rows = 400): Promise<void> {
    const body = JSON.stringify(
      Array.from({ length: rows }, (_, i) => ({ device: 'pushed', values: { load: i } })),
    );
    await fetch(`http://127.0.0.1:${this.pushPort}/rows`, { method: 'POST', body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.broker.resume();
    this.network.set({});
    await this.#bench[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.broker[Symbol.asyncDispose]();
  }

  #startCollector(health: object, kafka?: string): void {
    const url = `mqtt://127.0.0.1:${this.broker.port}`;
    const token = { env: 'RIG_PASSWORD' };
    const config = this.#bench.config('collector', {
      dataDir: path.join(this.#bench.folder, 'collector'),
      broker: { external: { url, username: 'collector', password: { env: 'RIG_PASSWORD' } } },
      api: { port: this.apiPort },
      log: { level: 'warn' },
      health,
      sinks: [
        { type: 'file', directory: path.join(this.#bench.folder, 'readings') },
        {
          ...{
            type: 'influxdb',
            name: 'series',
            url: this.server.url,
            org: 'plant',
            bucket: 'sensors',
            token,
          },
          gzip: false, // the server counts lines
        },
        ...(kafka === undefined ? [] : [kafkaOf(this.kafkaSink, kafka)]),
      ],
    });
    const env = { RIG_PASSWORD: password, ...fakeClock(this.#collectorClockFile) };
    this.#collector = this.#bench.start(['collector', '-c', config], env);
  }
}

function kafkaOf(name: string, broker: string): object {
  const topics = { readings: readingsOf(name), anomalies: null, incidents: null, events: null };
  const groups = { lagGroups: ['dashboards', 'lake'] };
  return { type: 'kafka', name, brokers: [broker], topics, createTopics: { partitions: 1 }, ...groups };
}

/** Takes whatever an InfluxDB is sent, or breaks, or does not answer. */
class SinkServer implements AsyncDisposable {
  mood: 'well' | 'dead' | 'hangs' = 'well';
  /** Takes rows one after the other, each for so long. */
  msPerRow = 0;
  readonly #server: Server = createServer((request, response) => {
    if (this.mood === 'dead') return void request.socket.destroy();
    let rows = 0;
    request.on('data', (part: Buffer) => {
      for (const byte of part) if (byte === newline) rows += 1;
    });
    request.on('end', () => {
      if (this.mood !== 'well') return;
      // Waited for in pieces: who recovers is fast at once.
      const fromMs = performance.now();
      const answer = () => {
        if (performance.now() - fromMs >= rows * this.msPerRow) response.writeHead(204).end();
        else setTimeout(answer, 50);
      };
      answer();
    });
  });

  static async open(): Promise<SinkServer> {
    const server = new SinkServer();
    await new Promise<void>(resolve => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What hangs is let go of, so that it is tried again. */
  recover(): void {
    this.mood = 'well';
    this.msPerRow = 0;
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}
