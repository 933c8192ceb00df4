/** Takes one delivery through the alarm state of its devices, into a draft. */
import type { Delivery } from '@edgeward/shared/contracts';
import { isCalm } from '../noted.js';
import type { Topology } from '../topology/topology.js';
import { type Draft, deviceKey, type IncidentRecord } from './board.js';
import type { AlertsConfig } from './config.js';
import { type AlarmState, type Change, type Flag, idle, type Observed, observe } from './device-alarm.js';
import { ease } from './easing.js';
import { type DeviceSteps, type Step, stepsOf } from './findings.js';
import { inMaintenance, isMuted } from './handling.js';
import type { Incident, Severity } from './incident.js';
import {
  addLateRows,
  addRow,
  closeIncident,
  type Origin,
  openIncident,
  reopenIncident,
  withStorm,
} from './incident-change.js';
import { windowFor } from './maintenance.js';
import { heeded } from './sensitivity.js';
import { rankOf } from './severity.js';
import { hasPlace, withHeld, withOpening } from './storm.js';

export interface ObservedDevice {
  readonly key: string;
  /** Its incident closed with these rows. */
  readonly closed: boolean;
}

/** Whose rows they are, and when the collector got them. */
interface Context extends Origin {
  readonly ingestedMs: number;
}

/** @returns the devices of which there is something to remember */
export function observeDelivery(
  draft: Draft,
  delivery: Delivery,
  site: string | null,
  config: AlertsConfig,
  topology?: Topology,
): ObservedDevice[] {
  const { gateway, ingestedMs } = delivery;
  // The common case: devices in order, and nothing remembered of any.
  if (isCalm(delivery) && !draft.knows(gateway)) return [];
  const { batch } = delivery;
  const observed: ObservedDevice[] = [];
  for (const { device, steps: all } of stepsOf(delivery)) {
    const steps = heeded(all, gateway, device, draft.sensitivity);
    const key = deviceKey(gateway, device);
    const before = draft.state(key);
    if (!before && steps.every(isQuiet)) continue;
    if (delivery.late) {
      countLate(draft, before, steps);
      continue;
    }
    const model = batch.model ?? null;
    const asset = topology?.assetOf(gateway, device, site);
    const whose = { gateway, site, device, deviceType: batch.schema.type, ...(asset && { asset }) };
    const context: Context = { ...whose, model, ingestedMs };
    const after = observeSteps(draft, before ?? idle, { device, steps }, context, config);
    draft.setState(key, after);
    observed.push({ key, closed: after.phase === 'closed' && before?.phase !== 'closed' });
  }
  return observed;
}

function isQuiet(step: Step): boolean {
  return 'quiet' in step || (step.findings.length === 0 && step.quality === undefined);
}

function observeSteps(
  draft: Draft,
  before: AlarmState,
  { steps }: DeviceSteps,
  context: Context,
  config: AlertsConfig,
): AlarmState {
  let state = before;
  for (const step of steps) {
    const observed = observe(state, step, config);
    state = applyChanges(draft, observed, state.incidentId, config, context);
  }
  return state;
}

/**
 * @param incidentId  that of the state before
 * @param context     may be absent for changes that open nothing
 */
export function applyChanges(
  draft: Draft,
  { state, changes }: Observed,
  incidentId: string | null,
  config: AlertsConfig,
  context?: Context,
): AlarmState {
  let id = incidentId;
  for (const change of changes) id = applyChange(draft, change, id, config, context);
  return id === state.incidentId ? state : { ...state, incidentId: id };
}

/** @returns the incident that the device now has */
function applyChange(
  draft: Draft,
  change: Change,
  id: string | null,
  config: AlertsConfig,
  context: Context | undefined,
): string | null {
  const record = draft.record(id);
  const update = (incident: Incident) => record && draft.setRecord({ ...record, incident });
  switch (change.kind) {
    case 'flagged':
      if (record) grow(draft, record, change.flag, config);
      return id;
    case 'closed':
      draft.urgent = true;
      if (record) update(closeIncident(record.incident, change.atMs, change.silent, config));
      return id;
    case 'settled':
      draft.urgent = true;
      if (id !== null) draft.settle(id);
      return null;
    case 'alarm':
      draft.urgent = true;
      if (!change.reopens || !record) return context ? open(draft, change, config, context) : id;
      update(reopenIncident(record.incident, change.flags));
      return id;
  }
}

function grow(draft: Draft, record: IncidentRecord, flag: Flag, config: AlertsConfig): void {
  const { id, severity } = record.incident;
  const mayFall = (to: Severity) => !hasWorsePart(draft, id, to);
  const next = ease(record, addRow(record.incident, flag), flag, config, mayFall);
  if (next.incident.severity !== severity) draft.urgent = true;
  draft.setRecord({ ...record, ...next });
}

/** One mail tells of both, so the whole is no less bad than its parts. */
function hasWorsePart(draft: Draft, id: string, than: Severity): boolean {
  if (draft.record(id)?.incident.parts === undefined) return false;
  const isWorse = (one: Incident) =>
    one.partOf === id && one.state === 'open' && rankOf(one.severity) > rankOf(than);
  return draft.incidents().some(isWorse);
}

function open(
  draft: Draft,
  { flags }: Extract<Change, { kind: 'alarm' }>,
  config: AlertsConfig,
  { ingestedMs, ...origin }: Context,
): string {
  const incident = openIncident(origin, flags, config);
  // The same rows may come once more, after this store was damaged: what is known of their incident stays.
  if (draft.record(incident.id)) return incident.id;
  putOpened(draft, incident, ingestedMs, config);
  return incident.id;
}

/** In maintenance it is quiet from its beginning. */
export function quieted(opened: Incident, atMs: number, config: AlertsConfig): Incident {
  const window = windowFor(config.maintenance, opened, atMs);
  return window ? inMaintenance(opened, window) : opened;
}

/** A new incident; in a storm of them it is held back. What mails nothing now makes no storm. */
export function putOpened(draft: Draft, opened: Incident, atMs: number, config: AlertsConfig): void {
  const incident = quieted(opened, atMs, config);
  if (isMuted(incident, atMs)) {
    draft.setRecord({ incident, mailed: [], held: false });
    return;
  }
  const opening = { atMs, incidentId: incident.id, place: `${incident.gateway}/${incident.device}` };
  draft.setRecord({ incident, mailed: [], held: false });
  if (hasPlace(draft.storm, opening, id => draft.isCritical(id), config)) {
    draft.storm = withOpening(draft.storm, opening, config);
    return;
  }
  draft.setRecord({ incident, mailed: [], held: true });
  draft.storm = withHeld(draft.storm, opening);
  noteStorm(draft, atMs);
}

function noteStorm(draft: Draft, atMs: number): void {
  const { firstId, held, more } = draft.storm;
  const first = draft.record(firstId);
  if (first) draft.setRecord({ ...first, incident: withStorm(first.incident, atMs, held, more) });
}

/** Rows from a backlog raise nothing; they count for the incident in whose time they lie. */
function countLate(draft: Draft, state: AlarmState | undefined, steps: readonly Step[]): void {
  const record = draft.record(state?.incidentId ?? null);
  if (!record) return;
  const { firstMs, lastMs } = record.incident;
  const rows = steps.filter(
    step => !('quiet' in step) && step.findings.length > 0 && step.timeMs >= firstMs && step.timeMs <= lastMs,
  ).length;
  if (rows > 0) draft.setRecord({ ...record, incident: addLateRows(record.incident, rows) });
}
