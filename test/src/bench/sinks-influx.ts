/** What the InfluxDB sink stores a second, from the journal to the server's answer, and what that costs both sides. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { countRows, type Influx, newBucket } from '../support/influx.js';
import { startInflux } from '../support/services.js';
import type { Figure } from './figures.js';
import { usageOf } from './process-usage.js';
import type { SinksContext } from './sinks-context.js';
import type { SinkMark, SinkRun } from './sinks-influx-process.js';
import { spreadOf } from './statistics.js';

const script = fileURLToPath(new URL('./sinks-influx-process.js', import.meta.url));
const blockRows = 500;
const variants = { gzip: { gzip: true }, plain: { gzip: false } } as const;
type Variant = keyof typeof variants;

interface Stored {
  readonly rowsPerS: number;
  /** CPU-s a million rows. */
  readonly own: number;
  readonly influxd: number | undefined;
}

export async function influxFigures({ bench, full }: SinksContext): Promise<Figure[]> {
  const [rows, rounds] = full ? [1_000_000, 5] : [300_000, 3];
  const influx = await startInflux();
  await using _ = influx.service;
  const pid = await pidOf(influx);
  const runs: Record<Variant, Stored[]> = { gzip: [], plain: [] };
  for (let round = 0; round < rounds; round++)
    for (const variant of Object.keys(variants) as Variant[]) {
      const bucket = await newBucket(influx, `${variant}-${round}`);
      const { url, org } = influx;
      const options = { url, org, bucket, token: { env: 'BENCH_INFLUX_TOKEN' }, ...variants[variant] };
      const folder = path.join(bench.folder, bucket);
      const run = { folder, rows, blockRows, warmUpRows: rows / 5, options };
      runs[variant].push(await stored(run, influx.token, pid));
      const found = await countRows(influx, bucket);
      if (found !== rows) throw new Error(`${found} of ${rows} rows are in the bucket`);
    }
  const middle = (variant: Variant, of: (run: Stored) => number | undefined) => {
    const values = runs[variant].map(of).filter(value => value !== undefined);
    return values.length ? spreadOf(values).median : undefined;
  };
  const note = `${rows.toLocaleString('en')} rows of 8 channels and a score in blocks of ${blockRows}, ${rounds} rounds, medians; from a journal on disk to influxd 2.7 on the same cores, all rows counted in the bucket afterwards; by itself, without broker and incidents`;
  return [
    {
      name: 'InfluxDB, rows of 8 channels a second',
      goal: { atLeast: 30_000 },
      measured: middle('gzip', run => run.rowsPerS),
      note,
    },
    { name: 'the same without gzip', measured: middle('plain', run => run.rowsPerS) },
    { name: 'InfluxDB sink, CPU-s a million rows', measured: middle('gzip', run => run.own) },
    { name: 'the same without gzip', measured: middle('plain', run => run.own) },
    { name: 'influxd beside it, CPU-s a million rows', measured: middle('gzip', run => run.influxd) },
  ];
}

async function stored(run: SinkRun, token: string, pid: number): Promise<Stored> {
  const child = fork(script, [JSON.stringify(run)], {
    env: { ...process.env, BENCH_INFLUX_TOKEN: token },
    execArgv: [],
  });
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the sink's process ended with ${code}`);
  });
  const next = async () => (await Promise.race([once(child, 'message'), exited]))[0] as unknown;
  try {
    await next();
    child.send('go');
    const from = (await next()) as SinkMark;
    const before = usageOf(pid)?.cpuS;
    const through = (await next()) as SinkMark;
    const after = usageOf(pid)?.cpuS;
    const millions = (through.rows - from.rows) / 1e6;
    return {
      rowsPerS: (millions * 1e9) / (through.atMs - from.atMs),
      own: (through.cpuUs - from.cpuUs) / 1e6 / millions,
      influxd: before === undefined || after === undefined ? undefined : (after - before) / millions,
    };
  } finally {
    child.kill('SIGKILL');
    await exited.catch(() => undefined);
  }
}

export async function pidOf({ service }: Influx): Promise<number> {
  return Number(/^pid=(\d+)$/m.exec(await service.run('status'))?.[1]);
}
