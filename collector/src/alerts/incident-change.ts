/** Incidents as they open, grow, close and reopen. Pure: the same rows make the same incident. */
import type { Asset } from '../topology/place.js';
import { addChannels, channelsOf } from './channels.js';
import type { AlertsConfig } from './config.js';
import { addDetectors } from './detectors.js';
import type { Flag } from './device-alarm.js';
import type { Finding } from './findings.js';
import type { Incident, IncidentNote } from './incident.js';
import { incidentIdOf } from './incident-id.js';
import { recommendationsFor } from './recommendations.js';
import { excess, raised, severityOf } from './severity.js';
import { titleOf } from './title.js';

/** Whose rows they are. */
export interface Origin {
  readonly gateway: string;
  readonly site: string | null;
  readonly device: string;
  readonly deviceType: string;
  readonly asset?: Asset;
  readonly model: string | null;
}

const maxNotes = 60;
/** Until then the title follows the channels; later it only changes with the severity, so that it can be cited. */
const titleRows = 20;

/** @param flags  the rows that made the alarm, oldest first; at least one */
export function openIncident(origin: Origin, flags: readonly Flag[], config: AlertsConfig): Incident {
  const last = flags.at(-1);
  if (!last) throw new TypeError('an incident opens with at least one flagged row');
  const strongest = strongestOf(flags.flatMap(flag => flag.findings));
  const blank: Incident = {
    ...origin,
    id: incidentIdOf(origin.gateway, origin.device, last.epoch, last.row),
    state: 'open',
    severity: 'info',
    title: '',
    firstMs: last.timeMs,
    openedMs: last.timeMs,
    lastMs: last.timeMs,
    closedMs: null,
    rows: 0,
    explainedRows: 0,
    peakScore: strongest.score,
    threshold: strongest.threshold,
    detector: strongest.detector,
    source: strongest.source,
    channels: [],
    detectors: [],
    recommendations: [],
    timeline: [{ atMs: last.timeMs, text: openingText(flags, strongest, config) }],
  };
  return judged(flags.reduce(withRow, blank), 'opening');
}

function openingText(flags: readonly Flag[], { detector, source }: Finding, config: AlertsConfig): string {
  const rows = `${flags.length} flagged rows among the last ${config.openWithin}`;
  if (detector === 'rule') return `Opened by rule ${source}: ${rows}`;
  if (detector === 'quality')
    return `Opened: ${rows}, the sensor is ${source === 'stuck' ? 'stuck' : 'out of range'}`;
  if (detector === 'surprise') return `Opened by a surprise: ${source}`;
  return `Opened: ${rows}`;
}

export function addRow(incident: Incident, flag: Flag): Incident {
  return judged(withRow(incident, flag), 'growing');
}

/** A row from a backlog: it counts, and changes nothing else. */
export function addLateRows(incident: Incident, rows: number): Incident {
  return { ...incident, rows: incident.rows + rows };
}

export function closeIncident(
  incident: Incident,
  atMs: number,
  silent: boolean,
  config: AlertsConfig,
): Incident {
  const text = silent
    ? `Closed: the device has sent nothing for ${seconds(3 * config.closeAfterMs)}`
    : `Closed: no flagged row for ${seconds(config.closeAfterMs)}`;
  return noted({ ...incident, state: 'closed', closedMs: atMs }, { atMs, text });
}

export function reopenIncident(incident: Incident, flags: readonly Flag[]): Incident {
  const atMs = flags.at(-1)?.timeMs ?? incident.lastMs;
  const open: Incident = { ...incident, state: 'open', closedMs: null };
  return judged(flags.reduce(withRow, noted(open, { atMs, text: 'Reopened: flagged again' })), 'growing');
}

const stormText = 'Alarm storm:';

/** One line about all that are held back; the next call replaces it. */
export function withStorm(
  incident: Incident,
  atMs: number,
  devices: readonly string[],
  more: number,
): Incident {
  const others = more > 0 ? ` and ${more} more` : '';
  const text = `${stormText} the mails of further devices are held back: ${devices.join(', ')}${others}`;
  const timeline = incident.timeline.filter(note => !note.text.startsWith(stormText));
  return noted({ ...incident, timeline }, { atMs, text });
}

function withRow(incident: Incident, flag: Flag): Incident {
  const strongest = strongestOf(flag.findings);
  const joins = incident.rows > 0 && strongest.detector !== incident.detector;
  const known = incident.timeline.some(note => note.text.startsWith(joinText(strongest)));
  const named = channelsOf(flag.findings);
  const grown: Incident = {
    ...incident,
    firstMs: Math.min(incident.firstMs, flag.timeMs),
    lastMs: Math.max(incident.lastMs, flag.timeMs),
    rows: incident.rows + 1,
    detectors: addDetectors(incident.detectors, flag.findings, flag.timeMs),
    ...(isStronger(strongest, incident) && primary(strongest)),
    ...(named.length > 0 && {
      explainedRows: incident.explainedRows + 1,
      channels: addChannels(incident.channels, named, incident.explainedRows, flag.timeMs),
    }),
  };
  return joins && !known ? noted(grown, { atMs: flag.timeMs, text: joinText(strongest) }) : grown;
}

function isStronger(finding: Finding, incident: Incident): boolean {
  const known = { score: incident.peakScore, threshold: incident.threshold };
  return excess(finding) > excess({ ...known, detector: incident.detector });
}

function primary({ detector, source, score, threshold }: Finding) {
  return { detector, source, peakScore: score, threshold };
}

function joinText({ detector, source }: Finding): string {
  if (detector === 'rule') return `Rule ${source} is broken too`;
  if (detector === 'surprise') return 'It is unlike its own past too';
  return detector === 'quality' ? 'Sensor quality is bad too' : 'The model finds it unusual too';
}

export function strongestOf(findings: readonly Finding[]): Finding {
  return findings.reduce((best, one) => (excess(one) > excess(best) ? one : best));
}

function judged(incident: Incident, when: 'opening' | 'growing'): Incident {
  const judgement = raised(incident, severityOf(incident));
  const { severity } = judgement;
  const rises = when === 'growing' && severity !== incident.severity;
  const settled = incident.rows > titleRows && !rises;
  const next: Incident = {
    ...judgement,
    title: settled ? incident.title : titleOf(incident),
    recommendations: settled ? incident.recommendations : recommendationsFor(incident),
  };
  return rises ? noted(next, { atMs: incident.lastMs, text: `Severity rose to ${severity}` }) : next;
}

/** The first note stays when the list is full: it says why there is an incident at all. */
export function noted(incident: Incident, note: IncidentNote): Incident {
  const [first, ...rest] = [...incident.timeline, note];
  return { ...incident, timeline: first ? [first, ...rest.slice(-(maxNotes - 1))] : [] };
}

function seconds(ms: number): string {
  return ms < 60_000 ? `${ms / 1000} s` : `${Math.round(ms / 6000) / 10} min`;
}
