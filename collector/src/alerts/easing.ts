/**
 * An incident that is no longer as bad as it was goes down a level: when for minutes of row time, and some rows, no flagged
 * row was as bad as its severity says. It comes back only by several rows that are worse, so that it cannot flap.
 */
import { channelsOf } from './channels.js';
import type { AlertsConfig } from './config.js';
import type { Flag } from './device-alarm.js';
import type { Incident, Severity } from './incident.js';
import { noted, strongestOf } from './incident-change.js';
import { peakOf, rankOf, severityOf, withSeverity } from './severity.js';

/** What is remembered from row to row. */
export interface Hold {
  /** When a row last was as bad as the severity says, ms of row time. */
  readonly sinceMs: number;
  /** Flagged rows since then. */
  readonly rows: number;
  /** Up by two for each row that is worse than the severity, down by one for each that is not. */
  readonly worse: number;
}

/** Three such rows in a row, or more with others between them. */
const worseUp = 6;
const below: Readonly<Record<Severity, Severity>> = { critical: 'warning', warning: 'info', info: 'info' };

/**
 * @param before  what it was before the row
 * @param grown  with the row
 * @param mayFall  whether nothing else keeps it up
 */
export function ease(
  before: { readonly incident: Incident; readonly hold?: Hold },
  grown: Incident,
  flag: Flag,
  config: AlertsConfig,
  mayFall: (to: Severity) => boolean,
): { readonly incident: Incident; readonly hold: Hold } {
  const fresh: Hold = { sinceMs: flag.timeMs, rows: 0, worse: 0 };
  const { severity } = grown;
  if (severity !== before.incident.severity) return { incident: grown, hold: fresh };
  const hold = before.hold ?? fresh;
  const level = levelOf(grown, flag);
  if (rankOf(level) > rankOf(severity)) {
    const worse = hold.worse + 2;
    if (worse < worseUp) return { incident: grown, hold: { ...fresh, worse } };
    const to = rankOf(level) < rankOf(peakOf(grown)) ? level : peakOf(grown);
    return { incident: changed(grown, to, flag, `Severity rose to ${to} again`), hold: fresh };
  }
  const worse = Math.max(0, hold.worse - 1);
  if (level === severity) return { incident: grown, hold: { ...fresh, worse } };
  // The clock of the device was set back: waiting for it could take years.
  const isSetBack = hold.sinceMs - flag.timeMs > config.reopenWithinMs;
  const sinceMs = isSetBack ? flag.timeMs : hold.sinceMs;
  const rows = hold.rows + 1;
  const to = below[severity];
  const isOver = flag.timeMs - sinceMs >= config.easeAfterMs && rows >= config.openWithin;
  if (!isOver || !mayFall(to)) return { incident: grown, hold: { sinceMs, rows, worse } };
  const minutes = Math.round((flag.timeMs - sinceMs) / 6000) / 10;
  const text = `Severity fell to ${to}: nothing as bad as ${severity} for ${minutes} min`;
  return { incident: changed(grown, to, flag, text), hold: fresh };
}

function changed(incident: Incident, to: Severity, { timeMs }: Flag, text: string): Incident {
  return to === incident.severity ? incident : noted(withSeverity(incident, to), { atMs: timeMs, text });
}

/** How bad it would be by this row alone, and by how long it has lasted. */
function levelOf(incident: Incident, { findings, timeMs }: Flag): Severity {
  const { detector, score, threshold } = strongestOf(findings);
  const named = channelsOf(findings);
  // Of a long alarm an agent explains only some rows.
  const channels = named.length > 0 ? named : incident.channels;
  return severityOf({ ...incident, detector, peakScore: score, threshold, channels, lastMs: timeMs });
}
