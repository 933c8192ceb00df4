/**
 * When a whole plant trips, twenty mails say it as well as two hundred. Openings are counted by the collector's
 * clock, since the devices' clocks need not agree. A held-back incident gets no mail at all, not even when it
 * becomes critical or closes: the page has it, and the timeline of the storm's first incident names it.
 */
import type { AlertsConfig } from './config.js';

export interface Opening {
  readonly atMs: number;
  readonly incidentId: string;
  readonly place: string;
}

export interface StormState {
  /** Openings of the last `stormWithinMs`. */
  readonly openings: readonly Opening[];
  /** The first incident of the storm that is on, if one is. */
  readonly firstId: string | null;
  readonly held: readonly string[];
  /** Held-back devices beyond those named in `held`. */
  readonly more: number;
}

export const calm: StormState = { openings: [], firstId: null, held: [], more: 0 };

const maxNamed = 20;
/** Enough to know that it is a storm. */
const maxOpenings = 1000;

export function afterOpening(state: StormState, opening: Opening, config: AlertsConfig): StormState {
  const openings = [...state.openings, opening]
    .filter(other => opening.atMs - other.atMs < config.stormWithinMs)
    .slice(-Math.max(maxOpenings, config.stormDevices + 1));
  if (openings.length <= config.stormDevices) return { ...calm, openings };
  const named = state.held.length < maxNamed;
  return {
    openings,
    firstId: state.firstId ?? openings[0]?.incidentId ?? null,
    held: named ? [...state.held, opening.place] : state.held,
    more: named ? state.more : state.more + 1,
  };
}

/** Whether so many have opened of late that mails which can be done without are. */
export function isStormy(
  { openings }: StormState,
  nowMs: number,
  { stormDevices, stormWithinMs }: Pick<AlertsConfig, 'stormDevices' | 'stormWithinMs'>,
): boolean {
  return openings.filter(({ atMs }) => Math.abs(nowMs - atMs) < stormWithinMs).length > stormDevices;
}

export function isStorm(state: StormState): boolean {
  return state.firstId !== null;
}
