import type { RecordBatch } from '@edgeward/shared/contracts';
import { longestHoldMs } from './correct.js';

/** A wall clock that moved by more than this against the monotonic one was set; less is its steering. */
export const stepMs = 1000;
/** Two clocks are not read at the same moment. */
const toleranceMs = 50;

/** The wall clock was set. Offsets are wall minus monotonic time, ms. */
interface ClockStep {
  readonly before: number;
  readonly after: number;
  /** Monotonic; it happened between these. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Sees when the wall clock is set, and which rows were read before. */
export class ClockSteps {
  #offsetMs: number;
  #checkedMs: number;
  #last: ClockStep | undefined;

  constructor(wallMs: number, monotonicMs: number) {
    this.#offsetMs = wallMs - monotonicMs;
    this.#checkedMs = monotonicMs;
  }

  /** By how much a check now would find the wall clock ahead, ms. */
  aheadMs(wallMs: number, monotonicMs: number): number {
    return wallMs - monotonicMs - this.#offsetMs;
  }

  /** @returns by how much the clock was set since the last check, ms; undefined = it was not */
  check(wallMs: number, monotonicMs: number): number | undefined {
    const after = wallMs - monotonicMs;
    const step = { before: this.#offsetMs, after, fromMs: this.#checkedMs, toMs: monotonicMs };
    this.#offsetMs = after;
    this.#checkedMs = monotonicMs;
    if (Math.abs(step.after - step.before) <= stepMs) return undefined;
    this.#last = step;
    return step.after - step.before;
  }

  /**
   * A batch may hold rows that were read before the clock was set and rows that were read after it. The same batch
   * with all of them in the time of the clock as it is now. Times that fit neither are not the clock's: they stay.
   * For a step that is shorter than rows are held, a row may fit both: then it stays as well.
   * @param nowMs  monotonic
   */
  onOneClock(batch: RecordBatch, nowMs: number): RecordBatch {
    const step = this.#last;
    if (!step || nowMs - step.toMs > longestHoldMs) return batch;
    const isAfter = (ms: number) =>
      ms - step.after >= step.fromMs - toleranceMs && ms - step.after <= nowMs + toleranceMs;
    const isBefore = (ms: number) =>
      ms - step.before >= step.toMs - longestHoldMs && ms - step.before <= step.toMs + toleranceMs;
    if (!batch.time.some(ms => isBefore(ms) && !isAfter(ms))) return batch;
    const byUs = Math.round((step.after - step.before) * 1000);
    const time = batch.time.map(ms =>
      isBefore(ms) && !isAfter(ms) ? (Math.round(ms * 1000) + byUs) / 1000 : ms,
    );
    return { ...batch, time };
  }
}
