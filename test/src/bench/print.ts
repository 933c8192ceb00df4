import type { ChainResult } from './chain.js';
import type { Machine } from './machine.js';
import type { Spread } from './statistics.js';
import { figure, ratio, table } from './table.js';

type Summaries = Readonly<Record<string, Readonly<Record<string, Spread>>>>;

/** Medians, the first variant's as they are and the others' with their ratio to it. */
export function chainText(result: ChainResult): string {
  const { rows, fields } = result.input;
  return [
    machineText(result.machine, result.loadAfter),
    `${rows} rows of ${fields} values, ${result.rounds} rounds, medians; × = compared with the first line`,
    summaryTable(result.chain, {
      agentCpuUs: 'agent µs/reading',
      collectorCpuUs: 'collector µs/reading',
      wireBytes: 'bytes/reading',
      rowsPerS: 'rows/s',
      agentPeakRssMb: 'agent peak MB',
      collectorPeakRssMb: 'collector peak MB',
    }),
    'An agent in the demo’s set-up, reading 12 rows a second',
    summaryTable(result.idle, {
      rssMb: 'RSS MB',
      peakRssMb: 'peak MB',
      privateMb: 'private MB',
      cpuPercent: 'CPU %',
    }),
    ...result.notes,
  ].join('\n\n');
}

export function machineText(machine: Machine, loadAfter: number): string {
  const { date, revision, node, system, cpu, cores, memoryBytes, load } = machine;
  const memory = `${figure(memoryBytes / 1e9)} GB`;
  return [
    `${date}  revision ${revision}  Node ${node}`,
    `${system}, ${cpu}, ${cores} cores, ${memory}; load ${load.toFixed(2)} before, ${loadAfter.toFixed(2)} after`,
  ].join('\n');
}

/** @param columns  figure → heading */
export function summaryTable(summaries: Summaries, columns: Readonly<Record<string, string>>): string {
  const [first] = Object.values(summaries);
  const cell = (spreads: Readonly<Record<string, Spread>>, name: string) => {
    const value = spreads[name]?.median;
    return spreads === first ? figure(value) : `${figure(value)} ${ratio(value, first?.[name]?.median)}`;
  };
  return table([
    ['', ...Object.values(columns)],
    ...Object.entries(summaries).map(([variant, spreads]) => [
      variant,
      ...Object.keys(columns).map(name => cell(spreads, name)),
    ]),
  ]);
}
