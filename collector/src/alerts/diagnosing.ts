/** When incidents are looked at for their cause, and what becomes of that. */
import type { Logger } from '@edgeward/shared/log';
import { type Diagnosis, saysTheSame } from '../diagnosis/diagnosis.js';
import type { Topology } from '../topology/topology.js';
import type { Draft, IncidentRecord } from './board.js';
import type { Incident } from './incident.js';
import { noted } from './incident-change.js';
import { join } from './joining.js';
import { recommendationsFor } from './recommendations.js';
import { raised, severityOf } from './severity.js';

/** Deterministic, and quick. @param incidents  all that are known */
export type Diagnose = (incident: Incident, incidents: readonly Incident[]) => Diagnosis | undefined;

/** So many milliseconds of row time after the last look at the earliest, and the longer it lasts, the more seldom. */
const againAfterMs = 3000;
const againAfterShare = 0.5;
/** After that nothing new is to be learned, and what was before it is forgotten. */
const lookedAtForMs = 1_800_000;
/** When a plant trips, hundreds open at once: the rest is looked at with its next rows. */
const mostAtOnce = 20;
/** So long a write may be held up, ms; one look is always made. */
const budgetMs = 30;

/** Looks for the causes of incidents. */
export class Diagnosing {
  /** Of incidents at which a look failed: when, in row time. They wait for the next one like the others. */
  readonly #failed = new Map<string, number>();
  /** New ones for which there was no time. */
  readonly #unseen = new Set<string>();

  constructor(
    private readonly diagnose: Diagnose,
    private readonly log: Logger,
    private readonly topology?: Topology,
  ) {}

  /** Incidents for which there was no time yet: they may be part of others. */
  get unseen(): ReadonlySet<string> {
    return this.#unseen;
  }

  /** Looks at those incidents of the draft that are due. An incident matters more than what is thought of it. */
  look(draft: Draft): void {
    const due = draft.touched().filter(record => this.#isDue(record));
    if (due.length === 0) return;
    // Those that nobody looked at yet come first: others can wait for their next rows.
    due.sort((a, b) => Number(a.held) - Number(b.held) || this.#lookedMs(a) - this.#lookedMs(b));
    const looked = this.#lookAt(due.slice(0, mostAtOnce), draft);
    if (this.#unseen.size >= mostFailed) this.#unseen.clear();
    for (const [i, { incident, mailed }] of due.entries())
      if (i < looked || mailed.length > 0 || incident.diagnosis) this.#unseen.delete(incident.id);
      else this.#unseen.add(incident.id);
  }

  /** @returns at how many of them there was time to look */
  #lookAt(due: readonly IncidentRecord[], draft: Draft): number {
    const incidents = draft.incidents();
    const begun = performance.now();
    for (const [i, { incident }] of due.entries()) {
      // As it is by now: another one may have become part of it.
      const record = draft.record(incident.id)!;
      const diagnosis = this.#find(record.incident, incidents);
      if (diagnosis) {
        put(draft, record, diagnosis);
        join(draft, record.incident.id, this.topology);
      }
      if (performance.now() - begun > budgetMs) return i + 1;
    }
    return due.length;
  }

  #find(incident: Incident, incidents: readonly Incident[]): Diagnosis | undefined {
    try {
      const found = this.diagnose(incident, incidents);
      this.#failed.delete(incident.id);
      return found;
    } catch (err) {
      if (!this.#failed.has(incident.id))
        this.log.error({ incident: incident.id, err }, 'the cause of an incident could not be looked for');
      if (this.#failed.size >= mostFailed) this.#failed.clear();
      this.#failed.set(incident.id, incident.lastMs);
      return undefined;
    }
  }

  #lookedMs({ incident: { id, diagnosis } }: Pick<IncidentRecord, 'incident'>): number {
    return diagnosis?.atMs ?? this.#failed.get(id) ?? Number.NEGATIVE_INFINITY;
  }

  #isDue({ incident, held }: IncidentRecord): boolean {
    const { state, detector, diagnosis, firstMs, lastMs } = incident;
    if (state !== 'open' || undiagnosed.has(detector)) return false;
    // Held back in a storm it is mailed by nobody, but may be part of what is.
    if (held && diagnosis) return false;
    const lookedMs = this.#lookedMs({ incident });
    if (lookedMs === Number.NEGATIVE_INFINITY) return true;
    if (lastMs - firstMs > lookedAtForMs) return false;
    return lastMs - lookedMs >= Math.max(againAfterMs, againAfterShare * (lookedMs - firstMs));
  }
}

/** Beyond these all is begun anew. */
const mostFailed = 1000;
/** Drift is none of a machine; what is wrong with the pipeline is told with its cause. */
export const undiagnosed: ReadonlySet<string> = new Set(['drift', 'pipeline']);

function put(draft: Draft, record: IncidentRecord, diagnosis: Diagnosis): void {
  const { incident: before } = record;
  const incident = withDiagnosis(before, diagnosis, draft.isNew(before.id));
  if (incident.severity !== before.severity || record.waitsUntilMs !== undefined) draft.urgent = true;
  draft.setRecord({ ...record, incident });
}

/** Later than this, or surer than this, a likely cause stays: what follows is often the way back. */
const settledAfterMs = 120_000;
const settledAt = 0.8;

/** A cause is what began it: pumps whose valve opens again look as if they leaked. */
function agreedOn(found: Diagnosis, { diagnosis: before, firstMs, lastMs }: Incident): Diagnosis {
  const [known] = before?.causes ?? [];
  const fresh = found.verdict === 'likely' ? { ...found, likelyLooks: 1 } : found;
  if (!before || !known) return fresh;
  if (found.causes[0]?.id === known.id) {
    const likelyLooks = (before.likelyLooks ?? 0) + 1;
    return { ...found, agreed: before.agreed + 1, ...(found.verdict === 'likely' && { likelyLooks }) };
  }
  const sure = before.agreed > 1 && known.probability >= settledAt;
  const settled = before.verdict === 'likely' && (sure || lastMs - firstMs > settledAfterMs);
  return settled ? { ...before, atMs: found.atMs } : fresh;
}

/** Its numbers and the ids that it cites are those of one diagnosis. */
function withoutStale({ wording, ...incident }: Incident, diagnosis: Diagnosis): Incident {
  return wording && saysTheSame(incident.diagnosis, diagnosis) ? { ...incident, wording } : incident;
}

/** @param isNew  it opens just now, and nobody was told of it yet */
function withDiagnosis(before: Incident, found: Diagnosis, isNew: boolean): Incident {
  const diagnosis = agreedOn(found, before);
  const incident = { ...withoutStale(before, diagnosis), diagnosis };
  const [first] = diagnosis.causes;
  const severity = severityOf(incident);
  const judged = isNew ? { ...incident, severity } : raised(incident, severity);
  const next = { ...judged, recommendations: recommendationsFor(incident) };
  const known = before.diagnosis?.verdict === 'unknown' ? undefined : before.diagnosis?.causes[0]?.id;
  if (!first || diagnosis.verdict === 'unknown' || first.id === known) return next;
  const rises = next.severity === before.severity ? '' : `; severity rose to ${next.severity}`;
  const how = diagnosis.verdict === 'likely' ? 'Most likely' : 'Possible';
  const text = `${how} cause: ${first.cause} (${Math.round(100 * first.probability)} %)${rises}`;
  return noted(next, { atMs: incident.lastMs, text });
}
