/** What people do with an incident: they take it on, ask for quiet, say whether it was real. */
import { EdgewardError } from '@edgeward/shared/errors';
import { clean, formatTime } from '../notifiers/format.js';
import type { Incident } from './incident.js';
import { noted } from './incident-change.js';
import type { MaintenanceWindow } from './maintenance.js';

/** Absent parts: nobody has. */
export interface Handling {
  readonly acknowledged?: { readonly atMs: number; readonly by: string };
  /** No mails before then, ms. */
  readonly mutedUntilMs?: number;
  readonly feedback?: {
    readonly verdict: Feedback;
    readonly atMs: number;
    readonly by: string;
    /** It moved a threshold of the device; absent: it did not, or it is of an earlier release. */
    readonly moved?: true;
  };
  /** It opened while somebody worked there: no mails before the end of that. */
  readonly maintenance?: { readonly name: string; readonly untilMs: number };
}

export type Feedback = 'real' | 'false-alarm';

export type HandlingAction =
  | { readonly kind: 'acknowledge' }
  /** 0 ends it. */
  | { readonly kind: 'mute'; readonly minutes: number }
  | { readonly kind: 'feedback'; readonly verdict: Feedback };

const somebody = 'somebody';

/**
 * The same incident if nothing changes.
 * @param by  as they call themselves; nobody checks it
 */
export function handle(
  incident: Incident,
  action: HandlingAction,
  by: string | undefined,
  nowMs: number,
): Incident {
  const who = clean(by ?? '', 60) || somebody;
  const { handling = {} } = incident;
  const put = (more: Handling, text: string): Incident =>
    noted({ ...incident, handling: { ...handling, ...more } }, { atMs: nowMs, text });
  switch (action.kind) {
    case 'acknowledge':
      if (handling.acknowledged) return incident;
      return put({ acknowledged: { atMs: nowMs, by: who } }, `Acknowledged by ${who}`);
    case 'mute':
      return mute(incident, action.minutes, who, nowMs);
    case 'feedback': {
      if (handling.feedback?.verdict === action.verdict) return incident;
      const feedback = { verdict: action.verdict, atMs: nowMs, by: who };
      const said = action.verdict === 'real' ? 'a real one' : 'a false alarm';
      return put({ feedback }, `Called ${said} by ${who}`);
    }
  }
}

/** What somebody said of it moved a threshold. */
export function withMoved(incident: Incident): Incident {
  const { feedback } = incident.handling ?? {};
  if (!feedback) return incident;
  return { ...incident, handling: { ...incident.handling, feedback: { ...feedback, moved: true } } };
}

function mute(incident: Incident, minutes: number, who: string, nowMs: number): Incident {
  const { mutedUntilMs, ...others } = incident.handling ?? {};
  if (minutes === 0) {
    if (mutedUntilMs === undefined) return incident;
    return noted({ ...incident, handling: others }, { atMs: nowMs, text: `No longer muted, by ${who}` });
  }
  const untilMs = nowMs + 60_000 * minutes;
  const text = `Muted until ${formatTime(untilMs)} by ${who}`;
  return noted({ ...incident, handling: { ...others, mutedUntilMs: untilMs } }, { atMs: nowMs, text });
}

/** As it opens. */
export function inMaintenance(incident: Incident, { name, to }: MaintenanceWindow): Incident {
  const maintenance = { name: clean(name), untilMs: Date.parse(to) };
  const text = `Opened during ${maintenance.name}: no mails before ${formatTime(maintenance.untilMs)}`;
  return noted(
    { ...incident, handling: { ...incident.handling, maintenance } },
    { atMs: incident.openedMs, text },
  );
}

export function isMuted({ handling }: Incident, nowMs: number): boolean {
  return Math.max(handling?.mutedUntilMs ?? 0, handling?.maintenance?.untilMs ?? 0) > nowMs;
}

export function unknownIncident(id: string): EdgewardError {
  return new EdgewardError('EW_USAGE', `There is no incident ${clean(id, 60)}: it may be too old.`);
}
