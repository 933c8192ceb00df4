import { mainChannels } from './channels.js';
import type { Incident, IncidentDetector, Severity } from './incident.js';

/** All that a severity depends on. */
export interface Judged
  extends Pick<
    Incident,
    'detector' | 'peakScore' | 'threshold' | 'firstMs' | 'lastMs' | 'diagnosis' | 'asset' | 'extent'
  > {
  readonly channels: readonly { readonly weight: number }[];
}

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

/** From where on it is critical, by how much depends on the asset. */
const limits = {
  normal: { extreme: 0.5, channels: 3, lastsMs: 60_000 },
  high: { extreme: 0.35, channels: 2, lastsMs: 20_000 },
} as const;
const longMs = 60_000;
const minor = 0.05;
const clear = 0.2;

/**
 * How bad it is, by what shows, its likely cause, and what depends on the asset; deploy/topology.md has it as a table.
 * Of the same facts always the same, whatever was said before.
 */
export function severityOf(incident: Judged): Severity {
  const { detector, asset } = incident;
  const severity = byCause(bySigns(incident), incident);
  const isMinor = asset?.criticality === 'low' && detector !== 'rule';
  return isMinor && severity === 'critical' ? 'warning' : severity;
}

/**
 * critical: a rule is certain (score 1: so a rule's score is how its author says how bad it is), the score is
 *           extreme, or it is clear and either shows widely (in three channels, on much of the machine) or lasts a minute
 * info:     just above the threshold, in one channel, and short
 * warning:  the rest, every fault of a sensor, and every surprise that is not just above the threshold
 */
function bySigns(incident: Judged): Severity {
  const { detector, peakScore, threshold, channels, firstMs, lastMs, asset, extent } = incident;
  if (detector === 'quality') return 'warning';
  const above = excess({ detector, score: peakScore, threshold });
  // Nobody has said what it means: that it is unlike before is a reason to look, not to run.
  if (detector === 'surprise') return above < minor ? 'info' : 'warning';
  const limit = limits[asset?.criticality === 'high' ? 'high' : 'normal'];
  const wide = mainChannels(channels).length >= limit.channels || isWide(extent);
  const lasting = lastMs - firstMs >= limit.lastsMs;
  if (above >= limit.extreme || (above >= clear && (wide || lasting))) return 'critical';
  return above < minor && channels.length <= 1 && lastMs - firstMs < longMs ? 'info' : 'warning';
}

/** Half of the machine's devices, or three where nobody knows how many it has. */
function isWide(extent: Incident['extent']): boolean {
  if (!extent || extent.devices < 2) return false;
  return extent.of === undefined ? extent.devices >= 3 : 2 * extent.devices >= extent.of;
}

/** A likely cause can raise it; what is no fault, or hardly one, is never critical. A rule of the plant knows better. */
function byCause(severity: Severity, { detector, diagnosis }: Judged): Severity {
  const cause = diagnosis?.verdict === 'likely' ? diagnosis.causes[0]?.severity : undefined;
  if (cause === undefined || detector === 'rule') return severity;
  if (cause === 'warning' || cause === 'critical') return worst(severity, cause);
  return severity === 'critical' ? 'warning' : severity;
}

/** The worst that it was. */
export function peakOf({ severity, peakSeverity }: Pick<Incident, 'severity' | 'peakSeverity'>): Severity {
  return worst(severity, peakSeverity ?? severity);
}

/** The same incident unless that is worse than it ever was: what has fallen rises by what rows show, not by its past. */
export function raised(incident: Incident, severity: Severity): Incident {
  return rankOf(severity) > rankOf(peakOf(incident)) ? withSeverity(incident, severity) : incident;
}

/** It may be lower; the peak is kept. */
export function withSeverity(incident: Incident, severity: Severity): Incident {
  const { peakSeverity: _, ...rest } = incident;
  const peak = peakOf(incident);
  return { ...rest, severity, ...(rankOf(peak) > rankOf(severity) && { peakSeverity: peak }) };
}

const order: readonly Severity[] = ['info', 'warning', 'critical'];

/** The higher, the worse. */
export function rankOf(severity: Severity): number {
  return order.indexOf(severity);
}

export function worst(a: Severity, b: Severity): Severity {
  return rankOf(a) >= rankOf(b) ? a : b;
}
