import { mainChannels } from './channels.js';
import type { Incident, IncidentDetector, Severity } from './incident.js';

type Judged = Pick<Incident, 'detector' | 'peakScore' | 'threshold' | 'channels' | 'firstMs' | 'lastMs'>;

/**
 * How far a score lies between the threshold (0) and certainty (1).
 * Bad quality is no matter of degree and stays 0; a rule that says 1 is certain.
 */
export function excess({
  detector,
  score,
  threshold,
}: Pick<IncidentDetector, 'detector' | 'score' | 'threshold'>): number {
  if (detector === 'rule' && score >= 1) return 1;
  if (threshold >= 1) return 0;
  return Math.max(0, Math.min(1, (score - threshold) / (1 - threshold)));
}

const longMs = 60_000;
const minor = 0.05;
const clear = 0.2;
const extreme = 0.5;

/**
 * critical: a rule is certain (score 1: so a rule's score is how its author says how bad it is), the score is
 *           extreme, or it is clear and either shows in three channels or lasts a minute
 * info:     just above the threshold, in one channel, and short
 * warning:  the rest, every fault of a sensor, and every surprise that is not just above the threshold
 */
export function severityOf(incident: Judged): Severity {
  const { detector, peakScore, threshold, channels, firstMs, lastMs } = incident;
  if (detector === 'quality') return 'warning';
  const above = excess({ detector, score: peakScore, threshold });
  // Nobody has said what it means: that it is unlike before is a reason to look, not to run.
  if (detector === 'surprise') return above < minor ? 'info' : 'warning';
  const wide = mainChannels(channels).length >= 3;
  const long = lastMs - firstMs >= longMs;
  if (above >= extreme || (above >= clear && (wide || long))) return 'critical';
  return above < minor && channels.length <= 1 && !long ? 'info' : 'warning';
}

const order: readonly Severity[] = ['info', 'warning', 'critical'];

/** The higher, the worse. */
export function rankOf(severity: Severity): number {
  return order.indexOf(severity);
}

export function worst(a: Severity, b: Severity): Severity {
  return rankOf(a) >= rankOf(b) ? a : b;
}
