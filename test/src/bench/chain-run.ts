import type { Workbench } from '../support/processes.js';
import { CollectorProbe, freePorts, type Ports, type Progress } from './collector-probe.js';
import { MeasuredProcess } from './measured-process.js';
import type { Usage } from './process-usage.js';

export interface ChainInput {
  /** CSV with the columns timestamp and device, and `fields` numbers. */
  readonly path: string;
  readonly deviceType: string;
  readonly rows: number;
  readonly fields: number;
}

export interface ChainVariant {
  readonly name: string;
  /** Folder of the bundle that scores; undefined = no model. */
  readonly model?: string | undefined;
  readonly fileSink: boolean;
}

/** Per reading: one value of one row. Undefined where there is no /proc. */
export type ChainFigures = {
  readonly agentCpuUs: number | undefined;
  readonly collectorCpuUs: number | undefined;
  readonly wireBytes: number;
  readonly rowsPerS: number;
  readonly agentPeakRssMb: number | undefined;
  readonly collectorPeakRssMb: number | undefined;
};

interface Sample extends Progress {
  readonly atMs: number;
  readonly agent: Usage | undefined;
  readonly collector: Usage | undefined;
}

/** Starting and compiling are over by then; only what comes later is measured. */
const warmShare = 0.25;
const sampleMs = 100;
const longestMs = 120_000;

/** Sends the input through a new agent and a new collector. @throws Error if rows are lost or it takes too long */
export async function runChain(
  bench: Workbench,
  variant: ChainVariant,
  input: ChainInput,
  run: string,
): Promise<ChainFigures> {
  const ports = await freePorts();
  const probe = new CollectorProbe(ports);
  await using collector = new MeasuredProcess({
    args: ['collector', '-c', bench.config(`collector-${run}`, collectorConfig(variant, ports, run))],
  });
  await probe.ready();
  await using agent = new MeasuredProcess({
    args: ['agent', '-c', bench.config(`agent-${run}`, agentConfig(variant, input, ports, run))],
  });
  const sample = async (): Promise<Sample> => ({
    ...(await probe.progress()),
    atMs: performance.now(),
    agent: agent.usage,
    collector: collector.usage,
  });
  const first = await reached(sample, at => at.rows >= input.rows * warmShare && at.rows < input.rows);
  const last = await reached(sample, at => at.rows >= input.rows && at.lag === 0);
  await agent.stop();
  if (!(await probe.balanced())) throw new Error('the ledger does not balance');
  await collector.stop();
  return figuresOf(first, last, input);
}

async function reached(sample: () => Promise<Sample>, enough: (at: Sample) => boolean): Promise<Sample> {
  const deadline = performance.now() + longestMs;
  for (;;) {
    const at = await sample();
    if (enough(at)) return at;
    if (performance.now() > deadline) throw new Error(`stuck at ${at.rows} rows, lag ${at.lag}`);
    await new Promise(resolve => setTimeout(resolve, sampleMs));
  }
}

function figuresOf(first: Sample, last: Sample, { fields }: ChainInput): ChainFigures {
  const rows = last.rows - first.rows;
  const cpuUs = (from: Usage | undefined, to: Usage | undefined) =>
    from && to && ((to.cpuS - from.cpuS) * 1e6) / (rows * fields);
  return {
    agentCpuUs: cpuUs(first.agent, last.agent),
    collectorCpuUs: cpuUs(first.collector, last.collector),
    wireBytes: (last.bytes - first.bytes) / (rows * fields),
    rowsPerS: (rows / (last.atMs - first.atMs)) * 1000,
    agentPeakRssMb: last.agent && last.agent.peakRssBytes / 1e6,
    collectorPeakRssMb: last.collector && last.collector.peakRssBytes / 1e6,
  };
}

function collectorConfig({ fileSink }: ChainVariant, ports: Ports, run: string) {
  return {
    dataDir: `./data-collector-${run}`,
    broker: { port: ports.broker },
    api: { port: ports.api },
    sinks: fileSink ? [{ type: 'file', directory: `./readings-${run}` }] : [],
    log: { level: 'warn' },
  };
}

function agentConfig({ model }: ChainVariant, input: ChainInput, ports: Ports, run: string) {
  const { path, deviceType } = input;
  return {
    gateway: 'bench',
    dataDir: `./data-agent-${run}`,
    uplink: { url: `mqtt://127.0.0.1:${ports.broker}` },
    models: model ? [model] : [],
    log: { level: 'warn' },
    sources: [{ type: 'replay', path, device: 'bench-1', deviceColumn: 'device', deviceType, speed: 'max' }],
  };
}
