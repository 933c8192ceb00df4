/**
 * What is told of an incident over HTTP: the body of a webhook, and what messages for people are made of. Documented in
 * deploy/notifiers.md. Fields may be added within a version; what they mean does not change.
 */
import { createHash } from 'node:crypto';
import type { Incident, IncidentChannel, Severity } from '../../alerts/incident.js';
import { type MailFacts, mailFacts } from '../facts.js';
import { clean, unitSign } from '../format.js';
import { headlineOf, isUpdate, type MailKind, type MailRequest } from '../mail.js';

/** `updated`: another cause is likely now than was told. */
export const eventKinds = ['opened', 'critical', 'updated', 'closed'] as const;
export type EventKind = (typeof eventKinds)[number];

export interface EventChannel {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  readonly direction: IncidentChannel['direction'];
  /** With its unit, as people write it. */
  readonly shown: string;
  /** The range or limit that it is held against. */
  readonly usual: string;
  /** Part of the alarm that it explains, 0 to 1. */
  readonly share: number;
}

export interface EventCause {
  readonly id: string;
  readonly cause: string;
  readonly component: string;
  /** 0 to 1. */
  readonly probability: number;
  /** Ids of `evidence`. */
  readonly evidence: readonly string[];
  readonly against: readonly string[];
}

export interface IncidentEvent {
  readonly type: `incident.${EventKind}`;
  readonly version: 1;
  /** Of the delivery: the same each time that it is tried. */
  readonly id: string;
  /** When it was queued, ISO 8601. */
  readonly timestamp: string;
  /** Sent by hand to try the way: there is no such incident. */
  readonly test: boolean;
  readonly collector: string;
  readonly data: {
    readonly event: EventKind;
    readonly incident: string;
    readonly severity: Severity;
    readonly state: Incident['state'];
    /** To triage on. */
    readonly title: string;
    /** One sentence. */
    readonly summary: string;
    /** What a chat shows: summary, cause, actions, as plain text of several lines. */
    readonly text: string;
    readonly site: string | null;
    readonly gateway: string;
    readonly device: string;
    readonly deviceType: string;
    /** Line or machine, where that is known, with its site; else site and gateway. */
    readonly place: string;
    /** Of the asset in the plant. */
    readonly criticality: 'low' | 'normal' | 'high';
    /** First flagged row; null where its device gave a time that no calendar has. */
    readonly since: string | null;
    readonly openedAt: string | null;
    readonly lastAt: string | null;
    readonly closedAt: string | null;
    readonly durationMs: number;
    readonly detector: string;
    readonly source: string;
    readonly affected: readonly { readonly label: string; readonly value: string }[];
    readonly channels: readonly EventChannel[];
    readonly happened: readonly string[];
    /** `none`: nobody looked for causes. */
    readonly verdict: 'likely' | 'possible' | 'unknown' | 'none';
    readonly verdictText: string;
    readonly causes: readonly EventCause[];
    /** With a link where it tells of an earlier incident. */
    readonly evidence: readonly {
      readonly id: string;
      readonly text: string;
      readonly link: string | null;
    }[];
    readonly actions: readonly string[];
    /** By a language model; never in a first event. */
    readonly wording: { readonly text: string; readonly model: string } | null;
    /** Of the incident on the page; null without mail.linkBase. */
    readonly link: string | null;
  };
}

export interface EventOptions {
  /** Name of the collector. */
  readonly collector: string;
  readonly linkBase?: string | undefined;
  readonly nowMs: number;
  readonly test?: boolean;
}

const mostEvidence = 30;

export function eventOf(request: MailRequest, options: EventOptions): IncidentEvent {
  const { kind, incident } = request;
  const event = eventKindOf(kind);
  const { collector, linkBase, nowMs, test = false } = options;
  const facts = mailFacts(request, linkBase);
  const { firstMs, openedMs, lastMs, closedMs } = incident;
  const headline = clean(headlineOf(incident), 200);
  return {
    type: `incident.${event}`,
    version: 1,
    id: deliveryId(collector, incident.id, kind),
    timestamp: new Date(nowMs).toISOString(),
    test,
    collector,
    data: {
      event,
      incident: clean(incident.id),
      severity: facts.severity,
      state: incident.state,
      title: test ? `TEST: ${headline}` : headline,
      summary: facts.lead,
      text: textOf(facts),
      site: incident.site === null ? null : clean(incident.site),
      gateway: clean(incident.gateway),
      device: clean(incident.device),
      deviceType: clean(incident.deviceType, 60),
      place: facts.place,
      criticality: incident.asset?.criticality ?? 'normal',
      since: isoOf(firstMs),
      openedAt: isoOf(openedMs),
      lastAt: isoOf(lastMs),
      closedAt: isoOf(closedMs),
      durationMs: Math.max(0, (closedMs ?? lastMs) - firstMs),
      detector: clean(incident.detector, 60),
      source: clean(incident.source, 80),
      affected: facts.affected.map(([label, value]) => ({ label, value })),
      channels: channelsOf(incident, facts),
      happened: facts.happened,
      ...diagnosisOf(incident, facts),
      actions: facts.actions,
      wording: facts.wording
        ? { text: facts.wording.paragraphs.join('\n\n'), model: facts.wording.model }
        : null,
      link: facts.link ?? null,
    },
  };
}

export function eventKindOf(kind: MailKind): EventKind {
  return isUpdate(kind) ? 'updated' : kind;
}

/** Two collectors may tell of the same incident; no dot, since the signature parts by dots. */
export function deliveryId(collector: string, incident: string, kind: MailKind): string {
  const hash = createHash('sha256').update(JSON.stringify([collector, incident, kind]));
  return `msg_${hash.digest('hex').slice(0, 32)}`;
}

function diagnosisOf({ diagnosis }: Incident, { verdict, evidence }: MailFacts) {
  return {
    verdict: diagnosis?.verdict ?? ('none' as const),
    verdictText: verdict,
    causes: (diagnosis?.causes ?? []).map(one => ({
      id: clean(one.id, 80),
      cause: clean(one.cause, 160),
      component: clean(one.component, 80),
      probability: one.probability,
      evidence: one.evidence.map(id => clean(id, 12)),
      against: one.against.map(id => clean(id, 12)),
    })),
    evidence: evidence.slice(0, mostEvidence).map(({ id, text, link }) => ({ id, text, link: link ?? null })),
  };
}

function channelsOf({ channels }: Incident, facts: MailFacts): EventChannel[] {
  const shown = channels.filter(channel => channel.weight >= 0.01);
  return facts.channels.map(({ name, value, range, direction }, i) => ({
    name,
    value: shown[i]?.value ?? null,
    unit: unitSign(shown[i]?.unit ?? null),
    direction,
    shown: value,
    usual: range,
    share: shown[i]?.weight ?? 0,
  }));
}

function textOf({ lead, verdict, actions }: MailFacts): string {
  const list = actions.map((action, i) => `${i + 1}. ${action}`);
  return [lead, verdict, list.join('\n')].filter(part => part !== '').join('\n\n');
}

function isoOf(ms: number | null): string | null {
  const time = new Date(ms ?? Number.NaN);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}
