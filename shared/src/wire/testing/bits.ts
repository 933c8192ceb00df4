import type { RecordBatch } from '../../contracts.js';

/** Bit patterns instead of numbers, so that −0 and NaN payloads count. */
export function bits(batch: RecordBatch): unknown {
  const raw = (view: ArrayBufferView | undefined) =>
    view && Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('hex');
  return {
    ...batch,
    time: raw(batch.time),
    row: raw(batch.row),
    device: raw(batch.device),
    quality: raw(batch.quality),
    values: batch.values.map(values => (Array.isArray(values) ? values : raw(values as Float64Array))),
    missing: batch.missing?.map(raw),
    fieldQuality: batch.fieldQuality?.map(raw),
    score: raw(batch.score),
    anomaly: raw(batch.anomaly),
  };
}
