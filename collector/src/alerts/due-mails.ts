import type { MailKind, MailRequest } from '../notifiers/mail.js';
import type { Draft, IncidentRecord } from './board.js';
import { isMuted } from './handling.js';
import { isCovered } from './joining.js';

/** The mails that the draft's incidents are due, each noted on its incident so that it is due only once. */
export function dueMails(draft: Draft, nowMs: number): MailRequest[] {
  return draft.touched().flatMap(record => {
    if (isMuted(record.incident, nowMs) || isCovered(record, draft)) return [];
    const kinds = dueKinds(record, draft.isSettled(record.incident.id));
    if (kinds.length === 0) return [];
    draft.setRecord({ ...record, mailed: [...record.mailed, ...withImplied(kinds, record)] });
    const { incident, trace } = record;
    return kinds.map(kind => ({ kind, incident, ...(trace && { trace }) }));
  });
}

function dueKinds({ incident, mailed, held }: IncidentRecord, settled: boolean): MailKind[] {
  if (held) return [];
  const kinds: MailKind[] = [];
  if (!mailed.includes('opened')) kinds.push('opened');
  else if (incident.severity === 'critical' && !mailed.includes('critical')) kinds.push('critical');
  if (settled && !mailed.includes('closed')) kinds.push('closed');
  return kinds;
}

/** A first mail that already says critical needs no second one to say so. */
function withImplied(kinds: readonly MailKind[], { incident }: IncidentRecord): MailKind[] {
  const saysCritical = kinds.includes('opened') && incident.severity === 'critical';
  return saysCritical ? [...kinds, 'critical'] : [...kinds];
}
