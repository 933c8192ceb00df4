/** One agent and one collector as real processes, fed from a recording that the oracle knows. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '@edgeward/shared/errors';
import { Mosquitto } from '../support/mosquitto.js';
import { type EdgewardProcess, freePort, getJson, until, Workbench } from '../support/processes.js';
import { readSink, type StoredRow } from '../support/sink-rows.js';
import { faults, judge, type Verdict } from './oracle.js';
import { type Expected, replayOf, writeRecording } from './recording.js';

export type Victim = 'agent' | 'collector';

/** For tests that take each alone and both at once: their names and who is meant. */
export const targets: readonly (readonly [name: string, victims: readonly Victim[]])[] = [
  ['the agent', ['agent']],
  ['the collector', ['collector']],
  ['agent and collector', ['agent', 'collector']],
];

export interface LedgerDevice {
  readonly device: string;
  readonly read: number;
  readonly stored: number;
  readonly inFlight: number;
  readonly rejected: number;
  readonly thinned: number;
  readonly dropped: number;
  readonly damaged: number;
  readonly balanced: boolean;
}

export interface Ledger {
  readonly balanced: boolean;
  readonly devices: readonly LedgerDevice[];
}

export interface PlantEvent {
  readonly gateway: string;
  readonly kind: string;
  readonly text: string;
}

export interface PlantOptions {
  readonly devices?: number;
  readonly rowsPerDevice?: number;
  /** Of each device; the recording is finished at full speed. */
  readonly rowsPerSecond?: number | 'max';
  readonly batchRows?: number;
  /** In the place of the recording: then `finish` and `verdict` have nothing to go by. */
  readonly sources?: readonly object[];
  /** Where the agent's and the collector's data lie; a folder that is thrown away unless told. */
  readonly agentFolder?: string;
  readonly collectorFolder?: string;
  /** Where the agent finds the broker, given the broker's own port. */
  readonly route?: (brokerPort: number) => Promise<number> | number;
  readonly uplink?: object;
  readonly agent?: object;
  readonly collector?: object;
  readonly env?: Readonly<Record<string, string>>;
  /** Put before the command line, for example `ip netns exec x`. */
  readonly wrap?: Readonly<Partial<Record<Victim, readonly string[]>>>;
  /** A real mosquitto between them, in place of the collector's own broker. */
  readonly mosquitto?: boolean;
  /** Where the broker listens; off loopback it wants a password, which both sides get. */
  readonly brokerHost?: string;
}

export const gateway = 'gateway-1';
const password = 'a password of the rig';

export class Plant implements AsyncDisposable {
  readonly expected: Expected;
  readonly bench = new Workbench();
  readonly brokerPort: number;
  readonly #options: PlantOptions;
  readonly #apiPort: number;
  readonly #recording: string;
  #mosquitto: Mosquitto | undefined;
  readonly #running: Partial<Record<Victim, EdgewardProcess>> = {};
  #uplinkPort = 0;
  #speed: number | 'max';

  private constructor(options: PlantOptions, apiPort: number, brokerPort: number) {
    const { devices = 3, rowsPerDevice = 2000, rowsPerSecond = 400 } = options;
    this.#options = options;
    this.#apiPort = apiPort;
    this.brokerPort = brokerPort;
    this.#speed = rowsPerSecond;
    this.expected = {
      devices: Array.from({ length: devices }, (_, i) => `recorder-${i + 1}`),
      rowsPerDevice,
    };
    this.#recording = path.join(this.bench.folder, 'recording.csv');
    writeRecording(this.#recording, this.expected);
  }

  static async create(options: PlantOptions = {}): Promise<Plant> {
    const plant = new Plant(options, await freePort(), await freePort());
    if (options.mosquitto)
      plant.#mosquitto = await Mosquitto.start({ collector: password, [gateway]: password });
    const brokerPort = plant.#mosquitto?.port ?? plant.brokerPort;
    plant.#uplinkPort = (await options.route?.(brokerPort)) ?? brokerPort;
    return plant;
  }

  get rows(): number {
    return this.expected.devices.length * this.expected.rowsPerDevice;
  }

  /** The agent's data folder; the outbox is `outbox` in it. */
  get agentFolder(): string {
    return path.join(this.#options.agentFolder ?? this.bench.folder, 'agent');
  }

  /** The collector's data folder; the journal is `journal` in it. */
  get collectorFolder(): string {
    return path.join(this.#options.collectorFolder ?? this.bench.folder, 'collector');
  }

  get sinkFolder(): string {
    return path.join(this.#options.collectorFolder ?? this.bench.folder, 'readings');
  }

  /** @param failpoint  where it shall end itself with kill -9, for example `outbox.after-commit@3` */
  start(victim: Victim, failpoint = ''): EdgewardProcess {
    const config = victim === 'agent' ? this.#agentConfig() : this.#collectorConfig();
    const env = { ...this.#options.env, EDGEWARD_FAILPOINT: failpoint };
    const { wrap } = this.#options;
    const process = this.bench.start([victim, '-c', config], env, wrap?.[victim]);
    this.#running[victim] = process;
    return process;
  }

  startBoth(): void {
    this.start('collector');
    this.start('agent');
  }

  process(victim: Victim): EdgewardProcess {
    const process = this.#running[victim];
    assert.ok(process, `${victim} was started`);
    return process;
  }

  kill(victim: Victim): Promise<number | null> {
    return this.process(victim).end('SIGKILL');
  }

  /** kill -9 of the broker between them, which starts again. */
  async restartBroker(): Promise<void> {
    assert.ok(this.#mosquitto, 'there is one');
    await this.#mosquitto.restart();
  }

  async killBoth(): Promise<void> {
    await Promise.all([this.kill('agent'), this.kill('collector')]);
  }

  /** As a user stops it. @throws if it does not end well */
  async stop(victim: Victim): Promise<void> {
    const process = this.process(victim);
    const code = process.end('SIGTERM');
    await until(`the end of the ${victim}`, async () => !process.running, 30_000);
    assert.equal(await code, 0, `the ${victim} ends well:\n${process.stderr.slice(-2000)}`);
  }

  ledger(): Promise<Ledger> {
    return getJson<Ledger>(`${this.url}/api/ledger`);
  }

  async events(kind?: string): Promise<PlantEvent[]> {
    const events = await getJson<readonly PlantEvent[]>(`${this.url}/api/events`);
    return events.filter(event => kind === undefined || event.kind === kind);
  }

  /** The checks of /readyz that are not well, in words. */
  async complaints(): Promise<string[]> {
    const response = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(5000) });
    const { checks } = (await response.json()) as { checks: { name: string; ok: boolean; detail: string }[] };
    return checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  }

  /** A figure of /metrics. @throws if there is none */
  async metric(name: string): Promise<number> {
    const response = await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(5000) });
    const line = (await response.text()).split('\n').find(text => text.startsWith(`${name} `));
    assert.ok(line, `metric ${name}`);
    return Number(line.slice(name.length + 1));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#apiPort}`;
  }

  /** Rows the collector says it has. */
  async stored(): Promise<number> {
    return (await this.ledger()).devices.reduce((sum, { stored }) => sum + stored, 0);
  }

  async untilStored(rows: number, withinMs = 60_000): Promise<void> {
    await until(`${rows} rows are stored`, async () => (await this.stored()) >= rows, withinMs);
  }

  async untilMore(rows: number): Promise<void> {
    const before = await until('the ledger can be read', () => this.stored().then(stored => ({ stored })));
    await this.untilStored(Math.min(this.rows, before.stored + rows));
  }

  /** How far the agent has read, by its last report. */
  async readRows(): Promise<number> {
    return (await this.ledger()).devices.reduce((sum, { read }) => sum + read, 0);
  }

  /** Of its files, which is more than its blocks. */
  outboxBytes(): number {
    const folder = path.join(this.agentFolder, 'outbox');
    if (!existsSync(folder)) return 0;
    return readdirSync(folder).reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
  }

  sinkRows(): StoredRow[] {
    return readSink(this.sinkFolder);
  }

  verdict(): Verdict {
    return judge(this.expected, this.sinkRows());
  }

  /** From its next start the agent reads as fast as it can store. */
  hurry(): void {
    this.#speed = 'max';
  }

  /** Plays the rest of the recording at full speed and waits until every row is accounted for; then stops both. */
  async finish(withinMs = 90_000): Promise<Ledger> {
    if (this.#speed !== 'max') {
      await this.kill('agent');
      this.hurry();
      const agent = this.start('agent');
      await until('the agent has started', async () => agent.stderr.includes('"msg":"started"'));
    }
    const what = 'the whole recording is read and nothing is in flight';
    const ledger = await until(what, () => this.#settled(), withinMs).catch(error => this.#unsettled(error));
    await this.stop('agent');
    await this.stop('collector');
    return ledger;
  }

  /** @throws with what does not come out right */
  async #unsettled(error: unknown): Promise<never> {
    const { balanced, devices } = await this.ledger().catch(() => ({ balanced: 'unknown', devices: [] }));
    const wrong = faults(this.verdict()).join('; ');
    const text = `sink: ${wrong || 'whole'}; ledger balanced: ${balanced} ${JSON.stringify(devices)}; ${messageOf(error)}`;
    throw new Error(text, { cause: error });
  }

  async #settled(): Promise<Ledger | undefined> {
    const ledger = await this.ledger();
    const read = ledger.devices.reduce((sum, device) => sum + device.read, 0);
    const quiet = ledger.devices.every(({ inFlight }) => inFlight === 0);
    if (read < this.rows || !ledger.balanced || !quiet) return undefined;
    return (await this.metric('collector_sink_lag_blocks{sink="file"}')) === 0 ? ledger : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of Object.values(this.#running)) process.resume();
    await this.bench[Symbol.asyncDispose]();
    await this.#mosquitto?.[Symbol.asyncDispose]();
  }

  #agentConfig(): string {
    mkdirSync(path.dirname(this.agentFolder), { recursive: true });
    return this.bench.config('agent', {
      gateway,
      dataDir: this.agentFolder,
      uplink: {
        url: `mqtt://${this.#options.brokerHost ?? '127.0.0.1'}:${this.#uplinkPort}`,
        ...this.#secret('password'),
        ...this.#options.uplink,
      },
      reportMs: 200,
      ...this.#options.agent,
      sources: this.#options.sources ?? [replayOf(this.#recording, this.#speed, this.#options.batchRows)],
    });
  }

  /** On loopback the collector's own broker asks for none. */
  #secret(name: string): object {
    if (!this.#options.brokerHost && !this.#mosquitto) return {};
    const file = path.join(this.bench.folder, 'password');
    writeFileSync(file, password, { mode: 0o600 });
    return { [name]: { file } };
  }

  #collectorConfig(): string {
    return this.bench.config('collector', {
      dataDir: this.collectorFolder,
      broker: this.#brokerConfig(),
      api: { port: this.#apiPort },
      ...this.#options.collector,
      sinks: [{ type: 'file', directory: this.sinkFolder }],
    });
  }

  #brokerConfig(): object {
    if (this.#mosquitto) {
      const url = `mqtt://127.0.0.1:${this.#mosquitto.port}`;
      return { external: { url, username: 'collector', ...this.#secret('password') } };
    }
    const { brokerHost } = this.#options;
    const users = brokerHost && { users: this.#secret(gateway) };
    return { host: brokerHost ?? '127.0.0.1', port: this.brokerPort, ...users };
  }
}
