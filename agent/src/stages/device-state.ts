import type { TimeMemory } from './times.js';

/** What is remembered of one device between batches; arrays have one entry a field. */
export interface DeviceState {
  readonly times: TimeMemory;
  readonly goodValue: Float64Array;
  readonly goodTime: Float64Array;
  readonly runValue: Float64Array;
  readonly runLength: Uint32Array;
}

export function newDeviceState(fields: number, times: TimeMemory): DeviceState {
  return {
    times,
    goodValue: new Float64Array(fields).fill(Number.NaN),
    goodTime: new Float64Array(fields).fill(Number.NaN),
    runValue: new Float64Array(fields).fill(Number.NaN),
    runLength: new Uint32Array(fields),
  };
}
