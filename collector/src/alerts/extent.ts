/** How much of a machine is in trouble at once, where the configuration says what belongs to it. */
import type { Topology } from '../topology/topology.js';
import type { Draft, IncidentRecord } from './board.js';
import type { Incident } from './incident.js';
import { noted } from './incident-change.js';
import { raised, severityOf } from './severity.js';

/** What many share is told; each further one need not be told of the others. */
const mostTold = 8;

/** Of machines of which an incident opens just now. */
export function widen(draft: Draft, topology: Topology | undefined): void {
  if (!topology) return;
  const opened = draft.touched().filter(({ incident }) => machineOf(incident) && draft.isNew(incident.id));
  const paths = new Set(opened.map(({ incident }) => incident.asset!.path));
  if (paths.size === 0) return;
  const all = draft.incidents().filter(one => one.state === 'open' && machineOf(one));
  for (const path of paths) {
    const there = all.filter(({ asset }) => asset?.path === path);
    const devices = new Set(there.map(({ gateway, device }) => `${gateway}/${device}`)).size;
    if (devices < 2) continue;
    const told = topology.devicesOf(path);
    // Open incidents keep the machine that they were told: there may be more of them than it has by now.
    const of = told !== undefined && told >= devices ? told : undefined;
    for (const { id } of there) {
      const record = draft.record(id)!;
      if (devices <= mostTold || draft.isNew(id)) draft.setRecord(widened(record, devices, of));
    }
  }
}

function machineOf({ asset }: Incident): string | undefined {
  return asset?.level === 'machine' && !asset.inferred ? asset.path : undefined;
}

function widened(record: IncidentRecord, devices: number, of: number | undefined): IncidentRecord {
  const { incident } = record;
  if ((incident.extent?.devices ?? 1) >= devices) return record;
  const wide: Incident = { ...incident, extent: { devices, ...(of !== undefined && { of }) } };
  const next = raised(wide, severityOf(wide));
  const rises = next.severity === incident.severity ? '' : `; severity rose to ${next.severity}`;
  const many = of === undefined ? `${devices} devices` : `${devices} of ${of} devices`;
  const text = `${many} of the machine are in trouble${rises}`;
  return { ...record, incident: noted(next, { atMs: incident.lastMs, text }) };
}
