import type { RecordBatch, Schema } from '@edgeward/shared/contracts';
import { channelColumns } from './channels.js';
import { type ChannelSpec, type FeatureSpec, featureNames } from './feature-spec.js';

/** Per channel and device: last good value, short and long mean, short-term variance, good values seen. */
const slots = 5;

interface DeviceState {
  readonly channels: Float64Array;
  rows: number;
  lastMs: number;
}

/**
 * Turns rows into features as they come, with O(1) work and memory a row and channel. The state is kept per
 * device, so it does not matter how rows are cut into batches or mixed with those of other devices.
 * A missing, invalid or physically impossible value leaves the channel's features as the last good one left them.
 */
export class FeatureExtractor {
  readonly names: readonly string[];
  readonly #devices = new Map<string, DeviceState>();
  readonly #known = new WeakMap<Schema, readonly DeviceState[]>();

  constructor(readonly spec: FeatureSpec) {
    this.names = featureNames(spec);
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
      this.#begin(state, batch.time[r]!);
      warmUp[r] = state.rows <= this.spec.warmUpRows ? 1 : 0;
      let at = r * this.names.length;
      for (let c = 0; c < columns.length; c++) {
        at = this.#channel(c, columns[c]![r]!, state.channels, matrix, at);
      }
    }
  }

  #begin(state: DeviceState, timeMs: number): void {
    if (timeMs - state.lastMs > this.spec.maxGapMs) {
      state.rows = 0;
      state.channels.fill(0);
    }
    state.rows += 1;
    state.lastMs = timeMs;
  }

  /** Takes one value (NaN: none) into the state and writes the channel's features. */
  #channel(c: number, value: number, state: Float64Array, matrix: Float32Array, at: number): number {
    const spec = this.spec.channels[c]!;
    const s = c * slots;
    if (!Number.isNaN(value)) advance(spec, this.spec, value, state, s);
    const seen = state[s + 4] !== 0;
    let next = at;
    for (const kind of spec.features) {
      if (kind === 'value') matrix[next++] = seen ? state[s]! : spec.start;
      else if (kind === 'change') matrix[next++] = state[s + 1]! - state[s + 2]!;
      else matrix[next++] = Math.sqrt(state[s + 3]!);
    }
    return next;
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

function advance(
  { low, high }: ChannelSpec,
  { shortWeight, longWeight }: FeatureSpec,
  value: number,
  state: Float64Array,
  s: number,
): void {
  const v = value < low ? low : value > high ? high : value;
  const seen = state[s + 4]! + 1;
  // Until enough values have come, plain means: the first value would otherwise weigh too much.
  const short = Math.max(shortWeight, 1 / seen);
  const long = Math.max(longWeight, 1 / seen);
  const off = v - state[s + 1]!;
  state[s] = v;
  state[s + 1]! += short * off;
  state[s + 2]! += long * (v - state[s + 2]!);
  // West 1979, exponentially weighted. The first value has nothing to differ from.
  state[s + 3] = seen === 1 ? 0 : (1 - short) * (state[s + 3]! + short * off * off);
  state[s + 4] = seen;
}
