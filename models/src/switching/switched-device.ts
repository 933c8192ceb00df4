import type { Memory } from '../memory.js';
import { TimeOrder } from '../stream/time-order.js';
import type { StateLimits } from './state-limits.js';
import type { Switching } from './switching-model.js';

/** No value counts as farther from its center than so many standard deviations. */
const farthest = 50;
const states = [0, 1] as const;
export type State = (typeof states)[number];

/**
 * One machine that is switched on and off by turns. Of each state it keeps the channels' means over the last time that it
 * was in it, which stand still while it is in the other, and says how far they are from what they let each other expect.
 */
export class SwitchedDevice {
  readonly #order = new TimeOrder();
  /** Off, on: per channel, standardised. */
  readonly means: readonly [Float64Array, Float64Array];
  /** Off, on: of the newest means; 1 at the limits. */
  readonly ratios = new Float64Array(2);
  /** How long either state has been looked at, ms. */
  readonly seenMs = new Float64Array(2);
  readonly #by: number;
  #state: State | undefined;
  #sinceMs = 0;
  /** Rows in which it has been beyond the limits, without a break, with the newest. */
  beyondRows = 0;

  /** @param limits  off, on: of the model */
  constructor(
    private readonly model: Switching,
    private readonly limits: readonly [StateLimits, StateLimits],
  ) {
    this.#by = model.fields.indexOf(model.by.field);
    const fresh = () => new Float64Array(model.fields.length);
    this.means = [fresh(), fresh()];
  }

  get newestMs(): number {
    return this.#order.newestMs;
  }

  /**
   * @param columns  per field of the model, [n]; NaN = missing
   * @returns        the state that the row was taken in as; undefined = it says nothing
   */
  next(columns: readonly Float64Array[], row: number, timeMs: number): State | undefined {
    const beforeMs = this.#order.newestMs;
    const order = this.#order.next(timeMs);
    if (order === 'late') return undefined;
    if (order === 'setBack' || timeMs - beforeMs > this.model.maxGapMs) this.#begin();
    const switched = columns[this.#by]![row]!;
    if (Number.isNaN(switched)) return undefined;
    const state = this.#stateAt(switched, timeMs);
    const stepMs = timeMs - beforeMs;
    // Of the first row of all, and of one at the time of the last, nobody knows for how long it stands.
    if (state === undefined || !(stepMs > 0 && stepMs <= this.model.maxGapMs)) return undefined;
    const { settleMs } = this.model.states[state];
    if (timeMs - this.#sinceMs < settleMs) return undefined;
    this.#take(columns, row, state, stepMs);
    return state;
  }

  /** The higher of both states' ratios. */
  get ratio(): number {
    return Math.max(this.ratios[0]!, this.ratios[1]!);
  }

  remember(memory: Memory): void {
    this.#order.remember(memory);
    for (const means of this.means) memory.array(means);
    memory.array(this.ratios);
    memory.array(this.seenMs);
    // 0 = not known yet.
    const state = memory.count(this.#state === undefined ? 0 : this.#state + 1);
    this.#state = states[state - 1];
    this.#sinceMs = memory.number(this.#sinceMs);
    this.beyondRows = memory.count(this.beyondRows);
  }

  #begin(): void {
    for (const means of this.means) means.fill(0);
    this.ratios.fill(0);
    this.seenMs.fill(0);
    this.#state = undefined;
    this.beyondRows = 0;
  }

  #stateAt(value: number, timeMs: number): State | undefined {
    const { off, on } = this.model.by;
    const now = value < off ? 0 : value > on ? 1 : this.#state;
    if (now !== this.#state) this.#sinceMs = timeMs;
    this.#state = now;
    return now;
  }

  #take(columns: readonly Float64Array[], row: number, state: State, stepMs: number): void {
    const { meanMs, center, scale } = this.model.states[state];
    const means = this.means[state];
    this.seenMs[state]! += stepMs;
    // Until enough has been seen, plain means: the first value would otherwise weigh too much.
    const weight = Math.max(stepMs / (meanMs + stepMs), stepMs / this.seenMs[state]!);
    for (let c = 0; c < columns.length; c++) {
      const z = (columns[c]![row]! - center[c]!) / scale[c]!;
      if (Number.isNaN(z)) continue;
      means[c]! += weight * ((z > farthest ? farthest : z < -farthest ? -farthest : z) - means[c]!);
    }
    this.ratios[state] = this.seenMs[state]! < meanMs ? 0 : this.limits[state].ratio(means);
  }
}
