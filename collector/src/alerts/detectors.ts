/** Who found an incident unusual, and why: each detector's word by itself, added up over the flagged rows. */
import { addChannels, channelsOf } from './channels.js';
import type { Finding } from './findings.js';
import type { Incident, IncidentDetector } from './incident.js';
import { excess } from './severity.js';

const maxDetectors = 6;

/** Adds one row. */
export function addDetectors(
  known: readonly IncidentDetector[],
  findings: readonly Finding[],
  timeMs: number,
): readonly IncidentDetector[] {
  let all = known;
  for (const finding of findings)
    all = hasReasons(finding) ? withReasons(all, finding, timeMs) : withScore(all, finding);
  return all;
}

function hasReasons({ channels, detector }: Finding): boolean {
  return channels.length > 0 || detector === 'quality';
}

function isOf(known: IncidentDetector, { detector, source }: Finding): boolean {
  return known.detector === detector && known.source === source;
}

function withReasons(
  known: readonly IncidentDetector[],
  finding: Finding,
  timeMs: number,
): readonly IncidentDetector[] {
  const at = known.findIndex(one => isOf(one, finding));
  const next = grown(known[at], finding, timeMs);
  const all = at < 0 ? [...known, next] : known.with(at, next);
  return all.sort((a, b) => excess(b) - excess(a)).slice(0, maxDetectors);
}

/** A row without reasons has but the row's score: beside a rule it may be the rule's. */
function withScore(known: readonly IncidentDetector[], finding: Finding): readonly IncidentDetector[] {
  const [only, ...others] = known;
  if (!only || others.length > 0 || only.detector !== 'forest' || !isOf(only, finding)) return known;
  return excess(finding) > excess(only) ? [{ ...only, score: finding.score }] : known;
}

function grown(known: IncidentDetector | undefined, finding: Finding, timeMs: number): IncidentDetector {
  const { detector, source } = finding;
  const { score, threshold } = known && excess(known) >= excess(finding) ? known : finding;
  const before = known?.explainedRows ?? 0;
  const channels = known?.channels ?? [];
  const named = channelsOf([finding]);
  if (named.length === 0) return { detector, source, score, threshold, explainedRows: before, channels };
  return {
    detector,
    source,
    score,
    threshold,
    explainedRows: before + 1,
    channels: addChannels(channels, named, before, timeMs),
  };
}

/** Of an incident that does not have them: the one that it names, with all its channels. */
export function detectorsOf(incident: Omit<Incident, 'detectors'>): readonly IncidentDetector[] {
  const { detector, source, peakScore, threshold, explainedRows, channels } = incident;
  if (channels.length === 0) return [];
  return [{ detector, source, score: peakScore, threshold, explainedRows, channels }];
}
