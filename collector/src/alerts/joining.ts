/**
 * One cause, one mail: an incident whose likely cause is shared by several devices (a sag of the supply) becomes part of
 * the first incident with that cause. It is shown, and mailed only if it outlasts the first.
 */
import { isTogether } from '../diagnosis/diagnose.js';
import { clean } from '../notifiers/format.js';
import type { Draft, IncidentRecord } from './board.js';
import type { Incident } from './incident.js';
import { noted } from './incident-change.js';
import { worst } from './severity.js';

const mostNamed = 50;

/** Makes it part of another, if one fits. */
export function join(draft: Draft, id: string): void {
  const record = draft.record(id);
  if (!record || record.incident.partOf !== undefined || record.mailed.length > 0) return;
  const first = firstOf(record.incident, draft);
  const parent = draft.record(first?.id ?? null);
  if (!parent) return;
  draft.setRecord({ ...record, incident: asPart(record.incident, parent.incident) });
  draft.setRecord({ ...parent, incident: withPart(parent.incident, record.incident) });
  draft.urgent = true;
}

/** The earliest that is open, began about then, at the same gateway, and has the same shared cause. */
function firstOf(incident: Incident, draft: Draft): Incident | undefined {
  const component = sharedComponent(incident);
  if (component === undefined) return undefined;
  return draft
    .incidents()
    .filter(
      other =>
        other.id !== incident.id &&
        other.state === 'open' &&
        other.partOf === undefined &&
        isTogether(other, incident) &&
        sharedComponent(other) === component,
    )
    .sort((a, b) => a.openedMs - b.openedMs || (a.id < b.id ? -1 : 1))[0];
}

function sharedComponent({ diagnosis }: Incident): string | undefined {
  const [first] = diagnosis?.verdict === 'likely' ? diagnosis.causes : [];
  return first?.shared ? first.component : undefined;
}

function asPart(incident: Incident, parent: Incident): Incident {
  const text = `Part of the incident on ${clean(parent.device)}: the same cause`;
  return noted({ ...incident, partOf: parent.id }, { atMs: incident.lastMs, text });
}

function withPart(parent: Incident, { id, device, title, severity, lastMs }: Incident): Incident {
  const known = parent.parts ?? [];
  const parts = known.length < mostNamed ? [...known, { id, device }] : known;
  const grown = { ...parent, parts, severity: worst(parent.severity, severity) };
  return noted(grown, { atMs: lastMs, text: `The same cause shows on ${clean(title, 160)}` });
}

/** Its mails wait for the end of the other one, unless it turns out to be worse, or to be something else. */
export function isCovered({ incident }: IncidentRecord, draft: Draft): boolean {
  if (incident.partOf === undefined) return false;
  const parent = draft.record(incident.partOf)?.incident;
  if (incident.state === 'closed') return true;
  if (parent?.state !== 'open') return false;
  const worse = worst(parent.severity, incident.severity) !== parent.severity;
  return !worse && sharedComponent(incident) === sharedComponent(parent);
}
