/**
 * Rice codes (Rice and Plaunt 1971) in frames of 128. Of each frame the parameter k in 5 bits, then of each number
 * its quotient by 2^k as so many 0 bits and a 1, and its low k bits. A quotient that reaches min(20, 31 − k), so
 * many 0 bits and a 1, is followed by the whole number in 32 bits instead. k = 31: all of the frame are 0.
 */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { corrupt } from './limits.js';

const frame = 128;
const mostZeros = 20;
const allZero = 31;

/** No code but those with a whole number is longer than 32 bits. */
function longestOf(k: number): number {
  return Math.min(mostZeros, 31 - k);
}

export function writeRice(out: BitWriter, numbers: Uint32Array, n: number): void {
  for (let from = 0; from < n; from += frame) {
    const end = Math.min(n, from + frame);
    const k = bestK(numbers, from, end);
    out.put(k, 5);
    if (k !== allZero) writeFrame(out, numbers, from, end, k);
  }
}

/** The cheapest of three near the mean. */
function bestK(numbers: Uint32Array, from: number, end: number): number {
  const sum = sumOf(numbers, from, end);
  if (sum === 0) return allZero;
  const n = end - from;
  const k = Math.min(allZero - 2, Math.max(1, 31 - Math.clz32(sum / n)));
  let lower = 0;
  let middle = 0;
  let upper = 0;
  for (let i = from; i < end; i++) {
    const quotient = numbers[i]! >>> (k - 1);
    lower += quotient;
    middle += quotient >>> 1;
    upper += quotient >>> 2;
  }
  if (lower <= middle + n) return k - 1;
  return middle <= upper + n ? k : k + 1;
}

/** Mostly the numbers are small, and so is their sum: in 32 bits that is twice as fast. */
function sumOf(numbers: Uint32Array, from: number, end: number): number {
  let small = 0;
  let any = 0;
  for (let i = from; i < end; i++) {
    const number = numbers[i]! | 0;
    small = (small + number) | 0;
    any |= number;
  }
  if (any >>> 0 < 2 ** 24) return small;
  let sum = 0;
  for (let i = from; i < end; i++) sum += numbers[i]!;
  return sum;
}

/** Most of the time is spent in this loop: bits gather in local variables. */
function writeFrame(out: BitWriter, numbers: Uint32Array, from: number, end: number, k: number): void {
  out.reserve(2 * frame);
  const { words } = out;
  let { held, heldBits, full } = out;
  const longest = longestOf(k);
  const mask = (1 << k) - 1;
  for (let i = from; i < end; i++) {
    const number = numbers[i]!;
    const quotient = number >>> k;
    const escapes = quotient >= longest;
    const zeros = escapes ? longest : quotient;
    const code = escapes ? 1 << zeros : ((number & mask) << (zeros + 1)) | (1 << zeros);
    held |= code << heldBits;
    const bits = heldBits + (escapes ? zeros + 1 : zeros + 1 + k);
    if (bits >= 32) {
      words[full++] = held;
      held = heldBits ? code >>> (32 - heldBits) : 0;
      heldBits = bits - 32;
    } else heldBits = bits;
    if (escapes) {
      words[full++] = held | (number << heldBits);
      held = heldBits ? number >>> (32 - heldBits) : 0;
    }
  }
  out.held = held;
  out.heldBits = heldBits;
  out.full = full;
}

/** @throws EW_BLOCK_CORRUPT */
export function readRice(from: BitReader, numbers: Uint32Array, n: number): void {
  for (let start = 0; start < n; start += frame) {
    const end = Math.min(n, start + frame);
    const k = from.get(5);
    if (k === allZero) numbers.fill(0, start, end);
    else readFrame(from, numbers, start, end, k);
    from.need(0);
  }
}

function readFrame(from: BitReader, numbers: Uint32Array, start: number, end: number, k: number): void {
  const { words } = from;
  let { at } = from;
  const longest = longestOf(k);
  const mask = (1 << k) - 1;
  for (let i = start; i < end; i++) {
    const window = bitsAt(words, at);
    const zeros = 31 - Math.clz32(window & -window);
    if (zeros >>> 0 < longest) {
      numbers[i] = (zeros << k) | ((window >>> (zeros + 1)) & mask);
      at += zeros + 1 + k;
    } else if (zeros === longest) {
      numbers[i] = bitsAt(words, at + longest + 1);
      at += longest + 33;
    } else throw corrupt('a number in it has no end');
  }
  from.at = at;
}

/** 32 bits; zeros behind the end, where there are words enough for a frame. */
function bitsAt(words: Uint32Array, at: number): number {
  const index = at >>> 5;
  const offset = at & 31;
  return offset ? (words[index]! >>> offset) | (words[index + 1]! << (32 - offset)) : words[index]!;
}
