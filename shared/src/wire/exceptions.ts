/**
 * Values that the column's power of ten does not give back. First which they are, as a column of 0 and 1; the others
 * are coded as if these were not there; then of each what it is, once if they are all alike.
 */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { Grouping } from './integers.js';
import { corrupt } from './limits.js';
import { exceptions, smalls, wholes } from './scratch.js';
import { readSmalls, writeSmalls } from './smalls.js';

const kinds = { nan: 0, minusZero: 1, bits: 2 } as const;
/** High words, for values of one and two words: the NaN of a value that is not there, and −0. */
const nanWord = [0, 0x7fc00000, 0x7ff80000] as const;
const minusZeroWord = 0x80000000;

/** Which of n values the first `count` of `exceptions` are. */
export function writePlaces(out: BitWriter, count: number, n: number): void {
  smalls.fill(0, 0, n);
  for (let i = 0; i < count; i++) smalls[exceptions[i]!] = 1;
  writeSmalls(out, n);
}

/** Fills `exceptions`. @returns how many there are @throws EW_BLOCK_CORRUPT */
export function readPlaces(from: BitReader, n: number): number {
  readSmalls(from, n, smalls);
  let count = 0;
  for (let i = 0; i < n; i++) if (smalls[i] !== 0) exceptions[count++] = i;
  return count;
}

const others = new Grouping();

/** Of the values that are none; devices that have no others are left out. Good until it is asked again. */
export function withoutExceptions({ devices, starts }: Grouping, count: number): Grouping {
  others.clear();
  for (let d = 0, i = 0; d < devices; d++) {
    const before = i;
    while (i < count && exceptions[i]! < starts[d + 1]!) i++;
    const left = starts[d + 1]! - starts[d]! - (i - before);
    if (left > 0) others.add(left);
  }
  return others;
}

/** Moves `wholes` to where they were among n values. */
export function makeRoom(count: number, n: number): void {
  for (let i = n - 1, left = count; left > 0; i--) {
    if (exceptions[left - 1] === i) left--;
    else wholes[i] = wholes[i - left]!;
  }
}

/**
 * Of the first `count` of `exceptions`, which rise.
 * @param count  at least one
 * @param words  of the whole column in its own order
 */
export function writeExceptions(
  out: BitWriter,
  count: number,
  words: Uint32Array,
  each: 1 | 2,
  order: Uint16Array | undefined,
): void {
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
  count: number,
  words: Uint32Array,
  each: 1 | 2,
  order: Uint16Array | undefined,
): void {
  const alike = from.flag();
  const common = alike ? from.get(2) : 0;
  for (let i = 0; i < count; i++) {
    const at = (order ? order[exceptions[i]!]! : exceptions[i]!) * each;
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
