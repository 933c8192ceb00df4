import type { RecordBatch } from '@edgeward/shared/contracts';
import { channelColumns } from './channels.js';
import type { FeatureSpec } from './feature-spec.js';
import { FeatureExtractor } from './features.js';
import { quantile } from './statistics.js';

/** The last fifth of each device's rows sets the threshold and is not trained on. */
const heldOutShare = 0.2;

/** [n] 1 = held out, 0 = to train on. */
export function heldOutRows(batch: RecordBatch): Uint8Array {
  const total = new Float64Array(batch.schema.devices.length);
  for (const device of batch.device) total[device]! += 1;
  const seen = new Float64Array(total.length);
  return Uint8Array.from(batch.device, device => {
    seen[device]! += 1;
    return seen[device]! > (1 - heldOutShare) * total[device]! ? 1 : 0;
  });
}

/** Median time between two rows of a device, at least 1 ms. */
export function medianStepMs(batch: RecordBatch): number {
  const last = new Float64Array(batch.schema.devices.length).fill(Number.NaN);
  const steps: number[] = [];
  batch.time.forEach((timeMs, r) => {
    const step = timeMs - last[batch.device[r]!]!;
    last[batch.device[r]!] = timeMs;
    if (step > 0) steps.push(step);
  });
  return steps.length > 0 ? Math.max(1, quantile(Float64Array.from(steps).sort(), 0.5)) : 1000;
}

export interface FeatureMatrix {
  /** Row-major [n, columns]. */
  readonly x: Float32Array;
  readonly columns: number;
  readonly warmUp: Uint8Array;
}

export function featuresOf(batch: RecordBatch, spec: FeatureSpec): FeatureMatrix {
  const extractor = new FeatureExtractor(spec);
  const columns = extractor.names.length;
  const x = new Float32Array(batch.time.length * columns);
  const warmUp = new Uint8Array(batch.time.length);
  extractor.extract(batch, x, warmUp);
  return { x, columns, warmUp };
}

/** Numbers of the rows for which it holds. */
export function rowsWhere(n: number, holds: (row: number) => boolean): Int32Array {
  const rows = new Int32Array(n);
  let count = 0;
  for (let r = 0; r < n; r++) if (holds(r)) rows[count++] = r;
  return rows.slice(0, count);
}

/** At most so many of them, evenly spaced. */
export function thinned(rows: Int32Array, most: number): Int32Array {
  const stride = Math.ceil(rows.length / most);
  return stride > 1 ? rows.filter((_, i) => i % stride === 0) : rows;
}

/** Some of the batch's rows as one column a channel. */
export function channelsAt(batch: RecordBatch, spec: FeatureSpec, rows: Int32Array): Float64Array[] {
  return channelColumns(batch, spec).map(column => Float64Array.from(rows, r => column[r]!));
}
