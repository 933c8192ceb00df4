/** One sink whose server is slow, and what the others feel of it: with it and without it in turns, in one run. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { startInflux } from '../support/services.js';
import { CollectorProbe, freePorts } from './collector-probe.js';
import { ColumnarProcess, columnarConfig } from './columnar-process.js';
import type { Figure } from './figures.js';
import { SinkDelays } from './sink-delays.js';
import type { SinksContext } from './sinks-context.js';
import { percentile, spreadOf } from './statistics.js';

const script = fileURLToPath(new URL('./sinks-clock-process.js', import.meta.url));
/** A write takes ten times as long as data takes to come again. */
const slowMs = 3000;
const lookMs = 20;
/** 1,000 rows of 8 channels a second. */
const load = { blockReadings: 800, intervalMs: 100, blocksPerBeat: 1, devices: 10 };

export async function slowFigures({ bench, full, onProgress }: SinksContext): Promise<Figure[]> {
  const [rounds, phaseS] = full ? [6, 30] : [3, 12];
  const influx = await startInflux();
  await using _ = influx.service;
  await using slow = await slowDown(influx.url);
  const ports = await freePorts();
  const { org, bucket } = influx;
  const file = bench.config('collector', {
    dataDir: './collector',
    broker: { port: ports.broker },
    api: { port: ports.api },
    log: { level: 'silent' },
    sinks: [
      { type: 'influxdb', name: 'slow', url: slow.url, org, bucket, token: { env: 'BENCH_INFLUX_TOKEN' } },
      { type: 'file', directory: './rows' },
    ],
  });
  const env = { ...process.env, BENCH_INFLUX_TOKEN: influx.token };
  const collector = fork(script, [file, '1'], { env, execArgv: [], stdio: 'inherit' });
  const ended = once(collector, 'exit');
  try {
    await new CollectorProbe(ports).ready();
    const agentFile = columnarConfig(bench, 'agent', { clock: { trust: 'always' } }, ports.broker);
    await using agent = new ColumnarProcess(agentFile, { ...load, readings: 1e12, warmUpReadings: 0 });
    const set = (what: 'pause' | 'resume') =>
      fetch(`http://127.0.0.1:${ports.api}/api/sinks/slow/${what}`, { method: 'POST' });
    const phase = async (what: 'pause' | 'resume') => {
      const delays = new SinkDelays(ports.api, 1, ['file']);
      await set(what);
      await delays.watch(1, lookMs); // until what was under way has ended, or begun
      const seen = await delays.watch(phaseS, lookMs);
      return percentile(
        seen.map(({ file = 0 }) => file),
        0.99,
      );
    };
    await agent.until(({ now }) => now.readings > 40_000);
    const [without, beside]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      onProgress(`slow sink: ${round + 1} of ${rounds} turns of ${2 * phaseS} s`);
      without.push(await phase('pause'));
      beside.push(await phase('resume'));
    }
    const [alone, along] = [spreadOf(without), spreadOf(beside)];
    const text = ({ least, most }: { least: number; most: number }) =>
      `${least.toFixed(2)} to ${most.toFixed(2)} s`;
    const note = `median of ${rounds} turns of ${phaseS} s each, with the slow sink paused (${text(alone)}) and at work (${text(along)}); its server takes ${slowMs / 1000} s for each request; 1,000 rows of 8 channels a second; the file sink waits 0.25 s for what comes together`;
    return [
      { name: 'one slow sink: file sink, delay p99 without it, s', measured: alone.median, note },
      { name: 'file sink, delay p99 beside it, s', measured: along.median },
      {
        name: 'beside it, times as long as without',
        goal: { atMost: 1.25 },
        measured: along.median / alone.median,
      },
      { name: 'requests that the slow server has answered', measured: slow.requests() },
    ];
  } finally {
    collector.kill('SIGKILL');
    await ended;
  }
}

/** Before a server: each answer to a write waits. */
async function slowDown(target: string) {
  let requests = 0;
  const server = createServer((asked, answer) => {
    const { method, url, headers } = asked;
    const onward = request(`${target}${url}`, { method, headers }, from => {
      const waitMs = url?.includes('/write') ? slowMs : 0;
      setTimeout(() => {
        requests += waitMs > 0 ? 1 : 0;
        answer.writeHead(from.statusCode ?? 502, from.headers);
        from.pipe(answer);
      }, waitMs);
    });
    onward.once('error', () => answer.destroy());
    asked.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
