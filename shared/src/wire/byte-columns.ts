/** Columns of bytes, 16-bit flags and bitmaps. */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import type { Layout } from './floats.js';
import { smalls } from './scratch.js';
import { readSmalls, writeSmalls } from './smalls.js';

export function writeBytes(out: BitWriter, column: Uint8Array | Uint16Array, { n, order }: Layout): void {
  if (order) for (let i = 0; i < n; i++) smalls[i] = column[order[i]!]!;
  else smalls.set(column);
  writeSmalls(out, n);
}

function readInto(from: BitReader, column: Uint8Array | Uint16Array, { n, order }: Layout): void {
  readSmalls(from, n);
  if (order) for (let i = 0; i < n; i++) column[order[i]!] = smalls[i]!;
  else column.set(smalls.subarray(0, n));
}

/** @throws EW_BLOCK_CORRUPT */
export function readBytes(from: BitReader, layout: Layout): Uint8Array {
  const column = new Uint8Array(layout.n);
  readInto(from, column, layout);
  return column;
}

/** @throws EW_BLOCK_CORRUPT */
export function readShorts(from: BitReader, layout: Layout): Uint16Array {
  const column = new Uint16Array(layout.n);
  readInto(from, column, layout);
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
export function readBitmap(from: BitReader, { n, order }: Layout): Uint8Array {
  const bitmap = new Uint8Array((n + 7) >> 3);
  readSmalls(from, n);
  for (let i = 0; i < n; i++) {
    const at = order ? order[i]! : i;
    bitmap[at >> 3]! |= (smalls[i]! & 1) << (at & 7);
  }
  if (n & 7) bitmap[bitmap.length - 1]! |= from.get(8 - (n & 7)) << (n & 7);
  return bitmap;
}
