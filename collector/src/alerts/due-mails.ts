import { isUpdate, type MailKind, type MailRequest, type Told, updateKinds } from '../notifiers/mail.js';
import type { Draft, IncidentRecord } from './board.js';
import type { AlertsConfig } from './config.js';
import { undiagnosed } from './diagnosing.js';
import { isMuted } from './handling.js';
import type { Incident } from './incident.js';
import { isCovered } from './joining.js';
import { hasPlace, isStormy, withOpening } from './storm.js';

/**
 * So long a first mail waits for a second look at the cause, ms: of simulated faults the first look, a row or two after
 * the beginning, calls a wrong cause likely three times as often (deploy/diagnosis.md).
 */
const secondLookMs = 3000;

/**
 * The mails that the draft's incidents are due, each noted on its incident so that it is due only once.
 * @param unseen  incidents whose cause nobody had time to look for yet
 */
export function dueMails(
  draft: Draft,
  nowMs: number,
  config: AlertsConfig,
  unseen?: ReadonlySet<string>,
): MailRequest[] {
  const stormy = isStormy(draft.storm, nowMs, config);
  return draft.touched().flatMap(found => {
    const { id } = found.incident;
    const record = released(found, draft, config, nowMs, unseen);
    const settled = draft.isSettled(id) || record.owesClosing === true;
    if (isMuted(record.incident, nowMs)) {
      // What ends in silence waits for no look any more.
      const { waitsUntilMs: _, ...rest } = record;
      draft.setRecord(settled && hasTold(record) ? { ...rest, owesClosing: true } : rest);
      return [];
    }
    if (isCovered(record, draft, config, nowMs)) return [];
    const urgent = dueKinds(record, settled, draft.isNew(id));
    const kinds = urgent.length > 0 || stormy ? urgent : dueUpdates(record);
    if (kinds.length === 0 || !hasItsPlace(record, draft, config, nowMs)) return [];
    const isFresh = draft.isNew(id) || record.waitsUntilMs !== undefined;
    if (kinds[0] === 'opened' && isFresh && mayWait(record, unseen) && !hasWaited(record, nowMs)) {
      if (record.waitsUntilMs === undefined)
        draft.setRecord({ ...record, waitsUntilMs: nowMs + secondLookMs });
      return [];
    }
    if (kinds[0] === 'opened' && record.incident.handling?.maintenance)
      draft.storm = withOpening(draft.storm, openingOf(record, nowMs), config);
    const { owesClosing: _, waitsUntilMs: __, ...rest } = record;
    const { incident, told, trace } = record;
    const mailed = [...record.mailed, ...withImplied(kinds, record)];
    draft.setRecord({ ...rest, mailed, told: toldBy(incident) });
    return kinds.map(kind => ({
      kind,
      incident,
      ...(isUpdate(kind) && told && { told }),
      ...(trace && { trace }),
    }));
  });
}

/** Whether a mail has waited for the end of quiet, of what it is part of, or for a look at its cause, and is due now. */
export function isOverdue(
  record: IncidentRecord,
  draft: Draft,
  config: AlertsConfig,
  nowMs: number,
): boolean {
  const { incident, held, owesClosing, waitsUntilMs } = record;
  if (isMuted(incident, nowMs)) return false;
  if (held) return mayBeReleased(record, draft, config, nowMs);
  if (owesClosing) return true;
  if (incident.state !== 'open' || !hasItsPlace(record, draft, config, nowMs)) return false;
  // Others may write in between: an update does not wait for rows of its own device.
  const isUpdated = dueUpdates(record).length > 0 && !isStormy(draft.storm, nowMs, config);
  if (!isUpdated && dueKinds(record, false, false).length === 0) return false;
  // What was not looked at yet is looked at, however long it has waited.
  const isDue = waitsUntilMs === undefined || !incident.diagnosis || hasWaited(record, nowMs);
  return isDue && !isCovered(record, draft, config, nowMs);
}

/** Held back no longer, if its time has come; then it is counted, so that no storm of mails follows. */
function released(
  record: IncidentRecord,
  draft: Draft,
  config: AlertsConfig,
  nowMs: number,
  unseen: ReadonlySet<string> | undefined,
): IncidentRecord {
  if (!record.held || isMuted(record.incident, nowMs) || unseen?.has(record.incident.id)) return record;
  if (!mayBeReleased(record, draft, config, nowMs)) return record;
  draft.storm = withOpening(draft.storm, openingOf(record, nowMs), config);
  return { ...record, held: false };
}

/** After the storm; what is critical, as soon as it is known to be no part of another. */
function mayBeReleased(record: IncidentRecord, draft: Draft, config: AlertsConfig, nowMs: number): boolean {
  const { state, severity, diagnosis, detector } = record.incident;
  if (state !== 'open') return false;
  const isUrgent = severity === 'critical' && (diagnosis !== undefined || undiagnosed.has(detector));
  if (!isUrgent && isStormy(draft.storm, nowMs, config)) return false;
  return fits(record, draft, config, nowMs) && !isCovered(record, draft, config, nowMs);
}

function fits(record: IncidentRecord, draft: Draft, config: AlertsConfig, nowMs: number): boolean {
  return hasPlace(draft.storm, openingOf(record, nowMs), id => draft.isCritical(id), config);
}

function openingOf({ incident: { id, gateway, device } }: IncidentRecord, atMs: number) {
  return { atMs, incidentId: id, place: `${gateway}/${device}` };
}

/** Work that ends lets hundreds go at once: they go as those of a storm do. */
function hasItsPlace(record: IncidentRecord, draft: Draft, config: AlertsConfig, nowMs: number): boolean {
  const isFirst = !record.mailed.includes('opened') && record.incident.handling?.maintenance !== undefined;
  return !isFirst || fits(record, draft, config, nowMs);
}

function hasTold({ mailed, held }: IncidentRecord): boolean {
  return !held && mailed.includes('opened') && !mailed.includes('closed');
}

/** Whether a later look may say more, or that it is part of another. What is over is told as it is. */
function mayWait({ incident }: IncidentRecord, unseen: ReadonlySet<string> | undefined): boolean {
  const { id, state, diagnosis, detector, openedMs } = incident;
  if (state !== 'open' || undiagnosed.has(detector)) return false;
  return unseen?.has(id) || (diagnosis !== undefined && diagnosis.atMs - openedMs < secondLookMs);
}

/** A clock that was set back makes nobody wait longer. */
function hasWaited({ waitsUntilMs }: IncidentRecord, nowMs: number): boolean {
  return waitsUntilMs !== undefined && (waitsUntilMs <= nowMs || waitsUntilMs > nowMs + secondLookMs);
}

/** What began and ended without a word needs none afterwards. @param isNew  it opens just now */
function dueKinds(record: IncidentRecord, settled: boolean, isNew: boolean): MailKind[] {
  const { incident, mailed, held, waitsUntilMs } = record;
  if (held) return [];
  const kinds: MailKind[] = [];
  const told = mailed.includes('opened');
  if (!told && (incident.state === 'open' || isNew || waitsUntilMs !== undefined)) kinds.push('opened');
  else if (told && incident.severity === 'critical' && !mailed.includes('critical')) kinds.push('critical');
  if (settled && (told || kinds.length > 0) && !mailed.includes('closed')) kinds.push('closed');
  return kinds;
}

/** A first mail that already says critical needs no second one to say so. */
function withImplied(kinds: readonly MailKind[], { incident }: IncidentRecord): MailKind[] {
  const saysCritical = kinds.includes('opened') && incident.severity === 'critical';
  return saysCritical ? [...kinds, 'critical'] : [...kinds];
}

/** Looks in a row at which a cause must have been likely before it is news. */
const leastLooks = 2;

/** Whoever was told of another cause, or of none, is told once that a likely one has stayed. */
function dueUpdates({ incident, mailed, held, told }: IncidentRecord): MailKind[] {
  const { diagnosis, state } = incident;
  if (held || state !== 'open' || !told || !mailed.includes('opened')) return [];
  if (diagnosis?.verdict !== 'likely' || (diagnosis.likelyLooks ?? 0) < leastLooks) return [];
  if (told.verdict === 'likely' && told.id === diagnosis.causes[0]?.id) return [];
  return updateKinds.filter(kind => !mailed.includes(kind)).slice(0, 1);
}

function toldBy({ diagnosis }: Incident): Told {
  const [first] = diagnosis?.causes ?? [];
  if (!diagnosis || !first || diagnosis.verdict === 'unknown') return { verdict: 'unknown' };
  return { verdict: diagnosis.verdict, id: first.id, cause: first.cause };
}
