import type { RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';

/** Wall times, ms: what the clock showed when a row of the batch may have been read. */
export interface ClockSpan {
  readonly fromMs: number;
  readonly throughMs: number;
}

/** Rows reach their block within this time after they were read. */
export const longestHoldMs = 10 * 60_000;
/** A clock may be steered a little while a block is made. */
const aheadMs = 1000;

/**
 * The batch in the right time: adds the offset to the times of its rows, in whole microseconds, so that rows of one
 * device that were apart stay apart and in their order. The model, its scores and all else stay.
 * @param offsetMs  to add; 0 = none is known or none is needed
 * @param unsure    marks the rows `timeUnsure`
 * @param only      rows outside of it have their times from elsewhere, for example from a recording: they stay
 */
export function correctTimes(
  batch: RecordBatch,
  offsetMs: number,
  unsure: boolean,
  only?: ClockSpan,
): RecordBatch {
  const offsetUs = Math.round(offsetMs * 1000);
  if (offsetUs === 0 && !unsure) return batch;
  const time = Float64Array.from(batch.time);
  const quality = Uint16Array.from(batch.quality);
  for (let i = 0; i < time.length; i++) {
    const ms = time[i]!;
    if (!Number.isFinite(ms) || (only && (ms < only.fromMs || ms > only.throughMs))) continue;
    if (offsetUs !== 0) time[i] = (Math.round(ms * 1000) + offsetUs) / 1000;
    if (unsure) quality[i]! |= Quality.timeUnsure;
  }
  return { ...batch, time, quality };
}

/** What the clock showed while the rows were read of a block that was made when it showed `atMs`. */
export function clockSpanOf(atMs: number): ClockSpan {
  return { fromMs: atMs - longestHoldMs, throughMs: atMs + aheadMs };
}
