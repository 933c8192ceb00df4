/**
 * What people say of alarms moves what counts as one: after a false alarm, rows of that device count only if they score
 * higher than it did. Only so far, so that no series of slips makes a machine deaf; and a real incident moves it back.
 * A new revision of the model starts anew.
 */

import type { Finding, Step } from './findings.js';
import type { Feedback } from './handling.js';
import type { Incident } from './incident.js';

/** Scores that count, by device, detector and source. */
export type Sensitivity = ReadonlyMap<string, number>;

/** Of the way from the threshold to certainty, so far at the most. */
const mostOfTheWay = 0.4;
/** Above what was called a false alarm. */
const margin = 0.02;

export function sensitivityKey(gateway: string, device: string, detector: string, source: string): string {
  return JSON.stringify([gateway, device, detector, source]);
}

/** Rules and checks are facts: nobody's word moves them. */
export function isAdjustable(detector: string): boolean {
  return detector === 'forest' || detector === 'surprise';
}

export interface Adjustment {
  readonly key: string;
  /** Undefined: the detector's own threshold holds again. */
  readonly least: number | undefined;
}

/** What a verdict moves; of a detector that cannot be moved, nothing. */
export function adjustmentsFor(incident: Incident, verdict: Feedback, known: Sensitivity): Adjustment[] {
  const { gateway, device, detectors } = incident;
  return detectors
    .filter(({ detector }) => isAdjustable(detector))
    .flatMap(({ detector, source, score, threshold }) => {
      const key = sensitivityKey(gateway, device, detector, source);
      const before = known.get(key);
      const least = verdict === 'real' ? undefined : raised(before ?? threshold, score, threshold);
      return least === before ? [] : [{ key, least }];
    });
}

function raised(before: number, score: number, threshold: number): number {
  const most = threshold + mostOfTheWay * (1 - threshold);
  return Math.min(most, Math.max(before, score + margin));
}

/** Rows whose findings count too little are quiet rows, unless something else is wrong with them. */
export function heeded(
  steps: readonly Step[],
  gateway: string,
  device: string,
  known: Sensitivity,
): readonly Step[] {
  if (known.size === 0) return steps;
  const counts = ({ detector, source, score }: Finding) =>
    !isAdjustable(detector) || score >= (known.get(sensitivityKey(gateway, device, detector, source)) ?? 0);
  return steps.map(step => {
    if ('quiet' in step || step.findings.every(counts)) return step;
    return { ...step, findings: step.findings.filter(counts) };
  });
}
