/** InfluxDB is killed, stays away for ten minutes and comes back, while a gateway sends and another sink stores. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { countRows } from '../support/influx.js';
import { startInflux } from '../support/services.js';
import { CollectorProbe, freePorts } from './collector-probe.js';
import { ColumnarProcess, columnarConfig } from './columnar-process.js';
import type { Figure } from './figures.js';
import { SinkDelays } from './sink-delays.js';
import type { SinksContext } from './sinks-context.js';
import { percentile } from './statistics.js';

const script = fileURLToPath(new URL('./sinks-clock-process.js', import.meta.url));
const outageS = 600;
const backWithinS = 120;
const liveS = 5;
/** Before the outage: what the other sink's delay is compared with. */
const beforeS = 200;
const lookMs = 50;
/** 1,000 rows of 8 channels a real second. */
const load = { blockReadings: 800, intervalMs: 100, blocksPerBeat: 1, devices: 10 };

export async function outageFigures({ bench, full, onProgress }: SinksContext): Promise<Figure[]> {
  const factor = full ? 1 : 10;
  const influx = await startInflux();
  await using _ = influx.service;
  const ports = await freePorts();
  const { url, org, bucket } = influx;
  const file = bench.config('collector', {
    dataDir: './collector',
    broker: { port: ports.broker },
    api: { port: ports.api },
    log: { level: 'silent' },
    sinks: [
      { type: 'influxdb', url, org, bucket, token: { env: 'BENCH_INFLUX_TOKEN' } },
      { type: 'file', directory: './rows' },
    ],
  });
  const env = { ...process.env, BENCH_INFLUX_TOKEN: influx.token };
  const collector = fork(script, [file, String(factor)], { env, execArgv: [], stdio: 'inherit' });
  const ended = once(collector, 'exit');
  try {
    const probe = new CollectorProbe(ports);
    await probe.ready();
    // Its clock is not the collector's: that is no fault of its own.
    const agentFile = columnarConfig(bench, 'agent', { clock: { trust: 'always' } }, ports.broker);
    await using agent = new ColumnarProcess(agentFile, { ...load, readings: 1e12, warmUpReadings: 0 });
    const delays = new SinkDelays(ports.api, factor, ['influxdb', 'file']);
    const watch = (seconds: number) => delays.watch(seconds / factor, lookMs);
    await delays.until(
      'both sinks to be live',
      lookMs,
      () => delays.of('influxdb') < liveS && delays.rows > 5000,
    );
    onProgress(`InfluxDB: ${beforeS / factor} s before it is killed`);
    const before = await watch(beforeS);
    await influx.service.kill();
    onProgress(`InfluxDB: away for ${outageS / factor} s`);
    const during = await watch(outageS);
    await influx.service.start();
    const backS = performance.now() / 1000;
    onProgress('InfluxDB: back');
    await delays.until('InfluxDB to be live again', lookMs, () => delays.of('influxdb') < liveS);
    const tookS = (performance.now() / 1000 - backS) * factor;
    const after = await watch(backWithinS);
    await agent.stop();
    await delays.until('all to be stored', lookMs, () => delays.lag === 0);
    const { rows } = await probe.progress();
    const found = await countRows(influx, bucket);
    const of = (phase: typeof before, sink: string) =>
      percentile(
        phase.map(delay => delay[sink]!),
        0.99,
      );
    const note = `the collector's clock runs ${factor} times as fast as ours, so that ${outageS} s are ${outageS / factor}; ${(load.blockReadings / 8 / load.intervalMs) * 1000} rows of 8 channels a real second, ${rows.toLocaleString('en')} in all; influxd killed with -9; a delay of less than ${(lookMs * factor) / 1000} s, from one look to the next, is told as 0`;
    return [
      {
        name: 'InfluxDB down 10 minutes: rows lost or doubled',
        goal: { atMost: 0 },
        measured: Math.abs(rows - found),
        note,
      },
      {
        name: 'until its delay was under 5 s, after it was back, s',
        goal: { atMost: backWithinS },
        measured: tookS,
      },
      {
        name: 'its delay in the 2 minutes after, p99, s',
        goal: { atMost: liveS },
        measured: of(after, 'influxdb'),
      },
      { name: 'file sink, delay p99 before, s', measured: of(before, 'file') },
      { name: 'file sink, delay p99 in the outage, s', measured: of(during, 'file') },
      { name: 'file sink, delay p99 in the 2 minutes after, s', measured: of(after, 'file') },
    ];
  } finally {
    await stopped(collector, ended);
  }
}

async function stopped(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}
