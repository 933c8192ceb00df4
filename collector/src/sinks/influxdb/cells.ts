/** How the values of one column are written as line protocol. */
import type { Column } from '@edgeward/shared/contracts';
import { type ByteWriter, powers } from './byte-writer.js';
import { quoted } from './names.js';

/** Writes `,key=value`. @returns false for a value that InfluxDB has no word for */
export type CellWriter = (i: number) => boolean;

/** No number is written with more bytes. */
export const maxNumberBytes = 26;

/**
 * @param key     `,name=`
 * @param spare   what a row may need behind a text, bytes
 */
export function cellWriter(out: ByteWriter, key: Uint8Array, column: Column, spare: number): CellWriter {
  if (column instanceof Float64Array) return floats(out, key, column);
  if (column instanceof BigInt64Array) return integers(out, key, column);
  if (column instanceof Uint8Array) return booleans(out, key, column);
  return texts(out, key, column, spare);
}

const maxScaled = 1e15;

/**
 * Most measurements have a few decimals: when r / 10^d is the very double, r and a point say it, and that costs a
 * fraction of finding the shortest text. A column with a value that needs more is written the long way from there on.
 */
function floats(out: ByteWriter, key: Uint8Array, column: Float64Array): CellWriter {
  let places = 0;
  return i => {
    const value = column[i]!;
    if (!Number.isFinite(value)) return false;
    out.copy(key);
    for (; places < powers.length; places++) {
      const scaled = Math.round(value * powers[places]!);
      if (scaled >= maxScaled || scaled <= -maxScaled) break;
      if (scaled / powers[places]! !== value) continue;
      if (value < 0 || Object.is(value, -0)) out.byte(minus);
      out.decimal(Math.abs(scaled), places);
      return true;
    }
    places = powers.length;
    out.ascii(Object.is(value, -0) ? '-0' : String(value));
    return true;
  };
}

function integers(out: ByteWriter, key: Uint8Array, column: BigInt64Array): CellWriter {
  // In halves, since every element read as a BigInt is an object. Little-endian, as everything Node runs on.
  const halves = new Int32Array(column.buffer, column.byteOffset, 2 * column.length);
  return i => {
    const high = halves[2 * i + 1]!;
    out.copy(key);
    if (high >= -0x20_0000 && high < 0x20_0000) {
      const value = high * 0x1_0000_0000 + (halves[2 * i]! >>> 0);
      if (Number.isSafeInteger(value)) out.integer(value);
      else out.ascii(String(column[i]));
    } else out.ascii(String(column[i]));
    out.byte(letterI);
    return true;
  };
}

function booleans(out: ByteWriter, key: Uint8Array, column: Uint8Array): CellWriter {
  return i => {
    out.copy(key);
    out.byte(column[i] === 1 ? letterT : letterF);
    return true;
  };
}

function texts(out: ByteWriter, key: Uint8Array, column: readonly string[], spare: number): CellWriter {
  return i => {
    const text = quoted(column[i]!);
    // A UTF-16 unit is at most 3 bytes of UTF-8.
    out.reserve(key.length + 3 * text.length + spare);
    out.copy(key);
    out.utf8(text);
    return true;
  };
}

const minus = 0x2d;
export const letterI = 0x69;
export const letterT = 0x74;
export const letterF = 0x66;
