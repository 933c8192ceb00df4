/** Batches that contradict themselves are found where they are made, not at the other end. */
import type { Column, FieldKind, RecordBatch } from '../contracts.js';
import { wireLimits } from './limits.js';

const columnOf: Readonly<Record<FieldKind, (column: Column) => boolean>> = {
  float: column => column instanceof Float64Array,
  int: column => column instanceof BigInt64Array,
  bool: column => column instanceof Uint8Array,
  string: column => Array.isArray(column) && column.every(text => typeof text === 'string'),
};

/** @throws TypeError */
export function checkBatch(batch: RecordBatch): void {
  const n = batch.time.length;
  const { fields } = batch.schema;
  if (n < 1 || n > wireLimits.maxRows) throw new TypeError(`${n} rows make no block`);
  if (n * fields.length > wireLimits.maxReadings)
    throw new TypeError(
      `${n} rows of ${fields.length} fields are more than ${wireLimits.maxReadings} readings`,
    );
  if (batch.values.length !== fields.length)
    throw new TypeError(`${batch.values.length} columns for ${fields.length} fields`);
  for (let f = 0; f < fields.length; f++) {
    const { name, kind } = fields[f]!;
    const column = batch.values[f]!;
    if (!columnOf[kind](column)) throw new TypeError(`the column of ${name} does not hold ${kind}`);
    checkLength(column, n, name);
    checkLength(batch.missing?.[f], (n + 7) >> 3, name);
    checkLength(batch.fieldQuality?.[f], n, name);
  }
  for (const name of ['device', 'row', 'quality', 'score', 'anomaly'] as const)
    checkLength(batch[name], n, name);
}

function checkLength(column: { readonly length: number } | undefined, length: number, name: string): void {
  if (column && column.length !== length)
    throw new TypeError(`a column of ${name} is ${column.length} long, not ${length}`);
}
