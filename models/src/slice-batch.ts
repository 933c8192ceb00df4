import type { RecordBatch } from '@edgeward/shared/contracts';

/** Rows from…to of a batch, as a batch. */
export function sliceBatch(batch: RecordBatch, from: number, to: number): RecordBatch {
  return {
    ...batch,
    time: batch.time.slice(from, to),
    device: batch.device.slice(from, to),
    row: batch.row.slice(from, to),
    values: batch.values.map(column => column.slice(from, to)),
    quality: batch.quality.slice(from, to),
    ...(batch.fieldQuality && {
      fieldQuality: batch.fieldQuality.map(column => column?.slice(from, to)),
    }),
  };
}
