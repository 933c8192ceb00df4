/**
 * One event, one mail: an incident becomes part of the earliest open one that began about then and by all that is known is
 * the same event. Either both likely have the same shared cause (a sag of the supply) at one gateway, machine, line or
 * site; or they are on one machine with the same likely cause; or the one feeds the other and nothing else explains it.
 * A part is shown, and mailed by itself where the whole does not tell it: it is worse, something else, or lasts longer.
 */
import { areSimultaneous } from '../diagnosis/diagnose.js';
import type { LikelyCause } from '../diagnosis/diagnosis.js';
import { clean } from '../notifiers/format.js';
import { onSameLine, onSameMachine, onSameSite } from '../topology/place.js';
import type { Topology } from '../topology/topology.js';
import type { Draft, IncidentRecord } from './board.js';
import type { AlertsConfig } from './config.js';
import type { Incident } from './incident.js';
import { noted } from './incident-change.js';
import { withSeverity, worst } from './severity.js';
import { withoutOpening } from './storm.js';

const mostNamed = 50;
/** Later ones are told by their number. */
const mostTold = 10;
/** What feeds another shows it first; alarms do not rise to the second. */
const feedsWithinMs = 15_000;

/** Makes it part of another, if one fits. */
export function join(draft: Draft, id: string, topology: Topology | undefined): void {
  const record = draft.record(id);
  if (!record || record.incident.partOf !== undefined || record.mailed.length > 0) return;
  const bond = firstOf(record, draft, topology);
  const parent = draft.record(bond?.id ?? null);
  if (!bond || !parent) return;
  const { parts: _, partCount: __, ...incident } = record.incident;
  const parts = record.incident.parts ? partsOf(incident.id, draft) : [];
  draft.setRecord({ ...record, incident: asPart(incident, parent.incident, bond.kind), bond: bond.kind });
  let whole = withPart(parent.incident, incident, bond.kind);
  for (const one of parts) {
    const kind = bond.kind === 'feeds' ? bond.kind : (one.bond ?? 'cause');
    draft.setRecord({ ...one, incident: { ...one.incident, partOf: parent.incident.id }, bond: kind });
    whole = withPart(whole, one.incident, kind);
  }
  draft.setRecord({ ...parent, incident: whole });
  draft.storm = withoutOpening(draft.storm, incident.id);
  draft.urgent = true;
}

function partsOf(id: string, draft: Draft): IncidentRecord[] {
  return draft.incidents().flatMap(one => (one.partOf === id ? (draft.record(one.id) ?? []) : []));
}

/** Why it is one event. */
export type Bond = 'cause' | 'feeds';

/** The earliest that is open and the same event. */
function firstOf(
  record: IncidentRecord,
  draft: Draft,
  topology: Topology | undefined,
): { readonly id: string; readonly kind: Bond } | undefined {
  const { incident } = record;
  const candidates = draft
    .incidents()
    .filter(other => mayHold(draft.record(other.id)!, record))
    .sort((a, b) => a.openedMs - b.openedMs || (a.id < b.id ? -1 : 1));
  for (const other of candidates) {
    const kind = bondOf(other, incident, topology);
    if (kind) return { id: other.id, kind };
  }
  return undefined;
}

/** Whoever should hear of the part hears of the whole. */
function mayHold(whole: IncidentRecord, part: IncidentRecord): boolean {
  const [a, b] = [whole.incident, part.incident];
  if (a.id === b.id || a.state !== 'open' || a.partOf !== undefined || !areSimultaneous(a, b)) return false;
  if (a.diagnosis?.verdict !== 'likely' || a.site !== b.site) return false;
  return (!whole.held || part.held) && (!isQuiet(a) || isQuiet(b));
}

function isQuiet({ handling }: Incident): boolean {
  return handling?.mutedUntilMs !== undefined || handling?.maintenance !== undefined;
}

function bondOf(whole: Incident, part: Incident, topology: Topology | undefined): Bond | undefined {
  const isKnown = !whole.asset?.inferred && !part.asset?.inferred;
  if (isSameCause(whole, part)) {
    const isShared = likelyCause(whole)?.shared === true;
    const isOneMachine = isKnown && onSameMachine(whole, part);
    if (isShared ? onSameSite(whole, part) || onSameLine(whole, part) : isOneMachine) return 'cause';
  }
  // A guess by names must not silence anybody.
  if (!isKnown) return undefined;
  const isFirst = whole.firstMs <= part.firstMs + feedsWithinMs;
  return isFirst && !isElse(whole, part) && topology?.feeds(whole, part) ? 'feeds' : undefined;
}

function likelyCause({ diagnosis }: Incident): LikelyCause | undefined {
  return diagnosis?.verdict === 'likely' ? diagnosis.causes[0] : undefined;
}

function isSameCause(a: Incident, b: Incident): boolean {
  return areSame(likelyCause(a), likelyCause(b));
}

/** Shared causes by what is broken: the feed sags, and the pump feels it. */
function areSame(one: LikelyCause | undefined, other: LikelyCause | undefined): boolean {
  if (!one || !other || one.shared !== other.shared) return false;
  return one.shared ? one.component === other.component : one.id === other.id;
}

/** Its own likely cause is another than the first one of the whole, even if nobody is sure of that any more. */
function isElse(whole: Incident, part: Incident): boolean {
  const own = likelyCause(part);
  return own !== undefined && !areSame(whole.diagnosis?.causes[0], own);
}

function asPart(incident: Incident, parent: Incident, bond: Bond): Incident {
  const why = bond === 'feeds' ? 'it feeds this one' : 'the same cause';
  const text = `Part of the incident on ${clean(parent.device)}: ${why}`;
  return noted({ ...incident, partOf: parent.id }, { atMs: incident.lastMs, text });
}

const moreText = 'The same shows on further devices:';

function withPart(parent: Incident, part: Incident, bond: Bond): Incident {
  const { id, gateway, device, title, severity, lastMs } = part;
  const known = parent.parts ?? [];
  const own = { id, device, gateway, ...(bond === 'feeds' && { bond }) };
  const parts = known.length < mostNamed ? [...known, own] : known;
  const partCount = (parent.partCount ?? known.length) + 1;
  const grown = { ...withSeverity(parent, worst(parent.severity, severity)), parts, partCount };
  const what = bond === 'feeds' ? 'It shows on what it feeds:' : 'The same cause shows on';
  if (partCount <= mostTold) return noted(grown, { atMs: lastMs, text: `${what} ${clean(title, 160)}` });
  const timeline = grown.timeline.filter(({ text }) => !text.startsWith(moreText));
  return noted({ ...grown, timeline }, { atMs: lastMs, text: `${moreText} ${partCount} in all` });
}

/** Its mails wait for the end of the other one, unless it turns out to be worse, or to be something else. */
export function isCovered(
  { incident, mailed }: IncidentRecord,
  draft: Draft,
  { reopenWithinMs }: AlertsConfig,
  nowMs: number,
): boolean {
  // Whoever was told that it began is told how it went on.
  if (incident.partOf === undefined || mailed.includes('opened')) return false;
  const parent = draft.record(incident.partOf)?.incident;
  if (incident.state === 'closed') return true;
  // Work on the one is no reason to keep quiet about the other.
  if (!parent || (parent.handling?.maintenance?.untilMs ?? 0) > nowMs) return false;
  const worse = worst(parent.severity, incident.severity) !== parent.severity;
  if (worse || isElse(parent, incident)) return false;
  // Devices recover one after another; the mail that it is over is as late.
  return parent.state === 'open' || incident.lastMs - (parent.closedMs ?? 0) <= reopenWithinMs;
}
