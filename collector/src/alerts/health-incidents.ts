/**
 * Trouble in the pipeline as incidents: open as long as it is found. They come from looks, not from rows. What is back
 * within `reopenWithinMs` is the same incident, and only what stays away for so long is told to be over.
 */
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import { type Finding, type FindingChannel, listed } from '../pipeline/finding.js';
import { pipeline } from '../pipeline/rows.js';
import type { Draft, IncidentRecord } from './board.js';
import type { AlertsConfig } from './config.js';
import type { Incident, IncidentChannel } from './incident.js';
import { noted } from './incident-change.js';
import { incidentIdOf } from './incident-id.js';
import { quieted } from './observe.js';
import { recommendationsFor } from './recommendations.js';
import { worst } from './severity.js';

export interface HealthNews {
  readonly nowMs: number;
  /** All that there is now. */
  readonly findings: readonly Finding[];
  readonly diagnose: (finding: Finding) => Diagnosis;
  /** It is open and not among the findings, and yet nobody knows that it is over. */
  readonly stays: (incident: Incident) => boolean;
  /** How it ended, if more is known than that it did. */
  readonly endOf: (incident: Incident) => string | undefined;
}

/** Another part of the affected has to join or leave before it is told. */
const toldShare = 0.25;
/** That an incident names. */
const mostAffected = 1000;

/** @returns whether anything has changed */
export function observeHealth(
  draft: Draft,
  known: Iterable<IncidentRecord>,
  news: HealthNews,
  config: AlertsConfig,
): boolean {
  const going = new Map<string, IncidentRecord>();
  for (const record of known)
    if (record.incident.detector === 'pipeline' && (record.incident.state === 'open' || record.closing))
      going.set(placeOf(record.incident), record);
  let changed = false;
  for (const finding of news.findings) {
    const place = placeOf({ device: finding.device, source: sourceOf(finding) });
    const record = going.get(place);
    going.delete(place);
    const next = record ? renewed(record.incident, finding, news) : opened(finding, news);
    if (!next || (!record && draft.record(next.id))) continue;
    changed = true;
    if (record) {
      if (record.closing || next.severity !== record.incident.severity) draft.urgent = true;
      draft.setRecord({ ...unclosing(record), incident: next });
      continue;
    }
    draft.urgent = true;
    // No storm holds it: a storm of machines must not hide that the pipeline fails, and many of these are grouped.
    draft.setRecord({ incident: quieted(next, news.nowMs, config), mailed: [], held: false });
  }
  for (const record of going.values()) {
    if (record.closing ? !isSettled(record.incident, news, config) : news.stays(record.incident)) continue;
    changed = true;
    draft.urgent = true;
    if (record.closing) settle(draft, record);
    else draft.setRecord({ ...record, incident: closed(record.incident, news), closing: true });
  }
  return changed;
}

function closed(incident: Incident, { nowMs, endOf }: HealthNews): Incident {
  const text = `Closed: ${endOf(incident) ?? 'it is no longer so'}`;
  return noted({ ...incident, state: 'closed', closedMs: nowMs, lastMs: nowMs }, { atMs: nowMs, text });
}

function isSettled({ closedMs }: Incident, { nowMs }: HealthNews, { reopenWithinMs }: AlertsConfig): boolean {
  return nowMs - (closedMs ?? 0) >= reopenWithinMs;
}

function settle(draft: Draft, record: IncidentRecord): void {
  draft.setRecord(unclosing(record));
  draft.settle(record.incident.id);
}

function unclosing({ closing: _, ...record }: IncidentRecord): IncidentRecord {
  return record;
}

function placeOf({ device, source }: Pick<Incident, 'device' | 'source'>): string {
  return `${device} ${source}`;
}

/** `gateway-silent`, `consumer-slow spark` */
function sourceOf({ kind, subject }: Finding): string {
  return subject === undefined ? kind : `${kind} ${subject}`;
}

function opened(finding: Finding, news: HealthNews): Incident {
  const { device, deviceType, site, severity, title, sinceMs, facts, said, affected } = finding;
  const source = sourceOf(finding);
  const channels = finding.channels.map(channel => channelOf(channel, finding));
  const diagnosis = news.diagnose(finding);
  const blank: Incident = {
    id: incidentIdOf('pipeline', source, device, news.nowMs),
    gateway: pipeline,
    site,
    device,
    deviceType,
    state: 'open',
    severity,
    title,
    firstMs: sinceMs,
    openedMs: news.nowMs,
    lastMs: news.nowMs,
    closedMs: null,
    rows: 0,
    explainedRows: 0,
    peakScore: 1,
    threshold: 1,
    detector: 'pipeline',
    source,
    model: null,
    channels,
    detectors: [{ detector: 'pipeline', source, score: 1, threshold: 1, explainedRows: 0, channels }],
    recommendations: [],
    timeline: [],
    ...(affected.length > 0 && { affected: affected.slice(0, mostAffected) }),
    diagnosis,
  };
  const recommendations = recommendationsFor(blank);
  const [first] = diagnosis.causes;
  const cause = first ? [{ atMs: news.nowMs, text: `Most likely: ${first.cause} (${first.component})` }] : [];
  return {
    ...blank,
    recommendations,
    timeline: [
      {
        atMs: news.nowMs,
        text: ['Opened:', ...facts, ...(said === undefined ? [] : [`Last error: ${said}`])].join(' '),
      },
      ...cause,
    ],
  };
}

/** It may have been closed. Undefined = nothing that anybody has to hear. */
function renewed(
  incident: Incident,
  finding: Finding,
  { nowMs, diagnose }: HealthNews,
): Incident | undefined {
  const severity = worst(incident.severity, finding.severity);
  const before = incident.affected?.length ?? 0;
  const now = Math.min(finding.affected.length, mostAffected);
  const isBack = incident.state === 'closed';
  const isSame =
    !isBack &&
    severity === incident.severity &&
    incident.diagnosis?.causes[0]?.id === finding.causes[0]?.[0] &&
    Math.abs(now - before) <= toldShare * before;
  if (isSame) return undefined;
  const affected = finding.affected.slice(0, mostAffected);
  const next: Incident = {
    ...incident,
    state: 'open',
    closedMs: null,
    severity,
    title: finding.title,
    lastMs: nowMs,
    diagnosis: diagnose(finding),
    ...(affected.length > 0 && { affected }),
  };
  const names = affected.length > 0 ? `: ${listed(affected)}` : '';
  return noted(
    { ...next, recommendations: recommendationsFor(next) },
    { atMs: nowMs, text: `${isBack ? 'Reopened' : 'Now'}: ${finding.title}${names}` },
  );
}

function channelOf({ limit, ...channel }: FindingChannel, { sinceMs, channels }: Finding): IncidentChannel {
  const weight = 1 / channels.length;
  return { ...channel, ...(limit !== undefined && { limit }), weight, rows: 0, firstMs: sinceMs };
}
