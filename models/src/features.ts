import type { RecordBatch, Schema } from '@edgeward/shared/contracts';
import { channelColumns } from './channels.js';
import { type FeatureSpec, featureNames, termCount } from './feature-spec.js';
import { putTerms } from './terms.js';

/** Per channel and device: last good value, short and long mean, short-term variance, good values seen, residual. */
const slots = 6;
const [lastSlot, shortSlot, longSlot, varianceSlot, seenSlot, residualSlot] = [0, 1, 2, 3, 4, 5];

interface DeviceState {
  readonly channels: Float64Array;
  rows: number;
  lastMs: number;
}

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

  constructor(readonly spec: FeatureSpec) {
    this.names = featureNames(spec);
    this.#terms = new Float64Array(termCount(spec.channels.length));
    this.#terms[this.#terms.length - 1] = 1;
    this.#relates = spec.channels.some(channel => channel.weights);
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
      for (let c = 0; c < columns.length; c++) this.#advance(c, columns[c]![r]!, state.channels);
      if (this.#relates) this.#relate(columns, r, state.channels);
      this.#write(state.channels, matrix, r * this.names.length);
    }
  }

  /** Takes one value into the means; NaN: there is none. */
  #advance(c: number, value: number, state: Float64Array): void {
    if (Number.isNaN(value)) return;
    const { low, high } = this.spec.channels[c]!;
    const s = c * slots;
    const v = value < low ? low : value > high ? high : value;
    const seen = state[s + seenSlot]! + 1;
    // Until enough values have come, plain means: the first value would otherwise weigh too much.
    const short = Math.max(this.spec.shortWeight, 1 / seen);
    const long = Math.max(this.spec.longWeight, 1 / seen);
    const off = v - state[s + shortSlot]!;
    state[s + lastSlot] = v;
    state[s + shortSlot]! += short * off;
    state[s + longSlot]! += long * (v - state[s + longSlot]!);
    // West 1979, exponentially weighted. The first value has nothing to differ from.
    state[s + varianceSlot] = seen === 1 ? 0 : (1 - short) * (state[s + varianceSlot]! + short * off * off);
    state[s + seenSlot] = seen;
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
    let at = from;
    for (let c = 0; c < this.spec.channels.length; c++) {
      const { features, start } = this.spec.channels[c]!;
      const s = c * slots;
      const seen = state[s + seenSlot] !== 0;
      for (let k = 0; k < features.length; k++) {
        const kind = features[k]!;
        if (kind === 'value') matrix[at++] = seen ? state[s + lastSlot]! : start;
        else if (kind === 'change') matrix[at++] = state[s + shortSlot]! - state[s + longSlot]!;
        else if (kind === 'mean') matrix[at++] = seen ? state[s + longSlot]! : start;
        else if (kind === 'spread') matrix[at++] = Math.sqrt(state[s + varianceSlot]!);
        else matrix[at++] = state[s + residualSlot]!;
      }
    }
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
