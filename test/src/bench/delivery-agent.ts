/** What the agent's own work costs, from columns that are ready to the collector's receipt. */
import path from 'node:path';
import { root } from '../support/root.js';
import { CollectorProbe, freePorts } from './collector-probe.js';
import { between, ColumnarProcess, columnarConfig } from './columnar-process.js';
import { type DeliveryContext, sleep } from './delivery-context.js';
import type { Figure, Goal } from './figures.js';
import { MeasuredProcess } from './measured-process.js';
import { plainForest } from './plain-forest.js';

interface Variant {
  readonly name: string;
  readonly models: readonly string[];
  readonly goal?: Goal;
}

const readingsPerS = 480_000;
/** Compiled by then: after 5 s the threads that compile and collect still took 21 % of the CPU time, after 25 s 8 %. */
const warmUpS = 20;

export async function agentFigures(context: DeliveryContext): Promise<Figure[]> {
  const { bench } = context;
  const variants: Variant[] = [
    { name: 'without scoring', models: [], goal: { atMost: 0.2 } },
    { name: 'plain forest', models: [await plainForest(bench)], goal: { atMost: 0.6 } },
    { name: 'the model we ship', models: [path.join(root, 'models', 'bundles', 'cold-room')] },
  ];
  const ports = await freePorts();
  const config = { dataDir: './collector-cpu', broker: { port: ports.broker }, api: { port: ports.api } };
  await using _collector = new MeasuredProcess({
    args: ['collector', '-c', bench.config('collector-cpu', config)],
  });
  await new CollectorProbe(ports).ready();
  const figures: Figure[] = [];
  for (const [i, variant] of variants.entries()) {
    const file = columnarConfig(bench, `cpu-${i}`, { models: variant.models }, ports.broker);
    figures.push({
      name: `agent CPU a reading, columns of 8 channels, ${variant.name}: µs`,
      goal: variant.goal,
      measured: await cpuUs(file, context.full),
      note: `${readingsPerS.toLocaleString('en')} readings a second in blocks of 4,800, received by a collector; after ${warmUpS} s of warm-up`,
    });
  }
  return figures;
}

async function cpuUs(file: string, full: boolean): Promise<number> {
  const run = { blockReadings: 4800, intervalMs: 50, blocksPerBeat: 5, devices: 10 };
  const measuredS = full ? 60 : 10;
  const warmUpReadings = readingsPerS * warmUpS;
  const readings = warmUpReadings + readingsPerS * measuredS;
  await using agent = new ColumnarProcess(file, { ...run, readings, warmUpReadings });
  await sleep(warmUpS + measuredS); // every answer to a question would be counted too
  const { warm, now } = await agent.until(marks => marks.now.readings >= readings);
  return between(warm, now).cpuUsPerReading;
}
