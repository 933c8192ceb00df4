import type { TraceContext } from '@edgeward/shared/contracts';
import type { Incident } from '../alerts/incident.js';
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import { mailFacts, placeOf } from './facts.js';
import { clean } from './format.js';
import { mailHtml } from './mail-html.js';
import { mailText } from './mail-text.js';

/** At most one mail of each kind an incident. An update: another cause is likely now than was told. */
export type MailKind = 'opened' | 'critical' | UpdateKind | 'closed';

/** So many an incident, each with a message id of its own. */
export const updateKinds = ['update', 'update-2'] as const;
export type UpdateKind = (typeof updateKinds)[number];

/** What the last mail of a thread said of the cause. */
export interface Told {
  readonly verdict: Diagnosis['verdict'];
  /** Of the first cause; absent where the cause was unknown. */
  readonly id?: string;
  readonly cause?: string;
}

export function isUpdate(kind: MailKind | 'digest'): kind is UpdateKind {
  return updateKinds.some(one => one === kind);
}

export interface MailRequest {
  readonly kind: MailKind;
  readonly incident: Incident;
  /** What was told before; of updates only. */
  readonly told?: Told;
  readonly trace?: TraceContext;
}

export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  /** With a place for the chart, see `withChart`. */
  readonly html: string;
}

/** The same request always gives the same bytes. */
export function renderMail(request: MailRequest, linkBase?: string): RenderedMail {
  const { kind, incident } = request;
  const facts = mailFacts(request, linkBase);
  return { subject: subjectOf(kind, incident), text: mailText(facts), html: mailHtml(facts) };
}

/**
 * `[critical] north/pump-station-1 pump-1: Blocked valve behind the pump (likely)`, or the title where no cause is
 * likely: `[critical] north/pump-station-1 pump-1: dischargePressure high, flow low`
 */
function subjectOf(kind: MailKind, incident: Incident): string {
  const tag = kind === 'closed' ? 'closed' : incident.severity;
  return clean(`[${tag}] ${placeOf(incident)} ${headlineOf(incident)}`, 200);
}

/** `pump-1: Blocked valve behind the pump (likely)`, or the title where no cause is likely. */
export function headlineOf({ diagnosis, device, title }: Incident): string {
  const [first] = diagnosis?.causes ?? [];
  return first && diagnosis?.verdict === 'likely' ? `${clean(device)}: ${first.cause} (likely)` : title;
}

/** Derived, so that a mail that goes out twice after a crash has the same id both times. */
export function mailId(incidentId: string, kind: MailKind): string {
  return `${incidentId}-${kind}`;
}

/**
 * @param kind  absent for a digest
 * @param from  the configured sender; its host ends the id
 * @param collector  its name: two collectors may tell of the same incident
 */
export function messageId(
  id: string,
  kind: MailKind | undefined,
  from: string,
  collector?: string | undefined,
): string {
  const name = [kind ? mailId(id, kind) : id, ...(collector === undefined ? [] : [collector])].join('.');
  return `<${name}@${hostOf(from)}>`;
}

/** `plant.example` of `Edgeward <edgeward@plant.example>` */
export function hostOf(from: string): string {
  return /@([A-Za-z0-9.-]+)>?$/.exec(from)?.[1] ?? 'edgeward.invalid';
}
