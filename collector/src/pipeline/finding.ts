/** Trouble in the pipeline: what a rule has seen, where, and what it takes for the cause. */
import type { Severity } from '../alerts/incident.js';
import { formatClock } from '../notifiers/format.js';

export interface FindingChannel {
  readonly field: string;
  readonly unit: string | null;
  readonly value: number | null;
  readonly limit?: number;
  readonly direction: 'high' | 'low' | 'unusual';
}

export interface Finding {
  /** `gateway-silent`; with the subject it says whether two findings are the same. */
  readonly kind: string;
  /** Device of the pipeline that it is about: a gateway, the collector, a sink. */
  readonly device: string;
  readonly deviceType: 'pipeline-gateway' | 'pipeline-collector' | 'pipeline-sink';
  /** What distinguishes it from others of that kind on that device: a site, a consumer group. */
  readonly subject?: string;
  readonly site: string | null;
  readonly severity: Severity;
  /** Of incident and mail; it stays the same while the trouble does. */
  readonly title: string;
  /** What was seen, in sentences of ours. */
  readonly facts: readonly string[];
  /** What others said of it, a server for example: for the timeline, and never evidence. */
  readonly said?: string;
  readonly sinceMs: number;
  readonly channels: readonly FindingChannel[];
  /** Of the catalogue, most probable first, with their probabilities. */
  readonly causes: readonly (readonly [id: string, probability: number])[];
  /** In the words of causes and actions: what `{subject}` is. */
  readonly named: string;
  /** Gateways or devices; changes of how many are told once they are many more. */
  readonly affected: readonly string[];
}

export const keyOf = ({ kind, device, subject = '' }: Pick<Finding, 'kind' | 'device' | 'subject'>) =>
  `${kind} ${device} ${subject}`;

const mostNamed = 20;

/** `a, b and 4 more` */
export function listed(names: readonly string[], most = mostNamed): string {
  const more = names.length - most;
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ');
}

export function plural(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}

export function secondsText(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}

/** `11:36:02` */
export const clockText = (ms: number) => formatClock(ms);
