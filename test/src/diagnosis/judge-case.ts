/** What the product says of a labelled case, held against what is true. */
import type { Incident } from '@edgeward/collector/alerts/incident';
import type { Cause } from '@edgeward/collector/diagnosis/catalogue';
import type { Label, LabelledCase } from './cases.js';
import { runCase } from './plant-case.js';

/** After an incident opened, so much is looked at, s: what a person who comes to it finds. */
const lookedS = 120;
/** So long the first mail waits for a second look, ms. */
const firstMailMs = 3000;
/** An incident that began longer before the fault is another one. */
const slackMs = 5000;

export interface Verdict {
  readonly label: Label;
  /** s from onset to the opening; undefined = no incident of the device. */
  readonly openedS: number | undefined;
  /** As it was last looked at. */
  readonly incident: Incident | undefined;
  /** As the first mail has it. */
  readonly mailed: Incident | undefined;
}

export interface Judged {
  readonly verdicts: readonly Verdict[];
  /** Incidents of devices that nothing is wrong with, with what was said of them. */
  readonly others: readonly Incident[];
}

interface Look {
  readonly incident: Incident;
  readonly mailed: Incident;
  readonly openedMs: number;
}

export async function judgeCase(one: LabelledCase, catalogue: readonly Cause[]): Promise<Judged> {
  /** By incident; the last look that counts. */
  const looks = new Map<string, Look>();
  await runCase(one, catalogue, ({ incident, atMs }) => {
    if (one.labels.length > 0 && incident.firstMs < one.onsetMs - slackMs) return;
    const { openedMs, mailed } = looks.get(incident.id) ?? { openedMs: atMs, mailed: incident };
    if (atMs - openedMs > lookedS * 1000) return;
    looks.set(incident.id, {
      incident,
      mailed: atMs - openedMs <= firstMailMs ? incident : mailed,
      openedMs,
    });
  });
  const all = [...looks.values()];
  const verdicts = one.labels.map(label => verdictOf(label, all, one.onsetMs));
  const troubled = new Set(one.labels.map(({ device }) => device));
  return {
    verdicts,
    others: all.map(({ incident }) => incident).filter(({ device }) => !troubled.has(device)),
  };
}

function verdictOf(label: Label, looks: readonly Look[], onsetMs: number): Verdict {
  const first = looks
    .filter(({ incident }) => incident.device === label.device)
    .sort((a, b) => a.openedMs - b.openedMs)[0];
  return {
    label,
    openedS: first && (first.openedMs - onsetMs) / 1000,
    incident: first?.incident,
    mailed: first?.mailed,
  };
}

/** Whether one of the first n causes is the true one. */
export function isNamed({ label, incident }: Pick<Verdict, 'label' | 'incident'>, n: number): boolean {
  return (incident?.diagnosis?.causes ?? []).slice(0, n).some(({ id }) => label.truth.causes.includes(id));
}

/** Of the first cause, where there is one that is worth a name. */
export function namedComponent({ incident }: Verdict): string | undefined {
  const diagnosis = incident?.diagnosis;
  return diagnosis && diagnosis.verdict !== 'unknown' ? diagnosis.causes[0]?.component : undefined;
}
