/** Columns of float64 or float32: as decimals with exceptions, or as raw bits. */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { findDecimal, largestWhole, powersOfTen, toWholes } from './decimals.js';
import {
  makeRoom,
  readExceptions,
  readPlaces,
  withoutExceptions,
  writeExceptions,
  writePlaces,
} from './exceptions.js';
import { type Grouping, readIntegers, writeIntegers } from './integers.js';
import { readRaw, writeRaw } from './raw.js';
import { gathered, wholes, words32 } from './scratch.js';
import { writeSmallDecimals } from './small-decimals.js';

export type Floats = Float64Array | Float32Array;

/** Which values of a column are meant, and in which order: device after device. */
export interface Layout {
  readonly n: number;
  /** [n] index within the column; undefined = the column's own order. */
  readonly order: Uint16Array | undefined;
  readonly groups: Grouping;
}

/** @param originMs  something the values may be near to, in their unit; 0 = nothing known */
export function writeFloats(out: BitWriter, column: Floats, layout: Layout, originMs: number): void {
  const { n, order, groups } = layout;
  const single = column instanceof Float32Array;
  const read = single ? undefined : order;
  const raw = single ? inOrder(column, layout) : column;
  const decimal = findDecimal(raw, n, read, single);
  if (decimal && originMs === 0 && writeSmallDecimals(out, raw, read, groups, decimal)) return;
  const values = read ? inOrder(column, layout) : raw;
  const exceptions = decimal ? toWholes(values, n, decimal) : -1;
  if (!decimal || exceptions < 0) {
    out.flag(true);
    writeRaw(out, wordsInOrder(column, layout), n, wordsEach(column));
    return;
  }
  out.flag(false);
  out.put(decimal.exponent, 4);
  out.flag(decimal.single);
  out.flag(exceptions > 0);
  const origin = originOf(originMs, decimal.exponent);
  if (exceptions === 0) {
    writeIntegers(out, wholes, groups, origin);
    return;
  }
  writePlaces(out, exceptions, n);
  if (exceptions < n) writeIntegers(out, wholes, withoutExceptions(groups, exceptions), origin);
  writeExceptions(out, exceptions, wordsOf(column), wordsEach(column), order);
}

/** @throws EW_BLOCK_CORRUPT */
export function readFloats(from: BitReader, column: Floats, layout: Layout, originMs: number): void {
  const { n, order, groups } = layout;
  if (from.flag()) {
    readRaw(from, words32, n, wordsEach(column));
    putWords(column, layout);
    return;
  }
  const exponent = from.get(4);
  const single = from.flag();
  const exceptions = from.flag() ? readPlaces(from, n) : 0;
  const kept = exceptions > 0 ? withoutExceptions(groups, exceptions) : groups;
  if (exceptions < n) readIntegers(from, wholes, kept, originOf(originMs, exponent));
  makeRoom(exceptions, n);
  divide(column, layout, powersOfTen[exponent]!, single);
  if (exceptions > 0) readExceptions(from, exceptions, wordsOf(column), wordsEach(column), order);
}

function originOf(originMs: number, exponent: number): number {
  const origin = originMs * powersOfTen[exponent]!;
  return Number.isInteger(origin) && Math.abs(origin) <= largestWhole ? origin : 0;
}

function inOrder(column: Floats, { n, order }: Layout): Float64Array {
  if (!order && column instanceof Float64Array) return column;
  if (!order) gathered.set(column);
  else for (let i = 0; i < n; i++) gathered[i] = column[order[i]!]!;
  return gathered;
}

function divide(column: Floats, { n, order }: Layout, power: number, single: boolean): void {
  if (single) for (let i = 0; i < n; i++) wholes[i] = Math.fround(wholes[i]! / power);
  const divisor = single ? 1 : power;
  if (order) for (let i = 0; i < n; i++) column[order[i]!] = wholes[i]! / divisor;
  else for (let i = 0; i < n; i++) column[i] = wholes[i]! / divisor;
}

// Bits are moved as words: a number passed on as a number may lose what its NaN carries.

export function wordsOf(column: Floats | BigInt64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, column.byteLength >> 2);
}

function wordsEach(column: Floats | BigInt64Array): 1 | 2 {
  return column instanceof Float32Array ? 1 : 2;
}

export function wordsInOrder(column: Floats | BigInt64Array, { n, order }: Layout): Uint32Array {
  const words = wordsOf(column);
  if (!order) return words;
  const each = wordsEach(column);
  for (let i = 0; i < n; i++) {
    const at = order[i]! * each;
    for (let w = 0; w < each; w++) words32[i * each + w] = words[at + w]!;
  }
  return words32;
}

/** Puts `words32` where they belong. */
export function putWords(column: Floats | BigInt64Array, { n, order }: Layout): void {
  const words = wordsOf(column);
  const each = wordsEach(column);
  for (let i = 0; i < n; i++) {
    const at = (order ? order[i]! : i) * each;
    for (let w = 0; w < each; w++) words[at + w] = words32[i * each + w]!;
  }
}
