import { agentConfig, cast, collectorConfig } from '@edgeward/simulators/demo/cast';
import { smallProcess } from '@edgeward/simulators/demo/small-process';
import type { Workbench } from '../support/processes.js';
import { CollectorProbe, freePorts } from './collector-probe.js';
import { MeasuredProcess, type StartOptions } from './measured-process.js';

export type IdleFigures = {
  readonly rssMb: number | undefined;
  readonly peakRssMb: number | undefined;
  readonly privateMb: number | undefined;
  readonly cpuPercent: number | undefined;
};

/** How the demo starts its agents, and how a user would. */
export const idleVariants: Readonly<Record<string, Omit<StartOptions, 'args'>>> = {
  'with the demo’s flags': smallProcess,
  'without flags': {},
};

/**
 * Agents in the demo's set-up, one a variant, side by side for so long: memory at the end, CPU in the second half.
 */
export async function runIdle(
  bench: Workbench,
  seconds: number,
  run: string,
): Promise<Record<string, IdleFigures>> {
  const ports = await freePorts();
  const stage = { directory: bench.folder, seed: 1, apiPort: ports.api, brokerPort: ports.broker };
  const config = bench.config(`idle-collector-${run}`, JSON.parse(collectorConfig(stage)) as object);
  await using _collector = new MeasuredProcess({ args: ['collector', '-c', config] });
  await new CollectorProbe(ports).ready();
  const agents = Object.entries(idleVariants).map(([name, options], i) => {
    const who = { ...cast[0]!, id: `idle-${run}-${i}` };
    const file = bench.config(who.id, JSON.parse(agentConfig(who, stage, ports.broker)) as object);
    return { name, agent: new MeasuredProcess({ ...options, args: ['agent', '-c', file] }) };
  });
  try {
    await sleep(seconds / 2);
    const halfway = agents.map(({ agent }) => agent.usage?.cpuS);
    await sleep(seconds / 2);
    return Object.fromEntries(
      agents.map(({ name, agent }, i) => [name, figuresOf(agent, halfway[i], seconds / 2)]),
    );
  } finally {
    await Promise.all(agents.map(({ agent }) => agent[Symbol.asyncDispose]()));
  }
}

function figuresOf(agent: MeasuredProcess, cpuS: number | undefined, seconds: number): IdleFigures {
  const { usage } = agent;
  return {
    rssMb: usage && usage.rssBytes / 1e6,
    peakRssMb: usage && usage.peakRssBytes / 1e6,
    privateMb: usage && usage.privateBytes / 1e6,
    cpuPercent: usage && cpuS !== undefined ? ((usage.cpuS - cpuS) / seconds) * 100 : undefined,
  };
}

function sleep(seconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, seconds * 1000));
}
