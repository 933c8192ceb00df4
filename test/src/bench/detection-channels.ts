/** What judging rows of eight channels costs: features, views, forest, alarms and reasons, by batches of several sizes. */
import type { Bundle } from '@edgeward/models/bundle';
import type { ChannelCard } from '@edgeward/models/card';
import { loadDetector } from '@edgeward/models/engines';
import { sliceBatch } from '@edgeward/models/slice-batch';
import { trainChannelBundle } from '@edgeward/models/stream/channel-bundle';
import { ChannelRun } from '@edgeward/models/stream/channel-run';
import type { Detector, RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import type { Figure } from './figures.js';
import { spreadOf } from './statistics.js';

const channels = 8;
const [trainingRows, judgedRows] = [4000, 4096];
/** CPU µs a value. */
const goals = { goal: { atMost: 3 }, aim: { atMost: 1.5 } };

/** As shipped means `auto`. */
const measured = [
  ['typescript', 'compiled forest', [1, 16, 256], goals],
  ['auto', 'as shipped', [1, 4, 16], goals],
  ['onnx', 'onnxruntime alone', [1, 16, 256], {}],
] as const;
const rounds = 7;
/** CPU time is counted in steps; so much of it makes one measurement, µs. */
const measuredUs = 300_000;

export async function channelFigures(): Promise<Figure[]> {
  const bundle = trainChannelBundle(
    { batch: machineRows(1, trainingRows), skippedRows: 0 },
    {
      name: 'machine',
      seed: 1,
      trees: 100,
      samples: 256,
      alarmsADay: 0.1,
      holdRows: 1,
      source: 'made up for measuring',
    },
  );
  const rows = machineRows(2, judgedRows);
  const figures: Figure[] = [];
  for (const [engine, name, sizes, wanted] of measured) {
    for (const size of sizes) {
      const open = () => loadDetector(bundle, { engine, log: silentLogger });
      const us = await usARow(bundle, open, batchesOf(rows, size));
      figures.push({
        name: `${name}, ${size} rows a batch: CPU µs a value`,
        ...wanted,
        measured: us / channels,
      });
    }
  }
  return figures;
}

/** Median of rounds, each of a new detector, after one that only warms up. */
async function usARow(
  bundle: Bundle<ChannelCard>,
  open: () => Promise<Detector>,
  batches: readonly RecordBatch[],
): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const detector = await open();
    const us = await usARowOf(new ChannelRun({ model: bundle.card.channels, detector }), batches);
    if (round > 0) times.push(us);
    await detector[Symbol.asyncDispose]();
  }
  return spreadOf(times).median;
}

async function usARowOf(run: ChannelRun, batches: readonly RecordBatch[]): Promise<number> {
  const begun = process.cpuUsage();
  let [rows, laterMs] = [0, 0];
  while (usSince(begun) < measuredUs) {
    // A look at the clock costs as much as a row.
    for (const batch of batches) {
      // Time goes on when the rows begin anew.
      await run.judge({ ...batch, time: batch.time.map(timeMs => timeMs + laterMs) });
      rows += batch.time.length;
    }
    laterMs += judgedRows * 1000;
  }
  return usSince(begun) / rows;
}

function usSince(begun: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}

function batchesOf(rows: RecordBatch, size: number): RecordBatch[] {
  return Array.from({ length: rows.time.length / size }, (_, b) =>
    sliceBatch(rows, b * size, (b + 1) * size),
  );
}

/** At 1 Hz: six channels follow a load, two wander as temperatures do. */
function machineRows(seed: number, n: number): RecordBatch {
  const random = gaussian(seededRng(seed));
  const values = Array.from({ length: channels }, () => new Float64Array(n));
  const wander = new Float64Array(channels);
  for (let r = 0; r < n; r++) {
    const load = Math.sin(r / 40) + 0.2 * random();
    for (const [c, column] of values.entries()) {
      wander[c]! += c < 6 ? 0 : 0.05 * random();
      column[r] = 10 * (c + 1) + (c < 6 ? ((c % 3) + 1) * load : wander[c]!) + 0.3 * random();
    }
  }
  return {
    schema: {
      type: 'machine',
      fields: values.map((_, c) => ({ name: `channel-${c + 1}`, kind: 'float' })),
      devices: ['machine-1'],
    },
    time: Float64Array.from({ length: n }, (_, r) => Date.UTC(2026, 0, 5) + 1000 * r),
    device: new Uint16Array(n),
    row: Float64Array.from({ length: n }, (_, r) => r + 1),
    values,
    quality: new Uint16Array(n),
  };
}
