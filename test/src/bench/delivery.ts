/** The figures of delivery: what was asked for, and what this machine gives now. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Workbench } from '../support/processes.js';
import { agentFigures } from './delivery-agent.js';
import { alwaysFigures } from './delivery-always.js';
import { backlogFigures } from './delivery-backlog.js';
import { beatFigures } from './delivery-beat.js';
import type { Section } from './delivery-context.js';
import { diskFigures } from './delivery-disk.js';
import { drainFigures } from './delivery-drain.js';
import { gatewaysFigures } from './delivery-gateways.js';
import { httpFigures } from './delivery-http.js';
import { lossFigures } from './delivery-losses.js';
import { mqttFigures } from './delivery-mqtt.js';
import { wireFigures } from './delivery-wire.js';
import { type Figure, figuresOrFailure, figuresTable, meets, verdictText } from './figures.js';
import { type Machine, machine } from './machine.js';
import { machineText } from './print.js';
import { spreadOf } from './statistics.js';
import { figure } from './table.js';

export interface DeliveryOptions {
  readonly full: boolean;
  readonly skab: string | undefined;
  /** Names of sections; without them, all. */
  readonly only: readonly string[] | undefined;
  readonly onProgress: (text: string) => void;
}

export interface DeliveryResult {
  readonly benchmark: 'delivery';
  readonly machine: Machine;
  readonly loadAfter: number;
  readonly full: boolean;
  /** What one small synced write took before each section, ms: everything that is durable waits for it. */
  readonly syncMs: { readonly median: number; readonly least: number; readonly most: number };
  readonly figures: readonly (Figure & { readonly met: boolean | undefined })[];
}

export const sections: Readonly<Record<string, Section>> = {
  losses: lossFigures,
  wire: wireFigures,
  disk: diskFigures,
  always: alwaysFigures,
  backlog: backlogFigures,
  http: httpFigures,
  mqtt: mqttFigures,
  drain: drainFigures,
  agent: agentFigures,
  beat: beatFigures,
  gateways: gatewaysFigures,
};

/** @throws TypeError for a section that there is not */
export async function benchDelivery(options: DeliveryOptions): Promise<DeliveryResult> {
  const names = options.only ?? Object.keys(sections);
  const unknown = names.find(name => !sections[name]);
  if (unknown !== undefined)
    throw new TypeError(`no section ${unknown}; there are ${Object.keys(sections).join(', ')}`);
  const before = machine();
  const figures: Figure[] = [];
  const syncs: number[] = [];
  for (const name of names) {
    options.onProgress(name);
    await using bench = new Workbench();
    syncs.push(syncMs(bench.folder));
    figures.push(
      ...(await figuresOrFailure(name, () =>
        sections[name]!({ bench, full: options.full, skab: options.skab }),
      )),
    );
  }
  return {
    benchmark: 'delivery',
    machine: before,
    loadAfter: machine().load,
    full: options.full,
    syncMs: spreadOf(syncs),
    figures: figures.map(one => ({ ...one, met: meets(one) })),
  };
}

/** Median of some. */
function syncMs(folder: string): number {
  const file = openSync(path.join(folder, 'sync'), 'w');
  const took = Array.from({ length: 15 }, () => {
    const fromMs = performance.now();
    writeSync(file, Buffer.alloc(4096, 1));
    fdatasyncSync(file);
    return performance.now() - fromMs;
  });
  closeSync(file);
  return spreadOf(took).median;
}

export function deliveryText({
  machine: on,
  loadAfter,
  figures,
  full,
  syncMs: sync,
}: DeliveryResult): string {
  const [median, least, most] = [sync.median, sync.least, sync.most].map(figure);
  return [
    machineText(on, loadAfter),
    `${full ? 'Full' : 'Quick'} run; one synced write of 4 kB took ${median} ms, ${least} to ${most}`,
    figuresTable(figures),
    verdictText(figures),
  ].join('\n\n');
}
