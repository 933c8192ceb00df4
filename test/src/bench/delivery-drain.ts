/** What it costs to bring a backlog home: both processes together, from the agent's disk to the collector's. */
import { CollectorProbe, freePorts } from './collector-probe.js';
import { ColumnarProcess, columnarConfig } from './columnar-process.js';
import type { DeliveryContext } from './delivery-context.js';
import type { Figure } from './figures.js';
import { MeasuredProcess } from './measured-process.js';

const fields = 8;
/** Of the backlog, before measuring begins: started and compiled by then. */
const warmShare = 0.1;
const lookMs = 50;
const longestMs = 600_000;

export async function drainFigures(
  { bench, full }: DeliveryContext,
  nodeFlags: readonly string[] = [],
): Promise<Figure[]> {
  const readings = (full ? 96 : 24) * 1e6;
  const ports = await freePorts();
  const agentFile = columnarConfig(bench, 'drain', { outbox: { maxBytes: 4e9 } }, ports.broker);
  await fill(agentFile, readings);
  const config = {
    dataDir: './collector-drain',
    broker: { port: ports.broker },
    api: { port: ports.api },
    log: { level: 'error' },
  };
  const args = ['collector', '-c', bench.config('collector-drain', config)];
  await using collector = new MeasuredProcess({ args, nodeFlags });
  const probe = new CollectorProbe(ports);
  await probe.ready();
  await using agent = new ColumnarProcess(agentFile, { ...run, readings: 0, warmUpReadings: 0 }, nodeFlags);
  const look = async () => ({
    rows: (await probe.progress()).rows,
    cpuS: (agent.usage?.cpuS ?? Number.NaN) + (collector.usage?.cpuS ?? Number.NaN),
    agentS: agent.usage?.cpuS ?? Number.NaN,
    atMs: performance.now(),
  });
  const until = async (rows: number) => {
    for (const endMs = performance.now() + longestMs; ; ) {
      const seen = await look();
      if (seen.rows >= rows) return seen;
      if (performance.now() > endMs) throw new Error(`stuck at ${seen.rows} of ${rows} rows`);
      await new Promise(resolve => setTimeout(resolve, lookMs));
    }
  };
  const rows = readings / fields;
  const first = await until(rows * warmShare);
  const last = await until(rows);
  await agent.stop();
  await collector.stop();
  const millions = ((last.rows - first.rows) * fields) / 1e6;
  const readingsPerS = (millions * 1e9) / (last.atMs - first.atMs);
  const agentShare = ((last.agentS - first.agentS) / (last.cpuS - first.cpuS)) * 100;
  return [
    {
      name: 'backlog drain, agent and collector together: CPU-s a million',
      goal: { atMost: 0.3 },
      measured: (last.cpuS - first.cpuS) / millions,
      note: `${millions.toFixed(0)} million readings in blocks of 4,800, ${(readingsPerS / 1e6).toFixed(2)} million a second; ${agentShare.toFixed(0)} % of it the agent’s; live page and incidents at work, no sinks`,
    },
  ];
}

const run = { blockReadings: 4800, intervalMs: 0, blocksPerBeat: 1, devices: 10 };

/** Leaves a folder with so much in the outbox. The collector's port has no listener yet. */
async function fill(agentFile: string, readings: number): Promise<void> {
  await using agent = new ColumnarProcess(agentFile, { ...run, readings, warmUpReadings: 0 });
  await agent.until(({ now }) => now.readings >= readings);
  await agent.stop();
}
