/**
 * `node test/dist/bench/http.js [--seconds N] [--connections N] [--pipelined N]`: what the http source takes, every
 * yes behind an fsync: an agent as a real process without a collector, its load from another.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { freePort, until, Workbench } from '../support/processes.js';
import { machine } from './machine.js';
import { MeasuredProcess } from './measured-process.js';
import { figure, table } from './table.js';

interface Load {
  readonly stored: number;
  readonly refused: number;
  readonly tookS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '64' },
    pipelined: { type: 'string', default: '2' },
  },
});

const client = fileURLToPath(new URL('./http-client.js', import.meta.url));

async function run(format: 'lines' | 'rows', readings: number): Promise<string[]> {
  await using bench = new Workbench();
  const port = await freePort();
  const config = bench.config('agent', {
    gateway: 'bench',
    dataDir: './data',
    uplink: { url: 'mqtt://127.0.0.1:1' }, // nobody listens there: all of it stays in the outbox
    log: { level: 'warn' },
    sources: [{ type: 'http', port }],
  });
  await using agent = new MeasuredProcess({ args: ['agent', '-c', config] });
  await until('the source listens', async () => (await fetch(`http://127.0.0.1:${port}/ping`)).ok);
  const { connections, pipelined, seconds } = values;
  const args = (forSeconds: string) => [
    client,
    `${port}`,
    connections,
    pipelined,
    `${readings}`,
    format,
    forSeconds,
  ];
  await promisify(execFile)(process.execPath, args('2')); // compiled by then
  const before = agent.usage;
  const { stdout } = await promisify(execFile)(process.execPath, args(seconds));
  const after = agent.usage;
  const load = JSON.parse(stdout) as Load;
  const taken = load.stored * readings;
  return [
    `${format}, ${readings} a request`,
    figure(load.stored / load.tookS),
    figure(taken / load.tookS),
    figure(before && after && ((after.cpuS - before.cpuS) * 1e6) / taken),
    figure(load.p50Ms),
    figure(load.p99Ms),
    `${load.refused}`,
    figure(after && after.peakRssBytes / 1e6),
  ];
}

const { date, revision, node, cpu, cores, load } = machine();
process.stdout.write(`${date}  revision ${revision}  Node ${node}\n${cpu}, ${cores} cores, load ${load}\n\n`);
const head = ['', 'requests/s', 'readings/s', 'CPU-s/million', 'p50 ms', 'p99 ms', 'refused', 'peak MB'];
const rows = [];
for (const readings of [1, 10])
  for (const format of ['lines', 'rows'] as const) rows.push(await run(format, readings));
process.stdout.write(`${table([head, ...rows])}\n`);
