import { hasBit } from '@edgeward/shared/batch';
import type { Column, Field, RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import type { DeviceState } from './device-state.js';
import type { Marks } from './marks.js';

/** Below this span, ms, two readings say nothing about a rate: clocks are coarser than that. */
const shortestRateSpanMs = 1;

/** One pass over one numeric or boolean column: missing, invalid, out of range, too fast, stuck. */
export function checkNumbers(
  batch: RecordBatch,
  field: Field,
  f: number,
  states: readonly DeviceState[],
  marks: Marks,
): void {
  const values = numbersOf(batch.values[f]!, field);
  const missing = batch.missing?.[f];
  // Not a number and infinite fail the same comparison as a value out of range, so that good cells cost one.
  const low = field.min ?? -Number.MAX_VALUE;
  const high = field.max ?? Number.MAX_VALUE;
  const remembers = field.maxRate !== undefined || field.stuckAfter !== undefined;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    let bits = 0;
    if (hasBit(missing, i)) bits = Quality.missing;
    else if (!(value >= low && value <= high)) {
      bits = Number.isFinite(value) ? Quality.outOfRange : Quality.invalid;
    }
    if (remembers && (bits & (Quality.missing | Quality.invalid)) === 0) {
      const state = states[batch.device[i]!]!;
      if (field.maxRate !== undefined) {
        bits |= checkRate(state, f, value, batch.time[i]!, bits === 0, field.maxRate);
      }
      if (field.stuckAfter !== undefined) bits |= checkStuck(state, f, value, field.stuckAfter);
    }
    if (bits !== 0) marks.field(f, i, bits);
  }
}

/** Whole numbers lose digits above 2^53 here, which matters to no bound; stored they keep them. */
function numbersOf(column: Column, field: Field): Float64Array | Uint8Array {
  if (column instanceof Float64Array || column instanceof Uint8Array) return column;
  const bounded = [field.min, field.max, field.maxRate, field.stuckAfter].some(bound => bound !== undefined);
  const numbers = new Float64Array(column.length);
  if (bounded) for (let i = 0; i < numbers.length; i++) numbers[i] = Number(column[i]);
  return numbers;
}

/** Against the last good value; the change allowed grows with the time since, so that a new level is accepted. */
function checkRate(
  state: DeviceState,
  f: number,
  value: number,
  timeMs: number,
  good: boolean,
  maxRate: number,
): number {
  const spanMs = timeMs - state.goodTime[f]!;
  const judged = spanMs >= shortestRateSpanMs;
  const change = Math.abs(value - state.goodValue[f]!);
  if (judged && change > (maxRate * spanMs * (1 + 1e-9)) / 1000) return Quality.rateOfChange;
  // The first value and the first after the clock went back start anew; one too close to judge is no base.
  const isBase = judged || !(spanMs >= 0);
  if (good && isBase) {
    state.goodValue[f] = value;
    state.goodTime[f] = timeMs;
  }
  return 0;
}

function checkStuck(state: DeviceState, f: number, value: number, stuckAfter: number): number {
  state.runLength[f] = value === state.runValue[f] ? state.runLength[f]! + 1 : 1;
  state.runValue[f] = value;
  return state.runLength[f]! >= stuckAfter ? Quality.stuck : 0;
}
