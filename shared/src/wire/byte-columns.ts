/** Columns of bytes, 16-bit flags and bitmaps. */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import type { Layout } from './floats.js';
import type { ColumnMemory } from './memory.js';
import { smalls } from './scratch.js';
import { readSmalls, writeSmalls } from './smalls.js';

export function writeBytes(out: BitWriter, column: Uint8Array | Uint16Array, { n, order }: Layout): void {
  if (order) for (let i = 0; i < n; i++) smalls[i] = column[order[i]!]!;
  else smalls.set(column);
  writeSmalls(out, n);
}

/** Fills the column. @throws EW_BLOCK_CORRUPT */
export function readBytes(from: BitReader, column: Uint8Array | Uint16Array, { n, order }: Layout): void {
  if (!order) {
    readSmalls(from, n, column);
    return;
  }
  readSmalls(from, n, smalls);
  for (let i = 0; i < n; i++) column[order[i]!] = smalls[i]!;
}

/** @throws EW_BLOCK_CORRUPT */
export function readFlags(from: BitReader, layout: Layout, memory: ColumnMemory): Uint8Array {
  const column = memory.uint8s(layout.n);
  readBytes(from, column, layout);
  return column;
}

/** The bits behind the last row are kept: whatever they mean, they were there. */
export function writeBitmap(out: BitWriter, bitmap: Uint8Array, { n, order }: Layout): void {
  for (let i = 0; i < n; i++) {
    const at = order ? order[i]! : i;
    smalls[i] = (bitmap[at >> 3]! >> (at & 7)) & 1;
  }
  writeSmalls(out, n);
  if (n & 7) out.put(bitmap.at(-1)! >> (n & 7), 8 - (n & 7));
}

/** @throws EW_BLOCK_CORRUPT */
export function readBitmap(from: BitReader, { n, order }: Layout, memory: ColumnMemory): Uint8Array {
  const bitmap = memory.uint8s((n + 7) >> 3);
  readSmalls(from, n, smalls);
  for (let i = 0; i < n; i++) {
    const at = order ? order[i]! : i;
    bitmap[at >> 3]! |= (smalls[i]! & 1) << (at & 7);
  }
  if (n & 7) bitmap[bitmap.length - 1]! |= from.get(8 - (n & 7)) << (n & 7);
  return bitmap;
}
