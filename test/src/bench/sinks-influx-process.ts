/**
 * A journal full of blocks and the InfluxDB sink that follows it, as a process of its own: `SinkRun` as JSON. It says
 * `ready` once the journal is full, starts when it is told anything, and tells what it took.
 */
import path from 'node:path';
import { Journal } from '@edgeward/collector/journal/journal';
import { InfluxdbSink } from '@edgeward/collector/sinks/influxdb';
import { influxdbConfig } from '@edgeward/collector/sinks/influxdb/config';
import { systemClock } from '@edgeward/shared/clock';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { seededRng } from '@edgeward/shared/rng';
import { decodeBlock, describe, encodeBlock } from '@edgeward/shared/wire';
import { ColumnarSource } from './columnar-source.js';

export interface SinkRun {
  readonly folder: string;
  readonly rows: number;
  readonly blockRows: number;
  /** Rows that are stored before the measurement begins. */
  readonly warmUpRows: number;
  /** Of the sink. */
  readonly options: object;
}

export interface SinkMark {
  readonly rows: number;
  /** User and system, of this process, µs. */
  readonly cpuUs: number;
  readonly atMs: number;
}

const channels = 8;
const epoch = '000000001-00000000000000aa';
/** Less at once than is read of a backlog: the measurement begins between two writes. */
const limits = { maxDeliveries: 60, maxBytes: 8 * 1024 * 1024 };
const never = new AbortController().signal;

const run = JSON.parse(process.argv[2] ?? '') as SinkRun;
const directory = path.join(run.folder, 'journal');
const journal = await Journal.open({
  directory,
  keepsColumns: () => true,
  clock: systemClock,
  log: silentLogger,
});
await fill();
process.send?.('ready');
await new Promise(resolve => process.once('message', resolve));
await follow();
await journal[Symbol.asyncDispose]();
process.disconnect?.();

async function fill(): Promise<void> {
  const options = { intervalMs: 0, blocksPerBeat: 1, devices: 10 };
  const readings = { blockReadings: run.blockRows * channels, readings: run.rows * channels };
  const source = new ColumnarSource({ ...options, ...readings }, systemClock, () => undefined);
  const rng = seededRng(1);
  let seq = 0;
  for await (const batch of source.read(never)) {
    if (batch.time.length === 0) continue;
    seq += 1;
    const bytes = encodeBlock({ epoch, seq, oldestEpoch: epoch, atMs: Date.now() }, scored(batch, rng));
    const block = decodeBlock(bytes, () => describe(batch.schema, 'model-1'));
    await journal.append([
      { gateway: 'bench', outbox: 'outbox', bytes, ...block, ingestedMs: Date.now(), late: false },
    ]);
  }
}

function scored(batch: RecordBatch, rng: () => number): RecordBatch {
  const score = Float32Array.from(batch.time, () => 0.3 + 0.2 * rng());
  const anomaly = Uint8Array.from(batch.time, () => (rng() < 0.01 ? 1 : 0));
  return { ...batch, model: 'model-1', score, anomaly };
}

async function follow(): Promise<void> {
  const sink = new InfluxdbSink(influxdbConfig.parse(run.options), {
    name: 'influxdb',
    collector: 'bench',
    log: silentLogger,
    clock: systemClock,
    refuse: async refusals => {
      throw new Error(`refused: ${refusals[0]?.reason}`);
    },
  });
  let warm = false;
  let rows = 0;
  for (let position = 0; position < journal.position; ) {
    const { deliveries, through } = await journal.read(position, limits);
    await sink.write(deliveries, { journal: journal.id, position: through, received: {} }, never);
    await journal.setCursor('influxdb', through);
    position = through;
    rows += deliveries.reduce((sum, { batch }) => sum + batch.time.length, 0);
    if (warm || rows < run.warmUpRows) continue;
    warm = true;
    process.send?.(mark(rows));
  }
  process.send?.(mark(rows));
  await sink[Symbol.asyncDispose]();
}

function mark(rows: number): SinkMark {
  const { user, system } = process.cpuUsage();
  return { rows, cpuUs: user + system, atMs: performance.now() };
}
