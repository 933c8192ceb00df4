/**
 * What the http source takes, every yes behind an fsync: an agent as a real process without a collector, its load from
 * another process.
 */
import { freePort, until, Workbench } from '../support/processes.js';
import { type HttpLoad, pushOverHttp } from './http-process.js';
import { type Machine, machine } from './machine.js';
import { MeasuredProcess } from './measured-process.js';
import { machineText } from './print.js';
import { figure, table } from './table.js';

export interface HttpOptions {
  readonly seconds: number;
  readonly connections: number;
  readonly pipelined: number;
  readonly onProgress: (text: string) => void;
}

export interface HttpRow {
  readonly name: string;
  readonly requestsPerS: number;
  readonly readingsPerS: number;
  readonly cpuSPerMillion: number | undefined;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly refused: number;
  readonly peakMb: number | undefined;
}

export interface HttpResult {
  readonly benchmark: 'http';
  readonly machine: Machine;
  readonly loadAfter: number;
  readonly rows: readonly HttpRow[];
}

export async function benchHttp(options: HttpOptions): Promise<HttpResult> {
  const before = machine();
  const rows: HttpRow[] = [];
  for (const readings of [1, 10]) {
    for (const format of ['lines', 'rows'] as const) {
      options.onProgress(`${format}, ${readings} readings a request`);
      rows.push(await run(options, format, readings));
    }
  }
  return { benchmark: 'http', machine: before, loadAfter: machine().load, rows };
}

async function run(options: HttpOptions, format: 'lines' | 'rows', readings: number): Promise<HttpRow> {
  await using bench = new Workbench();
  const port = await freePort();
  await using agent = new MeasuredProcess({
    args: ['agent', '-c', bench.config('agent', httpAgent(port, 1))],
  });
  await listening(port);
  const load: HttpLoad = { ...options, port, readings, format };
  await pushOverHttp({ ...load, seconds: 2 }); // compiled by then
  const before = agent.usage;
  const { stored, refused, upS, p50Ms, p99Ms } = await pushOverHttp(load);
  const after = agent.usage;
  const taken = stored * readings;
  return {
    name: `${format}, ${readings} a request`,
    requestsPerS: stored / upS,
    readingsPerS: taken / upS,
    cpuSPerMillion: before && after && ((after.cpuS - before.cpuS) * 1e6) / taken,
    p50Ms,
    p99Ms,
    refused,
    peakMb: after && after.peakRssBytes / 1e6,
  };
}

/** @param broker  port of a collector; 1 = there is none, and all of it stays in the outbox */
export function httpAgent(port: number, broker: number): object {
  return {
    gateway: 'bench',
    dataDir: './data-http',
    uplink: { url: `mqtt://127.0.0.1:${broker}` },
    log: { level: 'error' },
    sources: [{ type: 'http', port }],
  };
}

export function listening(port: number): Promise<boolean> {
  return until('the source listens', async () => (await fetch(`http://127.0.0.1:${port}/ping`)).ok);
}

export function httpText(result: HttpResult): string {
  const head = ['', 'requests/s', 'readings/s', 'CPU-s/million', 'p50 ms', 'p99 ms', 'refused', 'peak MB'];
  const rows = result.rows.map(({ name, refused, ...row }) => [
    name,
    figure(row.requestsPerS),
    figure(row.readingsPerS),
    figure(row.cpuSPerMillion),
    figure(row.p50Ms),
    figure(row.p99Ms),
    `${refused}`,
    figure(row.peakMb),
  ]);
  return [machineText(result.machine, result.loadAfter), table([head, ...rows])].join('\n\n');
}
