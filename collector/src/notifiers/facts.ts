/** What a mail says, in words and made harmless, before it becomes HTML or text. */
import { isOddTogether, mainChannels } from '../alerts/channels.js';
import type { Incident, IncidentChannel, IncidentPart, Severity } from '../alerts/incident.js';
import { surprisePast, surpriseWords } from '../alerts/surprise-text.js';
import type { Diagnosis, LikelyCause } from '../diagnosis/diagnosis.js';
import { listed } from '../pipeline/finding.js';
import { isUnusual } from '../pipeline/past/finding.js';
import { pipeline } from '../pipeline/rows.js';
import type { Level } from '../topology/config.js';
import {
  clean,
  formatBound,
  formatClock,
  formatDuration,
  formatNumber,
  formatRange,
  formatTime,
  withUnit,
} from './format.js';
import type { MailKind, MailRequest, Told } from './mail.js';

export interface ChannelFacts {
  readonly name: string;
  readonly value: string;
  readonly range: string;
  readonly direction: IncidentChannel['direction'];
  readonly percent: number;
}

export interface CauseFacts {
  readonly cause: string;
  readonly component: string;
  readonly percent: number;
  /** `E1, E3`; empty where there is none. */
  readonly evidence: string;
  readonly against: string;
}

export interface EvidenceFacts {
  readonly id: string;
  readonly text: string;
  /** Of the earlier incident that it tells of. */
  readonly link: string | undefined;
}

export interface MailFacts {
  readonly severity: Severity;
  readonly closed: boolean;
  readonly place: string;
  readonly title: string;
  /** One sentence above everything else. */
  readonly lead: string;
  readonly affected: readonly (readonly [string, string])[];
  readonly happened: readonly string[];
  readonly rangeLabel: string;
  readonly channels: readonly ChannelFacts[];
  /** What is thought of the cause, in a sentence; empty where nobody looked. */
  readonly verdict: string;
  readonly causes: readonly CauseFacts[];
  /** As the causes cite it. */
  readonly evidence: readonly EvidenceFacts[];
  readonly why: readonly string[];
  /** By a language model: set apart from all else, and never in a first mail. */
  readonly wording: { readonly paragraphs: readonly string[]; readonly model: string } | undefined;
  readonly actions: readonly string[];
  readonly timeline: readonly (readonly [string, string])[];
  readonly link: string | undefined;
  readonly ids: readonly (readonly [string, string])[];
}

const unknownRange = 'unknown';

type FactsRequest = Pick<MailRequest, 'kind' | 'incident' | 'told'>;

/** Mails and each notifier ask for the same ones, in one go. */
const made = new WeakMap<
  FactsRequest,
  { readonly linkBase: string | undefined; readonly facts: MailFacts }
>();

export function mailFacts(request: FactsRequest, linkBase: string | undefined): MailFacts {
  const known = made.get(request);
  if (known && known.linkBase === linkBase) return known.facts;
  const facts = factsOf(request, linkBase);
  made.set(request, { linkBase, facts });
  return facts;
}

function factsOf({ kind, incident, told }: FactsRequest, linkBase: string | undefined): MailFacts {
  const closed = kind === 'closed';
  return {
    severity: incident.severity,
    closed,
    place: placeOf(incident),
    title: clean(incident.title, 160),
    lead: leadOf(kind, incident, told),
    affected: affectedBy(incident),
    happened: happenedIn(incident),
    rangeLabel: rangeLabel(incident.detector),
    channels: shownChannels(incident).map(channel => channelFacts(channel, incident.detector)),
    ...diagnosisFacts(incident, linkBase),
    why: reasonsFor(incident),
    wording: kind === 'opened' ? undefined : wordingOf(incident),
    actions: closed ? [] : incident.recommendations.map(action => clean(action, 300)),
    timeline: incident.timeline.slice(-12).map(note => [formatClock(note.atMs), clean(note.text, 400)]),
    link: linkTo(incident, linkBase),
    ids: idsOf(incident),
  };
}

function shownChannels({ channels }: Incident): IncidentChannel[] {
  return channels.filter(channel => channel.weight >= 0.01).slice(0, 8);
}

/** Of the incident on the page. */
export function linkTo({ id }: Pick<Incident, 'id'>, linkBase: string | undefined): string | undefined {
  return linkBase && `${linkBase.replace(/\/+$/, '')}/#/incident/${encodeURIComponent(id)}`;
}

/** `north/line-2/press-4` where that is known, `north/pump-station-1` else */
export function placeOf({ site, gateway, device, deviceType, asset }: Incident): string {
  if (asset) return clean(asset.path);
  if (gateway === pipeline) {
    const name = deviceType === 'pipeline-gateway' ? clean(device) : 'pipeline';
    return site === null ? name : `${clean(site)}/${name}`;
  }
  return site === null ? clean(gateway) : `${clean(site)}/${clean(gateway)}`;
}

function leadOf(kind: MailKind, incident: Incident, told: Told | undefined): string {
  const device = clean(incident.detector === 'pipeline' ? incident.title : incident.device, 160);
  const span = formatDuration((incident.closedMs ?? incident.lastMs) - incident.firstMs);
  switch (kind) {
    case 'opened':
      return incident.detector === 'pipeline' ? `${upper(device)}.` : openingLead(device, incident);
    case 'critical':
      if (incident.detector === 'pipeline')
        return `${upper(device)}. This is critical now, ${span} after it began.`;
      return `The incident on ${device} has become critical, ${span} after it began.`;
    case 'update':
    case 'update-2':
      return updateLead(device, incident, told);
    case 'closed':
      if (incident.detector === 'pipeline') return `Over: ${device}. It lasted ${span}.`;
      return `The incident on ${device} is over. It lasted ${span}.${peakText(incident)}`;
  }
}

/** What is thought now, and what was thought when somebody was last told. */
function updateLead(device: string, { diagnosis }: Incident, told: Told | undefined): string {
  const [first] = diagnosis?.causes ?? [];
  if (!first) return `There is news of the cause of the incident on ${device}.`;
  const now = `${clean(first.cause, 160)} (${percentOf(first.probability)}\u00a0%)`;
  const what = told?.verdict === 'likely' ? 'Another cause is likely now' : 'A cause is likely now';
  return `${what} for the incident on ${device}: ${now}. ${toldBefore(told)}`;
}

function toldBefore(told: Told | undefined): string {
  if (told?.cause === undefined || told.verdict === 'unknown') return 'Until now it was unknown.';
  const sure = told.verdict === 'likely' ? 'likely' : 'only possible';
  return `Until now ${clean(told.cause, 160)} was ${sure}.`;
}

function peakText({ peakSeverity }: Incident): string {
  return peakSeverity === undefined ? '' : ` At its worst it was ${peakSeverity}.`;
}

const doings: Readonly<Record<string, string>> = {
  quality: 'sends implausible readings',
  drift: 'has drifted from what its model was trained on',
  surprise: 'is unlike its own past',
};

/** The line that a phone shows below the subject. */
function openingLead(device: string, { firstMs, detector, channels }: Incident): string {
  const what = doings[detector] ?? 'behaves unusually';
  const since = `${device} ${what} since ${formatClock(firstMs)} UTC`;
  const [first] = channels
    .filter(channel => !isOddTogether(channel, detector))
    .map(channel => channelFacts(channel, detector));
  if (!first || first.range === unknownRange) return `${since}.`;
  return `${since}: ${first.name} ${first.value}, ${rangeLabel(detector).toLowerCase()} ${first.range}.`;
}

function upper(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function rangeLabel(detector: string): string {
  if (detector === 'rule' || detector === 'pipeline') return 'Limit';
  return detector === 'quality' ? 'Possible' : 'Usual';
}

/** Further devices that are named; the page has more. */
const mostParts = 20;

/** Devices that the same cause disturbs, and those that it feeds. */
function partsOf({ gateway, parts = [], partCount = parts.length }: Incident): [string, string][] {
  const shown = parts.slice(0, mostParts);
  const rows = [undefined, 'feeds'].flatMap((bond): [string, string][] => {
    const named = shown.filter(part => part.bond === bond).map(part => nameOf(part, gateway));
    if (named.length === 0) return [];
    return [[bond === 'feeds' ? 'Fed by it' : 'Same cause', [...new Set(named)].join(', ')]];
  });
  const more = partCount - shown.length;
  if (more <= 0) return rows;
  const [only, ...others] = rows;
  // Which they are is not known of all.
  if (!only || others.length > 0) return [...rows, ['Further devices', String(more)]];
  return [[only[0], `${only[1]} and ${more} more`]];
}

/** Two gateways may have devices of one name. */
function nameOf({ device, gateway }: IncidentPart, own: string): string {
  const name = clean(device, 60);
  return gateway === undefined || gateway === own ? name : `${clean(gateway, 60)}/${name}`;
}

function affectedBy(incident: Incident): [string, string][] {
  if (incident.detector === 'pipeline') return pipelineAffected(incident);
  const names = mainChannels(incident.channels).map(channel => clean(channel.field, 60));
  const components = componentsOf(incident);
  const { site, asset } = incident;
  const isSite = asset?.level === 'site' && asset.path === site;
  return [
    ...(site === null || isSite ? [] : [['Site', clean(site)] as [string, string]]),
    ...assetOf(incident),
    ['Gateway', clean(incident.gateway)],
    ['Device', `${clean(incident.device)} (${clean(incident.deviceType, 60)})`],
    ...partsOf(incident),
    ...(components.length > 0 ? [['Component', components.join('; or ')] as [string, string]] : []),
    ...(names.length > 0 ? [['Channels', names.join(', ')] as [string, string]] : []),
  ];
}

const levelNames: Readonly<Record<Level, string>> = { site: 'Site', line: 'Line', machine: 'Machine' };

function assetOf({ asset }: Incident): [string, string][] {
  if (!asset) return [];
  const much = asset.criticality === undefined ? '' : ` (criticality ${asset.criticality})`;
  const guess = asset.inferred ? ', by its name' : '';
  return [[levelNames[asset.level], `${clean(asset.path.replaceAll('/', ' / '), 200)}${much}${guess}`]];
}

/** What may be broken: of the likely cause, or of each that is not far behind. */
function componentsOf({ diagnosis }: Incident): string[] {
  const [first, ...others] = diagnosis?.causes ?? [];
  if (!diagnosis || !first || diagnosis.verdict === 'unknown') return [];
  const near = others.filter(({ probability }) => probability >= first.probability / 2);
  const named = diagnosis.verdict === 'likely' ? [first] : [first, ...near];
  return [...new Set(named.map(({ component }) => clean(component, 80)))];
}

function diagnosisFacts(
  { diagnosis }: Incident,
  linkBase: string | undefined,
): Pick<MailFacts, 'verdict' | 'causes' | 'evidence'> {
  if (!diagnosis) return { verdict: '', causes: [], evidence: [] };
  return {
    verdict: verdictOf(diagnosis),
    causes: diagnosis.causes.map(causeFacts),
    evidence: diagnosis.evidence.map(({ id, text, incident }) => ({
      id: clean(id, 12),
      text: clean(text, 400),
      link: incident === undefined ? undefined : linkTo({ id: incident }, linkBase),
    })),
  };
}

function verdictOf({ verdict, causes: [first], unknown }: Diagnosis): string {
  const other = `None of the known causes: ${percentOf(unknown)}\u00a0%.`;
  if (verdict === 'unknown' || !first)
    return `The cause is unknown: the evidence is too weak to name one. ${first ? `Guesses only. ${other}` : ''}`.trim();
  const cause = `${clean(first.cause, 160)} (${percentOf(first.probability)}\u00a0%)`;
  return verdict === 'likely' ? `Most likely: ${cause}. ${other}` : `Possible, not sure: ${cause}. ${other}`;
}

function causeFacts({ cause, component, probability, evidence, against }: LikelyCause): CauseFacts {
  return {
    cause: clean(cause, 160),
    component: clean(component, 80),
    percent: percentOf(probability),
    evidence: evidence.map(id => clean(id, 12)).join(', '),
    against: against.map(id => clean(id, 12)).join(', '),
  };
}

function percentOf(probability: number): number {
  return Math.round(100 * probability);
}

const mostWords = 2000;

function wordingOf({ wording }: Incident): MailFacts['wording'] {
  if (!wording) return undefined;
  const text = wording.text.slice(0, mostWords);
  const paragraphs = text.split(/\n\s*\n/).map(one => clean(one.replaceAll(/\s+/g, ' '), mostWords));
  const told = paragraphs.filter(one => one !== '');
  return told.length === 0 ? undefined : { paragraphs: told, model: clean(wording.model, 80) };
}

/** What has to be looked at, and what it has to do with. */
function pipelineAffected({
  site,
  device,
  deviceType,
  diagnosis,
  affected = [],
}: Incident): [string, string][] {
  const [first] = diagnosis?.causes ?? [];
  return [
    ...(site === null ? [] : [['Site', clean(site)] as [string, string]]),
    ...(first ? [['Component', clean(first.component, 120)] as [string, string]] : []),
    ...(deviceType === 'pipeline-gateway' ? [['Gateway', clean(device)] as [string, string]] : []),
    ...(affected.length > 0 ? [['Affected', clean(listed(affected, 40), 3000)] as [string, string]] : []),
  ];
}

function happenedIn({ firstMs, lastMs, closedMs, rows, detector, diagnosis }: Incident): string[] {
  if (detector === 'pipeline') {
    const over = closedMs === null ? '' : `; over ${formatTime(closedMs)}`;
    const seen = diagnosis?.evidence.map(({ text }) => clean(text, 400)) ?? [];
    return [`It began ${formatTime(firstMs)}${over}.`, ...seen];
  }
  if (detector === 'drift') {
    const over = closedMs === null ? '' : `; closed ${formatTime(closedMs)}`;
    return [`It began about ${formatTime(firstMs)}${over}.`];
  }
  const flagged = rows === 1 ? '1 row was flagged' : `${rows} rows were flagged`;
  const until =
    closedMs === null
      ? `${flagged} so far, the last at ${formatClock(lastMs)} UTC`
      : `${flagged}, the last at ${formatClock(lastMs)} UTC; closed at ${formatClock(closedMs)} UTC`;
  return [`First flagged ${formatTime(firstMs)}; ${until}.`];
}

function channelFacts(channel: IncidentChannel, detector: string): ChannelFacts {
  const { field, of, value, unit, expected, limit, direction, weight } = channel;
  const bounds = [value ?? 0, limit ?? 0, ...(expected ?? [])];
  const scale = Math.max(...bounds.map(Math.abs));
  return {
    name: clean(of ?? field, 60),
    value: value === null ? 'none' : withUnit(formatNumber(value, scale), unit),
    range: rangeOf(channel, detector, scale),
    direction: isOddTogether(channel, detector) ? 'unusual' : direction,
    percent: Math.round(100 * weight),
  };
}

/** Under the label of the detector; what another one knows of the channel says so. */
function rangeOf({ unit, expected, limit }: IncidentChannel, detector: string, scale: number): string {
  const ofRule = detector === 'rule' || detector === 'pipeline';
  const bound = limit === undefined ? undefined : withUnit(formatBound(limit, scale), unit);
  const range = expected && withUnit(formatRange(expected, scale), unit);
  if (ofRule) return bound ?? (range ? `usually ${range}` : unknownRange);
  return range ?? (bound ? `limit ${bound}` : unknownRange);
}

function reasonsFor(incident: Incident): string[] {
  const { detector, source, peakScore, threshold, model } = incident;
  if (detector === 'pipeline')
    return [
      isUnusual(source.split(' ')[0]!)
        ? `No rule says it: the collector compares the parts of its own pipeline with the past of each; this is ${clean(source, 80)}.`
        : `The collector watches its own pipeline by rules; this is ${clean(source, 80)}.`,
    ];
  const name = clean(source, 80);
  if (detector === 'rule') return [`Rule “${name}” is broken.`, ...modelLine(model)];
  if (detector === 'quality') {
    const fault = source === 'stuck' ? 'has not moved at all' : 'lies outside what is physically possible';
    return [`A reading ${fault}. That points to the sensor or its wiring rather than to the machine.`];
  }
  if (detector === 'drift')
    return [
      `${Math.round(100 * peakScore)} % of a day's rows lay outside of the usual range, without an alarm.`,
      `Usual is what 98 % of the rows showed that model ${name} was trained on.`,
    ];
  const [score, limit] = [peakScore.toFixed(2), threshold.toFixed(2)];
  if (detector === 'surprise')
    return [
      `Most unusual: ${clean(surpriseWords(source), 120)}. The score rose to ${score}; from ${limit} on it is an alarm.`,
      `No model looks at this device: each field is compared with its own past${pastOf(source)}.`,
    ];
  return [
    `The anomaly score rose to ${score}; from ${limit} on a row counts as unusual (0 is ordinary, 1 is extreme).`,
    `Judged by the Isolation Forest, model ${name}; the share says how much of the score a channel explains.`,
    ...(shownChannels(incident).some(({ of }) => of !== undefined && stateOfMachine.test(of))
      ? ['What says “while on” or “while off” is compared with what the machine shows when it is so.']
      : []),
    ...(shownChannels(incident).some(channel => isOddTogether(channel, detector))
      ? ['What is only called unusual lies in its usual range, but not together with the other channels.']
      : []),
  ];
}

const stateOfMachine = / while (?:on|off)$/;

function pastOf(source: string): string {
  const past = surprisePast(source);
  return past === undefined ? '' : ` (${clean(past, 20)})`;
}

function modelLine(model: string | null): string[] {
  return model === null ? [] : [`The readings were also scored by model ${clean(model, 80)}.`];
}

function idsOf(incident: Incident): [string, string][] {
  const { id, model, detector, source } = incident;
  return [
    ['Incident', clean(id)],
    ['Detector', clean(`${detector} ${source}`)],
    ...(model === null ? [] : [['Model', clean(model)] as [string, string]]),
  ];
}
