/** What changed before an incident, with what the collector's own configuration and people changed. */
import type { Incident } from '../alerts/incident.js';
import { covers, type MaintenanceWindow } from '../alerts/maintenance.js';
import { type Change, concerns } from './change.js';

/** What is longer ago is no news. */
const lookBackMs = 24 * 3_600_000;

export interface ChangeSources {
  /** Of a gateway. */
  readonly log: (gateway: string) => readonly Change[];
  readonly maintenance: readonly MaintenanceWindow[];
}

/** Newest first, none later than its first flagged row. @param incidents  all that are known */
export function changesBefore(
  { log, maintenance }: ChangeSources,
  incident: Incident,
  incidents: readonly Incident[],
): readonly Change[] {
  const { gateway, firstMs } = incident;
  const all = [
    ...log(gateway).filter(change => concerns(change, incident)),
    ...worksBefore(maintenance, incident),
    ...judgementsBefore(incident, incidents),
  ];
  return all
    .filter(({ atMs }) => atMs <= firstMs && firstMs - atMs <= lookBackMs)
    .sort((a, b) => b.atMs - a.atMs || (a.kind < b.kind ? -1 : 1));
}

/** The end of work that is over, the beginning of work that goes on. */
function worksBefore(windows: readonly MaintenanceWindow[], incident: Incident): Change[] {
  return windows
    .filter(window => covers(window, incident) && Date.parse(window.from) <= incident.firstMs)
    .map(({ name, to, from }) => {
      const isOver = Date.parse(to) <= incident.firstMs;
      return {
        kind: 'maintenance',
        atMs: Date.parse(isOver ? to : from),
        what: isOver ? name : `${name} goes on`,
      };
    });
}

/** What people said of alarms of the device moved what counts as one. */
function judgementsBefore({ id, gateway, device }: Incident, incidents: readonly Incident[]): Change[] {
  return incidents.flatMap(other => {
    const { feedback } = other.handling ?? {};
    const isOwn = other.gateway === gateway && other.device === device && other.id !== id;
    if (!feedback?.moved || !isOwn) return [];
    const what = feedback.verdict === 'real' ? 'a real one' : 'a false alarm';
    return [{ kind: 'threshold' as const, atMs: feedback.atMs, what }];
  });
}
