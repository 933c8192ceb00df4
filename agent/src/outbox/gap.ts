/** From when to when rows may have been read and not kept: remembered until the collector has been told. */

/** Wall times, ms. */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

export const gapRecord = 'gap';

/**
 * A start that was killed before it could tell leaves its gap to the next one.
 * @param kept  what stands in the store
 * @param lastCommitMs  before a kill; undefined if there was none, or nobody knows
 */
export function gapAtStart(kept: unknown, lastCommitMs: number | undefined, nowMs: number): Gap | undefined {
  const untold = isGap(kept) ? kept : undefined;
  if (lastCommitMs === undefined) return untold;
  return { fromMs: Math.min(lastCommitMs, untold?.fromMs ?? lastCommitMs), toMs: nowMs };
}

function isGap(kept: unknown): kept is Gap {
  const { fromMs, toMs } = (kept ?? {}) as Partial<Gap>;
  return Number.isFinite(fromMs) && Number.isFinite(toMs);
}
