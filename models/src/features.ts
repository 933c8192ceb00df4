import type { RecordBatch, Schema } from '@edgeward/shared/contracts';
import { channelColumns } from './channels.js';
import { type FeatureKind, type FeatureSpec, featureNames, termCount } from './feature-spec.js';
import type { Memory } from './memory.js';
import { putTerms } from './terms.js';

/** Per channel and device: last good value, short and long mean, short-term variance, good values seen, residual. */
const slots = 6;
const [lastSlot, shortSlot, longSlot, varianceSlot, seenSlot, residualSlot] = [0, 1, 2, 3, 4, 5];

interface DeviceState {
  readonly channels: Float64Array;
  rows: number;
  lastMs: number;
}

/** Feature kinds as small numbers. */
const codes: Readonly<Record<FeatureKind, number>> = { value: 0, change: 1, mean: 2, spread: 3, residual: 4 };

/**
 * Turns rows into features as they come, with work and memory that do not grow with time. The state is kept per
 * device, so it does not matter how rows are cut into batches or mixed with those of other devices.
 * A missing, invalid or physically impossible value leaves the channel's features as the last good one left them.
 */
export class FeatureExtractor {
  readonly names: readonly string[];
  readonly #devices = new Map<string, DeviceState>();
  readonly #known = new WeakMap<Schema, readonly DeviceState[]>();
  readonly #terms: Float64Array;
  readonly #relates: boolean;
  /** By channel. */
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #start: Float64Array;
  /** By channel: 1 = something is computed from its means. */
  readonly #averaged: Uint8Array;
  /** By column of the matrix. */
  readonly #codes: Uint8Array;
  readonly #channels: Uint16Array;

  constructor(readonly spec: FeatureSpec) {
    this.names = featureNames(spec);
    this.#terms = new Float64Array(termCount(spec.channels.length));
    this.#terms[this.#terms.length - 1] = 1;
    this.#relates = spec.channels.some(channel => channel.weights);
    this.#low = Float64Array.from(spec.channels, ({ low }) => low);
    this.#high = Float64Array.from(spec.channels, ({ high }) => high);
    this.#start = Float64Array.from(spec.channels, ({ start }) => start);
    this.#averaged = Uint8Array.from(spec.channels, ({ features }) =>
      this.#relates || features.some(kind => kind !== 'value') ? 1 : 0,
    );
    this.#codes = Uint8Array.from(spec.channels.flatMap(({ features }) => features.map(kind => codes[kind])));
    this.#channels = Uint16Array.from(spec.channels.flatMap(({ features }, c) => features.map(() => c)));
  }

  /** Numeric fields the spec names and the schema lacks. Unless empty, `extract` must not be called. */
  lacking(schema: Schema): string[] {
    const has = new Set(schema.fields.filter(field => field.kind !== 'string').map(field => field.name));
    return this.spec.channels.map(channel => channel.field).filter(field => !has.has(field));
  }

  /**
   * @param matrix  gets the features, row-major [n, names]
   * @param warmUp  [n] gets 1 where the device has not yet been seen long enough
   */
  extract(batch: RecordBatch, matrix: Float32Array, warmUp: Uint8Array): void {
    const devices = this.#statesOf(batch.schema);
    const columns = channelColumns(batch, this.spec);
    for (let r = 0; r < batch.time.length; r++) {
      const state = devices[batch.device[r]!]!;
      begin(state, batch.time[r]!, this.spec.maxGapMs);
      warmUp[r] = state.rows <= this.spec.warmUpRows ? 1 : 0;
      this.#advance(columns, r, state.channels);
      if (this.#relates) this.#relate(columns, r, state.channels);
      this.#write(state.channels, matrix, r * this.names.length);
    }
  }

  /** Time of the device's newest row; not finite before the first. */
  newestMs(device: string): number {
    return this.#stateOf(device).lastMs;
  }

  remember(device: string, memory: Memory): void {
    const state = this.#stateOf(device);
    memory.array(state.channels);
    state.rows = memory.count(state.rows);
    state.lastMs = memory.number(state.lastMs);
  }

  /** Takes the values of a row in; NaN: there is none. */
  #advance(columns: readonly Float64Array[], r: number, state: Float64Array): void {
    const [low, high] = [this.#low, this.#high];
    for (let c = 0, s = 0; c < columns.length; c++, s += slots) {
      const value = columns[c]![r]!;
      if (Number.isNaN(value)) continue;
      const v = value < low[c]! ? low[c]! : value > high[c]! ? high[c]! : value;
      state[s + lastSlot] = v;
      state[s + seenSlot]! += 1;
      if (this.#averaged[c] === 1) this.#average(v, s, state);
    }
  }

  #average(v: number, s: number, state: Float64Array): void {
    const seen = state[s + seenSlot]!;
    // Until enough values have come, plain means: the first value would otherwise weigh too much.
    const short = Math.max(this.spec.shortWeight, 1 / seen);
    const long = Math.max(this.spec.longWeight, 1 / seen);
    const off = v - state[s + shortSlot]!;
    state[s + shortSlot]! += short * off;
    state[s + longSlot]! += long * (v - state[s + longSlot]!);
    // West 1979, exponentially weighted. The first value has nothing to differ from.
    state[s + varianceSlot] = seen === 1 ? 0 : (1 - short) * (state[s + varianceSlot]! + short * off * off);
  }

  /** Residuals need all channels of the row, so they come after the means. */
  #relate(columns: readonly Float64Array[], r: number, state: Float64Array): void {
    const { channels } = this.spec;
    const terms = this.#terms;
    for (let c = 0; c < channels.length; c++) {
      const s = c * slots;
      const seen = state[s + seenSlot] !== 0;
      const { start } = channels[c]!;
      const [value, mean] = seen ? [state[s + lastSlot]!, state[s + longSlot]!] : [start, start];
      putTerms(channels[c]!, value, mean, c, channels.length, terms);
    }
    for (let c = 0; c < channels.length; c++) {
      const { weights, center, scale } = channels[c]!;
      if (!weights || Number.isNaN(columns[c]![r]!)) continue;
      let residual = (state[c * slots + lastSlot]! - center) / scale;
      for (let t = 0; t < terms.length; t++) residual -= weights[t]! * terms[t]!;
      state[c * slots + residualSlot] = residual;
    }
  }

  #write(state: Float64Array, matrix: Float32Array, from: number): void {
    const [kinds, channels] = [this.#codes, this.#channels];
    for (let k = 0; k < kinds.length; k++) {
      const c = channels[k]!;
      matrix[from + k] = this.#feature(kinds[k]!, state, c * slots, c);
    }
  }

  #feature(code: number, state: Float64Array, s: number, c: number): number {
    if (code === codes.change) return state[s + shortSlot]! - state[s + longSlot]!;
    if (code === codes.spread) return Math.sqrt(state[s + varianceSlot]!);
    if (code === codes.residual) return state[s + residualSlot]!;
    if (state[s + seenSlot] === 0) return this.#start[c]!;
    return state[s + (code === codes.value ? lastSlot : longSlot)]!;
  }

  #statesOf(schema: Schema): readonly DeviceState[] {
    let states = this.#known.get(schema);
    if (!states) {
      states = schema.devices.map(device => this.#stateOf(device));
      this.#known.set(schema, states);
    }
    return states;
  }

  #stateOf(device: string): DeviceState {
    let state = this.#devices.get(device);
    if (!state) {
      const channels = new Float64Array(this.spec.channels.length * slots);
      state = { channels, rows: 0, lastMs: Number.POSITIVE_INFINITY };
      this.#devices.set(device, state);
    }
    return state;
  }
}

function begin(state: DeviceState, timeMs: number, maxGapMs: number): void {
  if (timeMs - state.lastMs > maxGapMs) {
    state.rows = 0;
    state.channels.fill(0);
  }
  state.rows += 1;
  state.lastMs = timeMs;
}
