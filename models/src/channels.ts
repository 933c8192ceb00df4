import { hasBit } from '@edgeward/shared/batch';
import type { Column, RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import type { FeatureSpec } from './feature-spec.js';

/** A value so marked says nothing about the machine. A stuck or jumping one may: it is used as it is. */
const unusable = Quality.missing | Quality.invalid | Quality.outOfRange;

/** The channels of a spec as numbers, NaN where a row has no usable value. */
export function channelColumns(batch: RecordBatch, spec: FeatureSpec): Float64Array[] {
  return usableColumns(
    batch,
    spec.channels.map(({ field }) => field),
  );
}

/** Some fields of a batch as numbers, NaN where a row has no usable value. */
export function usableColumns(batch: RecordBatch, fields: readonly string[]): Float64Array[] {
  return fields.map(name => {
    const f = batch.schema.fields.findIndex(field => field.name === name);
    const column = batch.values[f];
    if (!column) throw new TypeError(`the batch has no field ${name}`);
    return usable(column, batch.missing?.[f], batch.fieldQuality?.[f]);
  });
}

function usable(
  column: Column,
  missing: Uint8Array | undefined,
  quality: Uint8Array | undefined,
): Float64Array {
  if (!missing && !quality) {
    if (column instanceof Uint8Array) return new Float64Array(column);
    if (column instanceof Float64Array && areFinite(column)) return column;
  }
  const numbers = new Float64Array(column.length);
  for (let i = 0; i < numbers.length; i++) {
    const value = Number(column[i]);
    const bad = hasBit(missing, i) || ((quality?.[i] ?? 0) & unusable) !== 0 || !Number.isFinite(value);
    numbers[i] = bad ? Number.NaN : value;
  }
  return numbers;
}

function areFinite(column: Float64Array): boolean {
  let sum = 0;
  // What is not finite times 0 is NaN.
  for (let i = 0; i < column.length; i++) sum += column[i]! * 0;
  return sum === 0;
}
