import type { TraceContext } from '@edgeward/shared/contracts';
import { peakOf } from '../../alerts/severity.js';
import type { NoticeView } from '../../views.js';
import type { MailKind, MailRequest } from '../mail.js';
import { isQuiet } from '../recipients.js';
import type { NotifierConfig } from './config.js';
import { eventKindOf, type IncidentEvent } from './event.js';
import type { Target } from './target.js';

/** One event for one notifier, without what it says. */
export interface QueuedNotice {
  readonly view: NoticeView;
  /** In what order they were queued. */
  readonly order: number;
  readonly trace?: TraceContext;
}

/** At most one of each kind an incident. */
export function noticeId(incidentId: string, kind: MailKind): string {
  return `${incidentId}-${kind}`;
}

/** @param told  the notifier has heard of the incident: then it hears how it goes on, too */
export function isWanted(
  { events, severities, sites }: NotifierConfig,
  { kind, incident: { severity, site } }: MailRequest,
  told: boolean,
): boolean {
  const event = eventKindOf(kind);
  const asCritical = event === 'opened' && severity === 'critical' && events.includes('critical');
  if (!events.includes(event) && !asCritical) return false;
  if (told && (event === 'closed' || event === 'updated')) return true;
  return (severities?.includes(severity) ?? true) && (sites?.some(one => one === site) ?? true);
}

/** Whether it has to wait for the end of quiet hours now. Machines have hours of their own: webhooks never wait. */
export function isHeld(config: NotifierConfig, severity: string, nowMs: number): boolean {
  return severity !== 'critical' && 'quietHours' in config && isQuiet(config, nowMs);
}

export function newNotice(
  { type, config }: Target,
  request: MailRequest,
  event: IncidentEvent,
  order: number,
  nowMs: number,
): QueuedNotice {
  const { kind, incident, trace } = request;
  // Whoever was woken by it is told at once that it is over.
  const severity = kind === 'closed' ? peakOf(incident) : incident.severity;
  const held = isHeld(config, severity, nowMs);
  const view: NoticeView = {
    id: noticeId(incident.id, kind),
    notifier: config.name,
    type,
    event: event.data.event,
    incidentId: incident.id,
    severity,
    title: event.data.title,
    createdMs: nowMs,
    sentMs: null,
    state: held ? 'held' : 'queued',
    reason: held ? 'waits for the end of quiet hours' : null,
    attempts: 0,
  };
  return { view, order, ...(trace && { trace }) };
}

/** Later news of the same incident has taken its place. */
export function outdated(notice: QueuedNotice, by: string): QueuedNotice {
  return changed(notice, { state: 'merged', reason: `in ${by}` });
}

export function changed(notice: QueuedNotice, view: Partial<NoticeView>): QueuedNotice {
  return { ...notice, view: { ...notice.view, ...view } };
}
