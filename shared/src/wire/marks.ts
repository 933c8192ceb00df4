/** What is said of rows and values: quality of both, and which values are missing. */
import type { RecordBatch } from '../contracts.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { readBitmap, readBytes, readShorts, writeBitmap, writeBytes } from './byte-columns.js';
import type { Layout } from './floats.js';

type Optional = readonly (Uint8Array | undefined)[];
export type Marks = Pick<RecordBatch, 'quality' | 'missing' | 'fieldQuality'>;

export function writeMarks(out: BitWriter, batch: RecordBatch, layout: Layout): void {
  const fields = batch.schema.fields.length;
  writeBytes(out, batch.quality, layout);
  writeOptional(out, batch.missing, fields, column => writeBitmap(out, column, layout));
  writeOptional(out, batch.fieldQuality, fields, column => writeBytes(out, column, layout));
}

function writeOptional(
  out: BitWriter,
  list: Optional | undefined,
  fields: number,
  write: (column: Uint8Array) => void,
): void {
  const given = list?.some(column => column !== undefined) ?? false;
  out.flag(given);
  for (let f = 0; given && f < fields; f++) {
    const column = list?.[f];
    out.flag(column !== undefined);
    if (column) write(column);
  }
}

/** @throws EW_BLOCK_CORRUPT */
export function readMarks(from: BitReader, fields: number, layout: Layout): Marks {
  const quality = readShorts(from, layout);
  const missing = readOptional(from, fields, () => readBitmap(from, layout));
  const fieldQuality = readOptional(from, fields, () => readBytes(from, layout));
  return { quality, ...(missing && { missing }), ...(fieldQuality && { fieldQuality }) };
}

function readOptional(from: BitReader, fields: number, read: () => Uint8Array): Optional | undefined {
  if (!from.flag()) return undefined;
  return Array.from({ length: fields }, () => (from.flag() ? read() : undefined));
}
