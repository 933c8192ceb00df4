import { hasBit } from '@edgeward/shared/batch';
import type { Column, Field, RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import type { DeviceState } from './device-state.js';
import type { Marks } from './marks.js';
import type { RowsByDevice } from './rows-by-device.js';

/** Below this span, ms, two readings say nothing about a rate: clocks are coarser than that. */
const shortestRateSpanMs = 1;

type Numbers = Float64Array | Uint8Array;

/** A numeric or boolean column and what is asked of it. */
interface Checked {
  readonly field: Field;
  readonly f: number;
  readonly numbers: Numbers;
  readonly missing: Uint8Array | undefined;
  // Not a number and infinite fail the same comparison as a value out of range, so that good cells cost one.
  readonly low: number;
  readonly high: number;
}

/** One pass over one numeric or boolean column: missing, invalid, out of range, too fast, stuck. */
export function checkNumbers(
  batch: RecordBatch,
  field: Field,
  f: number,
  states: readonly DeviceState[],
  rows: RowsByDevice,
  marks: Marks,
): void {
  const column: Checked = {
    field,
    f,
    numbers: numbersOf(batch.values[f]!, field),
    missing: batch.missing?.[f],
    low: field.min ?? -Number.MAX_VALUE,
    high: field.max ?? Number.MAX_VALUE,
  };
  if (field.maxRate === undefined && field.stuckAfter === undefined) {
    checkEach(column, marks);
    return;
  }
  let from = 0;
  for (let d = 0; d < rows.devices.length; d++) {
    const end = rows.ends[d]!;
    const state = states[rows.devices[d]!]!;
    if (column.missing || !areAllGood(column, batch.time, rows.order, from, end, state))
      checkInTurn(column, batch.time, rows.order, from, end, state, marks);
    from = end;
  }
}

/** Whole numbers lose digits above 2^53 here, which matters to no bound; stored they keep them. */
function numbersOf(column: Column, field: Field): Numbers {
  if (column instanceof Float64Array || column instanceof Uint8Array) return column;
  const bounded = [field.min, field.max, field.maxRate, field.stuckAfter].some(bound => bound !== undefined);
  const numbers = new Float64Array(column.length);
  if (bounded) for (let i = 0; i < numbers.length; i++) numbers[i] = Number(column[i]);
  return numbers;
}

/** What needs no memory. */
function checkEach({ f, numbers, missing, low, high }: Checked, marks: Marks): void {
  if (!missing && numbers instanceof Uint8Array && low <= 0 && high >= 255) return;
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i]!;
    if (missing !== undefined && hasBit(missing, i)) marks.field(f, i, Quality.missing);
    else if (!(value >= low && value <= high)) marks.field(f, i, outsideBits(value));
  }
}

function outsideBits(value: number): number {
  return Number.isFinite(value) ? Quality.outOfRange : Quality.invalid;
}

/**
 * Mostly nothing is wrong with any row of a device, which is found out in half the time. True only if `checkInTurn`
 * would mark nothing; then the state is as that would leave it.
 */
function areAllGood(
  { field, f, numbers, low, high }: Checked,
  time: Float64Array,
  order: Uint32Array,
  from: number,
  end: number,
  state: DeviceState,
): boolean {
  const { maxRate = 0, stuckAfter = Number.POSITIVE_INFINITY } = field;
  const rated = field.maxRate !== undefined;
  let goodValue = state.goodValue[f]!;
  let goodTime = state.goodTime[f]!;
  let runValue = state.runValue[f]!;
  let runLength = state.runLength[f]!;
  for (let k = from; k < end; k++) {
    const i = order[k]!;
    const value = numbers[i]!;
    if (!(value >= low && value <= high)) return false;
    if (rated) {
      const at = time[i]!;
      const spanMs = at - goodTime;
      if (!(spanMs >= shortestRateSpanMs)) return false;
      if (Math.abs(value - goodValue) > (maxRate * spanMs * (1 + 1e-9)) / 1000) return false;
      goodValue = value;
      goodTime = at;
    }
    runLength = value === runValue ? runLength + 1 : 1;
    runValue = value;
    if (runLength >= stuckAfter) return false;
  }
  state.goodValue[f] = goodValue;
  state.goodTime[f] = goodTime;
  state.runValue[f] = runValue;
  state.runLength[f] = runLength;
  return true;
}

/**
 * The rows of one device, which its state has to see one after the other.
 *
 * Rates are judged against the last good value; the change allowed grows with the time since, so that a new level is
 * accepted.
 */
function checkInTurn(
  { field, f, numbers, missing, low, high }: Checked,
  time: Float64Array,
  order: Uint32Array,
  from: number,
  end: number,
  state: DeviceState,
  marks: Marks,
): void {
  const { maxRate, stuckAfter = Number.POSITIVE_INFINITY } = field;
  let goodValue = state.goodValue[f]!;
  let goodTime = state.goodTime[f]!;
  let runValue = state.runValue[f]!;
  let runLength = state.runLength[f]!;
  for (let k = from; k < end; k++) {
    const i = order[k]!;
    const value = numbers[i]!;
    let bits = 0;
    if (missing !== undefined && hasBit(missing, i)) {
      marks.field(f, i, Quality.missing);
      continue;
    }
    if (!(value >= low && value <= high)) {
      bits = outsideBits(value);
      if (bits === Quality.invalid) {
        marks.field(f, i, bits);
        continue;
      }
    }
    if (maxRate !== undefined) {
      const spanMs = time[i]! - goodTime;
      const judged = spanMs >= shortestRateSpanMs;
      // The first value and the first after the clock went back start anew; one too close to judge is no base.
      if (judged && Math.abs(value - goodValue) > (maxRate * spanMs * (1 + 1e-9)) / 1000)
        bits |= Quality.rateOfChange;
      else if (bits === 0 && (judged || !(spanMs >= 0))) {
        goodValue = value;
        goodTime = time[i]!;
      }
    }
    runLength = value === runValue ? runLength + 1 : 1;
    runValue = value;
    if (runLength >= stuckAfter) bits |= Quality.stuck;
    if (bits !== 0) marks.field(f, i, bits);
  }
  state.goodValue[f] = goodValue;
  state.goodTime[f] = goodTime;
  state.runValue[f] = runValue;
  state.runLength[f] = runLength;
}
