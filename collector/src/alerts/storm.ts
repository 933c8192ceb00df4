/**
 * When a whole plant trips, twenty mails say it as well as two hundred. Openings are counted by the collector's
 * clock, since the devices' clocks need not agree; only those that mail, so no work announced and no part of another
 * incident. What is held back is named in the timeline of the storm's first incident. It is told once the storm is over,
 * if it is still open; what is critical is held back only by others that are.
 */
import type { AlertsConfig } from './config.js';

export interface Opening {
  readonly atMs: number;
  readonly incidentId: string;
  readonly place: string;
}

export interface StormState {
  /** Openings of the last `stormWithinMs` that mail. */
  readonly openings: readonly Opening[];
  /** The first incident of the storm that is on, if one is. */
  readonly firstId: string | null;
  readonly held: readonly string[];
  /** Held-back devices beyond those named in `held`. */
  readonly more: number;
  /** When one was last held back, ms; absent: none was, or by an earlier release. */
  readonly heldMs?: number;
}

export const calm: StormState = { openings: [], firstId: null, held: [], more: 0 };

const maxNamed = 20;

type Limits = Pick<AlertsConfig, 'stormDevices' | 'stormWithinMs'>;
/** Whether the incident with this id is critical by now. */
export type IsCritical = (incidentId: string) => boolean;

/** Whether one more may be mailed: critical ones give way to no others. */
export function hasPlace(
  { openings }: StormState,
  { atMs, incidentId }: Pick<Opening, 'atMs' | 'incidentId'>,
  isCritical: IsCritical,
  { stormDevices, stormWithinMs }: Limits,
): boolean {
  const counts = isCritical(incidentId) ? isCritical : () => true;
  const rivals = openings.filter(one => atMs - one.atMs < stormWithinMs && counts(one.incidentId));
  return rivals.length < stormDevices;
}

/** It is mailed. */
export function withOpening(state: StormState, opening: Opening, limits: Limits): StormState {
  const recent = state.openings.filter(({ atMs }) => opening.atMs - atMs < limits.stormWithinMs);
  return { ...(isStormy(state, opening.atMs, limits) ? state : calm), openings: [...recent, opening] };
}

/** It is held back. */
export function withHeld(state: StormState, { atMs, place }: Opening): StormState {
  const named = state.held.length < maxNamed;
  return {
    openings: state.openings,
    firstId: state.firstId ?? state.openings[0]?.incidentId ?? null,
    held: named ? [...state.held, place] : state.held,
    more: named ? state.more : state.more + 1,
    heldMs: atMs,
  };
}

/** It has become part of another, which mails for both. */
export function withoutOpening(state: StormState, incidentId: string): StormState {
  const openings = state.openings.filter(one => one.incidentId !== incidentId);
  return openings.length === state.openings.length ? state : { ...state, openings };
}

/** Whether mails were held back of late, so that those that can be done without are, too. */
export function isStormy({ heldMs }: StormState, nowMs: number, { stormWithinMs }: Limits): boolean {
  return heldMs !== undefined && Math.abs(nowMs - heldMs) < stormWithinMs;
}
