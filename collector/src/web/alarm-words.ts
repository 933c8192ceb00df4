/** The plot of an alarm in words, for those who read rather than look. No DOM. */
import type { IncidentChannel, IncidentDetector } from '../alerts/incident.js';
import { measured, score, unitText, words } from './format.js';

/** `Model 8fc402ec9b91`, `Own past: level, past 6 days` */
export function detectorName({ detector, source }: IncidentDetector): string {
  if (detector === 'rule') return `Rule ${source}`;
  if (detector === 'drift') return `Drift from model ${source}`;
  if (detector === 'pipeline') return `Pipeline: ${words(source)}`;
  if (detector === 'quality') return source === 'stuck' ? 'Stuck sensor' : 'Impossible reading';
  if (detector === 'surprise') return `Own past: ${source}`;
  return `Model ${source}`;
}

/** How sure it is, and from when on it speaks. */
export function verdictOf(one: IncidentDetector): string {
  switch (one.detector) {
    case 'rule':
      return `score ${score(one.score)}, as the rule says`;
    case 'quality':
      return 'This points to the sensor or its wiring rather than to the machine.';
    case 'pipeline':
      return one.source.split(' ')[0]?.endsWith('-unusual')
        ? 'No rule says it: the collector compares its own pipeline with the past of each part.'
        : 'The collector watches its own pipeline by rules.';
    case 'drift':
      return `${percent(one.score)} of a day's rows outside of what is usual, told from ${percent(one.threshold)} on`;
    default:
      return `score ${score(one.score)}, alarm from ${score(one.threshold)} on`;
  }
}

/** What the second track compares values with. */
export function rangeName(detector: string): string {
  if (detector === 'rule' || detector === 'pipeline') return 'limit';
  return detector === 'quality' ? 'possible' : 'usual';
}

export function channelName({ of, field }: IncidentChannel): string {
  return of ?? words(field);
}

export function percent(share: number): string {
  return share > 0 && share < 0.005 ? '<1 %' : `${Math.round(share * 100)} %`;
}

const sides = { high: 'High', low: 'Low', unusual: 'Unusual' } as const;

/** `Low at 14.40 m³/h, usually 25.20 to 45.00` */
export function channelSaid(channel: IncidentChannel, { detector, source }: IncidentDetector): string {
  const { direction, value, expected, limit } = channel;
  const side = sides[direction];
  const seen = value === null ? `${side}, without a value` : `${side} at ${valueText(channel)}`;
  if (detector === 'quality') {
    const what = source === 'stuck' ? `Has not moved from ${valueText(channel)}` : seen;
    return expected ? `${what}, possible is ${rangeText(channel)}` : what;
  }
  if (detector === 'drift')
    return `${side}: the middle of a day's values is ${valueText(channel)}, usually ${rangeText(channel)}`;
  if (limit !== undefined) return `${seen}, limit ${measured(limit)}`;
  if (detector === 'rule') return `${seen}, not compared with a fixed limit`;
  if (!expected) return `${seen}, no usual range known`;
  if (!isWithin(channel)) return `${seen}, usually ${rangeText(channel)}`;
  return `${side} for the situation at ${valueText(channel)}, though within its usual ${rangeText(channel)}`;
}

function valueText({ value, unit }: IncidentChannel): string {
  return value === null ? 'unknown' : `${measured(value)} ${unitText(unit)}`.trim();
}

function rangeText({ expected }: IncidentChannel): string {
  return expected ? expected.map(measured).join(' to ') : 'unknown';
}

function isWithin({ value, expected }: IncidentChannel): boolean {
  return value !== null && expected !== undefined && value >= expected[0] && value <= expected[1];
}
