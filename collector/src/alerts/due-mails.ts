import type { MailKind, MailRequest } from '../notifiers/mail.js';
import type { Draft, IncidentRecord } from './board.js';
import { isMuted } from './handling.js';
import { isCovered } from './joining.js';

/** The mails that the draft's incidents are due, each noted on its incident so that it is due only once. */
export function dueMails(draft: Draft, nowMs: number): MailRequest[] {
  return draft.touched().flatMap(record => {
    const { id } = record.incident;
    const settled = draft.isSettled(id) || record.owesClosing === true;
    if (isMuted(record.incident, nowMs)) {
      if (settled && hasTold(record)) draft.setRecord({ ...record, owesClosing: true });
      return [];
    }
    if (isCovered(record, draft)) return [];
    const kinds = dueKinds(record, settled, draft.isNew(id));
    if (kinds.length === 0) return [];
    const { owesClosing: _, ...rest } = record;
    draft.setRecord({ ...rest, mailed: [...record.mailed, ...withImplied(kinds, record)] });
    const { incident, trace } = record;
    return kinds.map(kind => ({ kind, incident, ...(trace && { trace }) }));
  });
}

/** Whether a mail has waited for the end of quiet that somebody asked for, and is due now. */
export function isOverdue(record: IncidentRecord, nowMs: number): boolean {
  const { incident, held, owesClosing } = record;
  if (held || !incident.handling || isMuted(incident, nowMs)) return false;
  if (owesClosing) return true;
  return incident.state === 'open' && dueKinds(record, false, false).length > 0;
}

function hasTold({ mailed, held }: IncidentRecord): boolean {
  return !held && mailed.includes('opened') && !mailed.includes('closed');
}

/** What began and ended without a word needs none afterwards. @param isNew  it opens just now */
function dueKinds({ incident, mailed, held }: IncidentRecord, settled: boolean, isNew: boolean): MailKind[] {
  if (held) return [];
  const kinds: MailKind[] = [];
  const told = mailed.includes('opened');
  if (!told && (incident.state === 'open' || isNew)) kinds.push('opened');
  else if (told && incident.severity === 'critical' && !mailed.includes('critical')) kinds.push('critical');
  if (settled && (told || kinds.length > 0) && !mailed.includes('closed')) kinds.push('closed');
  return kinds;
}

/** A first mail that already says critical needs no second one to say so. */
function withImplied(kinds: readonly MailKind[], { incident }: IncidentRecord): MailKind[] {
  const saysCritical = kinds.includes('opened') && incident.severity === 'critical';
  return saysCritical ? [...kinds, 'critical'] : [...kinds];
}
