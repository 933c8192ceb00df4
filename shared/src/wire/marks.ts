/** What is said of rows and values: quality of both, and which values are missing. */
import type { RecordBatch } from '../contracts.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { writeBitmap, writeBytes } from './byte-columns.js';
import type { Layout } from './floats.js';
import type { ColumnMemory } from './memory.js';

type Optional = readonly (Uint8Array | undefined)[];

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

/** Those that there are. @throws EW_BLOCK_CORRUPT */
export function readOptional(
  from: BitReader,
  fields: number,
  read: (from: BitReader, layout: Layout, memory: ColumnMemory) => Uint8Array,
  layout: Layout,
  memory: ColumnMemory,
): Optional {
  return Array.from({ length: fields }, () => (from.flag() ? read(from, layout, memory) : undefined));
}
