import { hasBit, setBit } from './batch.js';
import type { Column, Evidence, RecordBatch } from './contracts.js';

type Places = Uint32Array | Int32Array;

/**
 * The rows at these places, in their order; everything that belongs to a row goes with it.
 * @param rows  [m] places in the batch, each at most once; evidence keeps its own order
 */
export function selectRows(batch: RecordBatch, rows: Places): RecordBatch {
  const { missing, fieldQuality, score, anomaly, evidence } = batch;
  return {
    schema: batch.schema,
    ...(batch.model !== undefined && { model: batch.model }),
    time: Float64Array.from(rows, i => batch.time[i]!),
    device: Uint16Array.from(rows, i => batch.device[i]!),
    row: Float64Array.from(rows, i => batch.row[i]!),
    values: batch.values.map(column => selectColumn(column, rows)),
    quality: Uint16Array.from(rows, i => batch.quality[i]!),
    ...(missing && { missing: missing.map(bits => bits && selectBits(bits, rows)) }),
    ...(fieldQuality && { fieldQuality: fieldQuality.map(bits => bits && selectBytes(bits, rows)) }),
    ...(score && { score: Float32Array.from(rows, i => score[i]!) }),
    ...(anomaly && { anomaly: selectBytes(anomaly, rows) }),
    ...(evidence && { evidence: selectEvidence(evidence, rows) }),
  };
}

function selectColumn(column: Column, rows: Places): Column {
  if (column instanceof Float64Array) return takeBits(column, rows);
  if (column instanceof BigInt64Array)
    return BigInt64Array.from({ length: rows.length }, (_, at) => column[rows[at]!]!);
  if (column instanceof Uint8Array) return selectBytes(column, rows);
  return Array.from(rows, i => column[i]!);
}

/** By their bits: a NaN keeps its payload only if it never passes through a number. */
function takeBits(column: Float64Array, rows: Places): Float64Array {
  const from = new BigUint64Array(column.buffer, column.byteOffset, column.length);
  const taken = new Float64Array(rows.length);
  const into = new BigUint64Array(taken.buffer);
  for (let at = 0; at < rows.length; at++) into[at] = from[rows[at]!]!;
  return taken;
}

function selectBytes(bytes: Uint8Array, rows: Places): Uint8Array {
  return Uint8Array.from(rows, i => bytes[i]!);
}

function selectBits(bitmap: Uint8Array, rows: Places): Uint8Array {
  const selected = new Uint8Array(Math.ceil(rows.length / 8));
  for (let at = 0; at < rows.length; at++) if (hasBit(bitmap, rows[at]!)) setBit(selected, at);
  return selected;
}

function selectEvidence(evidence: readonly Evidence[], rows: Places): Evidence[] {
  const places = new Map(Array.from(rows, (i, at) => [i, at] as const));
  return evidence.flatMap(one => {
    const at = places.get(one.at);
    return at === undefined ? [] : [{ ...one, at }];
  });
}
