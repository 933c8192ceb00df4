/** The figures of the sinks, each beside its real server on this machine. */
import { Workbench } from '../support/processes.js';
import { type Figure, figuresOrFailure, figuresTable, meets, verdictText } from './figures.js';
import { type Machine, machine } from './machine.js';
import { machineText } from './print.js';
import type { SinksSection } from './sinks-context.js';
import { influxFigures } from './sinks-influx.js';
import { outageFigures } from './sinks-influx-outage.js';
import { kafkaFigures } from './sinks-kafka.js';
import { slowFigures } from './sinks-slow.js';

export interface SinksOptions {
  readonly full: boolean;
  /** Names of sections; without them, all. */
  readonly only: readonly string[] | undefined;
  readonly onProgress: (text: string) => void;
}

export interface SinksResult {
  readonly benchmark: 'sinks';
  readonly machine: Machine;
  readonly loadAfter: number;
  readonly full: boolean;
  readonly figures: readonly (Figure & { readonly met: boolean | undefined })[];
}

export const sinkSections: Readonly<Record<string, SinksSection>> = {
  influxdb: influxFigures,
  'influxdb-outage': outageFigures,
  kafka: kafkaFigures,
  slow: slowFigures,
};

/** @throws TypeError for a section that there is not */
export async function benchSinks({ full, only, onProgress }: SinksOptions): Promise<SinksResult> {
  const names = only ?? Object.keys(sinkSections);
  const unknown = names.find(name => !sinkSections[name]);
  if (unknown !== undefined)
    throw new TypeError(`no section ${unknown}; there are ${Object.keys(sinkSections).join(', ')}`);
  const before = machine();
  const figures: Figure[] = [];
  for (const name of names) {
    onProgress(name);
    await using bench = new Workbench();
    figures.push(...(await figuresOrFailure(name, () => sinkSections[name]!({ bench, full, onProgress }))));
  }
  return {
    benchmark: 'sinks',
    machine: before,
    loadAfter: machine().load,
    full,
    figures: figures.map(one => ({ ...one, met: meets(one) })),
  };
}

export function sinksText({ machine: on, loadAfter, figures, full }: SinksResult): string {
  return [
    machineText(on, loadAfter),
    `${full ? 'Full' : 'Quick'} run`,
    figuresTable(figures),
    verdictText(figures),
  ].join('\n\n');
}
