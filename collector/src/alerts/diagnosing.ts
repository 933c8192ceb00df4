/** When incidents are looked at for their cause, and what becomes of that. */
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import type { Draft, IncidentRecord } from './board.js';
import type { Incident, Severity } from './incident.js';
import { noted } from './incident-change.js';
import { recommendationsFor } from './recommendations.js';
import { worst } from './severity.js';

/** Deterministic, and quick. @param incidents  all that are known */
export type Diagnose = (incident: Incident, incidents: readonly Incident[]) => Diagnosis | undefined;

/** So many milliseconds of row time after the last look at the earliest, and the longer it lasts, the more seldom. */
const againAfterMs = 10_000;
const againAfterShare = 0.5;
/** When a plant trips, hundreds open at once: the rest is looked at with its next rows. */
const mostAtOnce = 20;

/** Looks at those incidents of the draft that are due. */
export function diagnoseDue(draft: Draft, diagnose: Diagnose): void {
  const due = draft.touched().filter(isDue).slice(0, mostAtOnce);
  if (due.length === 0) return;
  const incidents = draft.incidents();
  for (const record of due) {
    const diagnosis = diagnose(record.incident, incidents);
    if (!diagnosis) continue;
    const incident = withDiagnosis(record.incident, diagnosis);
    if (incident.severity !== record.incident.severity) draft.urgent = true;
    draft.setRecord({ ...record, incident });
  }
}

function isDue({ incident, held }: IncidentRecord): boolean {
  const { state, detector, diagnosis, firstMs, lastMs } = incident;
  if (held || state !== 'open' || detector === 'drift') return false;
  if (!diagnosis) return true;
  return lastMs - diagnosis.atMs >= Math.max(againAfterMs, againAfterShare * (diagnosis.atMs - firstMs));
}

/**
 * A likely cause can raise the severity. One that is no fault, or hardly one, lowers it to a warning at the first look,
 * before anybody was told, unless a rule of the plant says otherwise.
 */
function severityBy({ verdict, causes }: Diagnosis, before: Incident): Severity {
  const cause = verdict === 'likely' ? causes[0]?.severity : undefined;
  if (cause === undefined || before.detector === 'rule') return before.severity;
  if (cause === 'warning' || cause === 'critical') return worst(before.severity, cause);
  return before.diagnosis || before.severity !== 'critical' ? before.severity : 'warning';
}

function withDiagnosis(before: Incident, diagnosis: Diagnosis): Incident {
  const incident = { ...before, diagnosis };
  const [first] = diagnosis.causes;
  const severity = severityBy(diagnosis, before);
  const next = { ...incident, severity, recommendations: recommendationsFor(incident) };
  const known = before.diagnosis?.verdict === 'unknown' ? undefined : before.diagnosis?.causes[0]?.id;
  if (!first || diagnosis.verdict === 'unknown' || first.id === known) return next;
  const rises = severity === before.severity ? '' : `; severity rose to ${severity}`;
  const text = `Most likely cause: ${first.cause} (${Math.round(100 * first.probability)} %)${rises}`;
  return noted(next, { atMs: incident.lastMs, text });
}
