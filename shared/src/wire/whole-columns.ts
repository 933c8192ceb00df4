/** Columns of int64: as numbers where they are small enough for one, else as raw bits. */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { largestWhole } from './decimals.js';
import { type Layout, putWords, wordsInOrder, wordsOf } from './floats.js';
import { readIntegers, writeIntegers } from './integers.js';
import { readRaw, writeRaw } from './raw.js';
import { wholes, words32 } from './scratch.js';

const word = 2 ** 32;

export function writeInts(out: BitWriter, column: BigInt64Array, layout: Layout): void {
  const words = wordsInOrder(column, layout);
  const small = toNumbers(words, layout.n);
  out.flag(!small);
  if (small) writeIntegers(out, wholes, layout.groups, 0);
  else writeRaw(out, words, layout.n, 2);
}

function toNumbers(words: Uint32Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    const number = (words[2 * i + 1]! | 0) * word + words[2 * i]!;
    if (number > largestWhole || number < -largestWhole) return false;
    wholes[i] = number;
  }
  return true;
}

/** @throws EW_BLOCK_CORRUPT */
export function readInts(from: BitReader, column: BigInt64Array, layout: Layout): void {
  if (from.flag()) {
    readRaw(from, words32, layout.n, 2);
    putWords(column, layout);
    return;
  }
  readIntegers(from, wholes, layout.groups, 0);
  const words = wordsOf(column);
  for (let i = 0; i < layout.n; i++) {
    const at = 2 * (layout.order ? layout.order[i]! : i);
    words[at] = wholes[i]!;
    words[at + 1] = Math.floor(wholes[i]! / word);
  }
}
