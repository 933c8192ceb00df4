/**
 * A device that has drifted from what its model was trained on: an incident of its own, by what its gateway reports.
 * Open as long as the gateway says so, or says nothing for less than a week, and the same revision of the model is in use.
 */
import { type DeviceDrift, type DriftingChannel, maxReportedDrifts } from '@edgeward/shared/contracts';
import { adviceFor } from './advice.js';
import type { Draft, IncidentRecord } from './board.js';
import type { AlertsConfig } from './config.js';
import type { Incident, IncidentChannel } from './incident.js';
import { noted } from './incident-change.js';
import { incidentIdOf } from './incident-id.js';
import { putOpened } from './observe.js';
import { titleOf } from './title.js';

/** What it takes of a gateway's report. */
export interface DriftReport {
  readonly gateway: string;
  readonly atMs: number;
  readonly models: Readonly<Record<string, string>>;
  /** Absent: it does not look for drift, or cannot say. */
  readonly drifts?: readonly DeviceDrift[] | undefined;
  /** No gateway said this: it has said nothing for a week. */
  readonly isGone?: boolean;
}

/** Share from which on an agent tells a drift. */
const farShare = 0.5;
const goneText = 'Closed: its gateway has not reported for a week';

/** @returns whether anything has changed */
export function observeDrifts(
  draft: Draft,
  known: Iterable<IncidentRecord>,
  report: DriftReport,
  site: string | null,
  config: AlertsConfig,
): boolean {
  const open = [...known].filter(({ incident }) => isOpenDrift(incident, report.gateway));
  const drifts = (report.drifts ?? []).filter(({ type, revision }) => report.models[type] === revision);
  let changed = false;
  for (const drift of drifts) {
    const record = open.find(({ incident }) => isOf(incident, drift));
    if (!record) {
      changed = openNew(draft, drift, report, site, config) || changed;
      continue;
    }
    const next = renewed(record.incident, drift, report);
    if (!next) continue;
    changed = true;
    draft.setRecord({ ...record, incident: next });
  }
  for (const record of open) {
    const text = endOf(record.incident, drifts, report);
    if (text === undefined) continue;
    changed = true;
    draft.urgent = true;
    const closed: Incident = { ...record.incident, state: 'closed', closedMs: report.atMs };
    draft.setRecord({ ...record, incident: noted(closed, { atMs: report.atMs, text }) });
    draft.settle(closed.id);
  }
  return changed;
}

/** Also where only its gateway was away: whoever was told that it is over is told anew. @returns whether it opened */
function openNew(
  draft: Draft,
  drift: DeviceDrift,
  report: DriftReport,
  site: string | null,
  config: AlertsConfig,
): boolean {
  const first = opened(drift, report, site);
  let { id } = first;
  let known = draft.record(id)?.incident;
  while (known && wasGone(known)) {
    id = incidentIdOf('drift', id, known.closedMs ?? 0);
    known = draft.record(id)?.incident;
  }
  if (known) return false;
  draft.urgent = true;
  const again = { atMs: report.atMs, text: `Opened again, its gateway is back: ${saidOf(drift)}` };
  const fresh = id === first.id ? first : { ...first, id, timeline: [again] };
  putOpened(draft, fresh, report.atMs, config);
  return true;
}

function wasGone({ state, timeline }: Incident): boolean {
  return state === 'closed' && timeline.findLast(({ text }) => text.startsWith('Closed'))?.text === goneText;
}

function isOpenDrift({ detector, state, gateway }: Incident, of: string): boolean {
  return detector === 'drift' && state === 'open' && gateway === of;
}

function isOf({ device, deviceType, model }: Incident, drift: DeviceDrift): boolean {
  return device === drift.device && deviceType === drift.type && model === drift.revision;
}

/** Undefined = it goes on. */
function endOf(incident: Incident, drifts: readonly DeviceDrift[], report: DriftReport): string | undefined {
  if (report.isGone) return goneText;
  const inUse = report.models[incident.deviceType];
  if (inUse !== incident.model)
    return `Closed: model ${incident.model} is no longer in use, ${inUse ?? 'none'} is`;
  // A full list leaves some out.
  const isWhole = report.drifts && report.drifts.length < maxReportedDrifts;
  if (!isWhole || drifts.some(drift => isOf(incident, drift))) return undefined;
  return 'Closed: the device is as it was in training again, or has sent no rows for a week';
}

function opened(drift: DeviceDrift, { gateway, atMs }: DriftReport, site: string | null): Incident {
  const firstMs = Math.min(...drift.channels.map(({ sinceMs }) => sinceMs));
  const blank: Incident = {
    id: incidentIdOf('drift', gateway, drift.device, drift.revision, firstMs),
    gateway,
    site,
    device: drift.device,
    deviceType: drift.type,
    state: 'open',
    severity: 'warning',
    title: '',
    firstMs,
    openedMs: atMs,
    lastMs: atMs,
    closedMs: null,
    rows: 0,
    explainedRows: 0,
    peakScore: 0,
    threshold: farShare,
    detector: 'drift',
    source: drift.revision,
    model: drift.revision,
    channels: [],
    detectors: [],
    recommendations: [],
    timeline: [],
  };
  return { ...withChannels(blank, drift), timeline: [{ atMs, text: `Opened: ${saidOf(drift)}` }] };
}

/** Undefined = nothing new. */
function renewed(incident: Incident, drift: DeviceDrift, { atMs }: DriftReport): Incident | undefined {
  const next = withChannels(incident, drift);
  if (JSON.stringify(next.channels) === JSON.stringify(incident.channels)) return undefined;
  const grown: Incident = { ...next, lastMs: atMs };
  return next.title === incident.title ? grown : noted(grown, { atMs, text: `Now: ${saidOf(drift)}` });
}

function withChannels(incident: Incident, drift: DeviceDrift): Incident {
  const sum = drift.channels.reduce((total, { share }) => total + share, 0);
  const channels = drift.channels
    .map(channel => incidentChannel(channel, sum))
    .sort((a, b) => b.weight - a.weight);
  const peakScore = Math.max(incident.peakScore, ...drift.channels.map(({ share }) => share));
  const { detector, source, threshold, explainedRows } = incident;
  const detectors = [{ detector, source, score: peakScore, threshold, explainedRows, channels }];
  const next = { ...incident, channels, detectors, peakScore };
  return { ...next, title: titleOf(next), recommendations: adviceFor(next) };
}

function incidentChannel(channel: DriftingChannel, sum: number): IncidentChannel {
  const { share, expected, median, sinceMs } = channel;
  return {
    field: nameOf(channel),
    unit: null,
    value: median,
    expected,
    direction: directionOf(median, expected),
    weight: sum > 0 ? share / sum : 0,
    rows: 0,
    firstMs: sinceMs,
  };
}

/** The middle may lie within although a part lies outside. */
function directionOf(
  median: number | null,
  [low, high]: readonly [number, number],
): IncidentChannel['direction'] {
  if (median === null) return 'unusual';
  if (median > high) return 'high';
  return median < low ? 'low' : 'unusual';
}

function saidOf({ channels }: DeviceDrift): string {
  return channels
    .map(channel => {
      const [low, high] = channel.expected.map(bound => Number(bound.toPrecision(4)));
      return `${Math.round(100 * channel.share)} % of ${nameOf(channel)} outside of its usual ${low} to ${high}`;
    })
    .join('; ')
    .slice(0, 500);
}

function nameOf({ field }: DriftingChannel): string {
  return field ?? 'score';
}
