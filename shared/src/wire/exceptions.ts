/**
 * Values that the column's power of ten does not give back: which they are, as a column of 0 and 1, and of each what
 * it is, once if they are all alike.
 */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { corrupt } from './limits.js';
import { exceptions, smalls } from './scratch.js';
import { readSmalls, writeSmalls } from './smalls.js';

const kinds = { nan: 0, minusZero: 1, bits: 2 } as const;
/** High words, for values of one and two words: the NaN of a value that is not there, and −0. */
const nanWord = [0, 0x7fc00000, 0x7ff80000] as const;
const minusZeroWord = 0x80000000;

/**
 * Of the first `count` of `exceptions`, which rise.
 * @param count  at least one
 * @param words  of the whole column in its own order
 */
export function writeExceptions(
  out: BitWriter,
  count: number,
  n: number,
  words: Uint32Array,
  each: 1 | 2,
  order: Uint16Array | undefined,
): void {
  smalls.fill(0, 0, n);
  for (let i = 0; i < count; i++) smalls[exceptions[i]!] = 1;
  writeSmalls(out, n);
  const at = (i: number) => (order ? order[exceptions[i]!]! : exceptions[i]!) * each;
  const first = kindOf(words, at(0), each);
  let alike = true;
  for (let i = 1; alike && i < count; i++) alike = kindOf(words, at(i), each) === first;
  out.flag(alike);
  if (alike) out.put(first, 2);
  for (let i = 0; i < count; i++) {
    const kind = alike ? first : kindOf(words, at(i), each);
    if (!alike) out.put(kind, 2);
    if (kind === kinds.bits) for (let w = 0; w < each; w++) out.put(words[at(i) + w]!, 32);
  }
}

function kindOf(words: Uint32Array, at: number, each: 1 | 2): number {
  if (each === 2 && words[at] !== 0) return kinds.bits;
  const high = words[at + each - 1];
  if (high === nanWord[each]) return kinds.nan;
  return high === minusZeroWord ? kinds.minusZero : kinds.bits;
}

/** @throws EW_BLOCK_CORRUPT */
export function readExceptions(
  from: BitReader,
  n: number,
  words: Uint32Array,
  each: 1 | 2,
  order: Uint16Array | undefined,
): void {
  readSmalls(from, n);
  const alike = from.flag();
  const common = alike ? from.get(2) : 0;
  for (let i = 0; i < n; i++) {
    if (smalls[i] === 0) continue;
    const at = (order ? order[i]! : i) * each;
    const kind = alike ? common : from.get(2);
    if (each === 2) words[at] = kind === kinds.bits ? from.get(32) : 0;
    words[at + each - 1] = highWord(from, kind, each);
  }
}

function highWord(from: BitReader, kind: number, each: 1 | 2): number {
  if (kind === kinds.bits) return from.get(32);
  if (kind === kinds.nan) return nanWord[each];
  if (kind === kinds.minusZero) return minusZeroWord;
  throw corrupt(`there is no exception of kind ${kind}`);
}
