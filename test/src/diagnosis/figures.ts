/** What the outcomes of labelled cases come to. */
import type { LabelledCase } from './cases.js';
import { isNamed, type Judged, namedComponent, type Verdict } from './judge-case.js';
import { mailsOf } from './mails-of.js';
import { type Level, loadCauses } from './truths.js';

export interface Outcome {
  readonly one: LabelledCase;
  readonly judged: Judged;
}

export interface Figures {
  readonly runs: number;
  readonly faults: number;
  /** Share of faults that have an incident. */
  readonly found: number;
  /** Of all faults, those without an incident counted as wrong. */
  readonly top1: number;
  readonly top3: number;
  /** Of the faults that were found. */
  readonly top1OfFound: number;
  readonly top3OfFound: number;
  /** The same in the first mail. */
  readonly top1InFirstMail: number;
  /** Of those found: something else is called likely, in the first mail and later. */
  readonly wrongInFirstMail: number;
  readonly wrongLater: number;
  readonly componentF1: number;
  readonly severityWithinOne: number;
  /** Median s from onset to the opening, of faults that come at once. */
  readonly suddenS: number;
  /** Incidents on changes of load, and how many of them say that it is one, or that the cause is unknown. */
  readonly loadIncidents: number;
  readonly loadNotBlamed: number;
  readonly healthyDeviceDays: number;
  readonly healthyIncidents: number;
  /** Mails of all these incidents, and what they claim that their incidents do not say, by a parser of its own. */
  readonly mails: number;
  readonly unfoundedClaims: number;
}

const levels: readonly Level[] = ['none', 'info', 'warning', 'critical'];
const sudden = new Set(['misaligned', 'offset', 'spikes', 'power-sag', 'capacitor-failed', 'overload']);

export function figuresOf(outcomes: readonly Outcome[]): Figures {
  const verdicts = outcomes.flatMap(({ judged }) => judged.verdicts);
  const found = verdicts.filter(({ openedS }) => openedS !== undefined);
  const loads = outcomes
    .filter(({ one }) => one.group === 'load change')
    .flatMap(({ judged }) => judged.others);
  const healthy = outcomes.filter(({ one }) => one.group === 'healthy');
  const openings = outcomes
    .filter(({ one }) => sudden.has(one.group))
    .flatMap(({ judged }) => judged.verdicts.flatMap(({ openedS }) => openedS ?? []))
    .sort((a, b) => a - b);
  const mails = outcomes.flatMap(mailsOf);
  return {
    runs: outcomes.length,
    faults: verdicts.length,
    found: share(found, verdicts),
    top1: share(
      verdicts.filter(verdict => isNamed(verdict, 1)),
      verdicts,
    ),
    top3: share(
      verdicts.filter(verdict => isNamed(verdict, 3)),
      verdicts,
    ),
    top1OfFound: share(
      found.filter(verdict => isNamed(verdict, 1)),
      found,
    ),
    top3OfFound: share(
      found.filter(verdict => isNamed(verdict, 3)),
      found,
    ),
    top1InFirstMail: share(
      found.filter(({ label, mailed }) => isNamed({ label, incident: mailed }, 1)),
      found,
    ),
    wrongInFirstMail: share(
      found.filter(({ label, mailed }) => isWrong({ label, incident: mailed })),
      found,
    ),
    wrongLater: share(found.filter(isWrong), found),
    componentF1: componentF1(verdicts),
    severityWithinOne: share(found.filter(isSevereEnough), found),
    suddenS: openings[Math.floor(openings.length / 2)] ?? Number.NaN,
    loadIncidents: loads.length,
    loadNotBlamed: loads.filter(
      ({ diagnosis }) =>
        !diagnosis || diagnosis.verdict === 'unknown' || loadCauses.includes(diagnosis.causes[0]?.id ?? ''),
    ).length,
    healthyDeviceDays: healthy.reduce(
      (sum, { one }) => sum + (one.seconds * one.config.devices.length) / 86_400,
      0,
    ),
    healthyIncidents: healthy.reduce((sum, { judged }) => sum + judged.others.length, 0),
    mails: mails.length,
    unfoundedClaims: mails.reduce((sum, mail) => sum + mail.unfounded.length, 0),
  };
}

/** Over all faults: named and right, of all that were named, and of all that were to be named. */
function componentF1(verdicts: readonly Verdict[]): number {
  const named = verdicts.filter(verdict => namedComponent(verdict) !== undefined);
  const right = named.filter(verdict => namedComponent(verdict)!.includes(verdict.label.component));
  return (2 * right.length) / Math.max(1, named.length + verdicts.length);
}

function isSevereEnough({ incident, label }: Verdict): boolean {
  return (
    incident !== undefined &&
    Math.abs(levels.indexOf(incident.severity) - levels.indexOf(label.truth.severity)) <= 1
  );
}

/** It says that something is likely which is not so. */
function isWrong(verdict: Pick<Verdict, 'label' | 'incident'>): boolean {
  return verdict.incident?.diagnosis?.verdict === 'likely' && !isNamed(verdict, 1);
}

function share(some: readonly unknown[], all: readonly unknown[]): number {
  return all.length === 0 ? Number.NaN : Math.round((1000 * some.length) / all.length) / 1000;
}

/** A line a group. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const groups = new Map<string, Verdict[]>();
  for (const { one, judged } of outcomes) {
    const known = groups.get(one.group) ?? [];
    groups.set(one.group, [...known, ...judged.verdicts]);
  }
  const lines = [...groups].map(([group, verdicts]) => {
    const count = (test: (verdict: Verdict) => boolean) => String(verdicts.filter(test).length).padStart(6);
    return [
      group.padEnd(18),
      String(verdicts.length).padStart(6),
      count(({ openedS }) => openedS !== undefined),
      count(verdict => isNamed(verdict, 1)),
      count(verdict => isNamed(verdict, 3)),
      count(verdict => namedComponent(verdict)?.includes(verdict.label.component) ?? false),
    ].join('');
  });
  return `${'group'.padEnd(18)}faults found  top1  top3  comp\n${lines.join('\n')}\n`;
}
