import { corrupt } from './limits.js';

/** A frame of Rice codes is read without looking at the end: as many zero words behind it stop it. */
export const paddingWords = 256;
const smallWords = 1 << 16;

/** Of all readers: no other is in use at the same time. */
let words = new Uint32Array(4096 + paddingWords);
let bytesOfWords = new Uint8Array(words.buffer);
/** Behind so many words there are only zeros. */
let dirtyWords = 0;

/** Bits, least significant first. One at a time is in use: all read from the same memory. */
export class BitReader {
  readonly words: Uint32Array;
  /** Position and end, bits. */
  at = 0;
  readonly end: number;

  /** @param length  of the first bytes that it reads */
  constructor(bytes: Uint8Array, length: number) {
    this.words = wordsOf(bytes, length);
    this.end = length * 8;
  }

  /** @param bits  0 to 32  @returns an unsigned number  @throws EW_BLOCK_CORRUPT past the end */
  get(bits: number): number {
    if (bits === 0) return 0;
    this.need(bits);
    const index = this.at >>> 5;
    const offset = this.at & 31;
    let value = this.words[index]! >>> offset;
    if (offset + bits > 32) value |= this.words[index + 1]! << (32 - offset);
    this.at += bits;
    return bits === 32 ? value >>> 0 : value & ((1 << bits) - 1);
  }

  /** Cut short is found out before anything is made of what is missing. */
  need(bits: number): void {
    if (this.at + bits > this.end) throw corrupt('it is cut short');
  }

  flag(): boolean {
    return this.get(1) === 1;
  }

  /** Whole, 0 to 2^53. */
  count(): number {
    if (!this.flag()) return this.get(4);
    const bits = this.get(6);
    if (bits === 0 || bits > 54) throw corrupt(`it counts with ${bits} bits`);
    if (bits <= 31) return (1 << (bits - 1)) | this.get(bits - 1);
    if (bits <= 33) return 2 ** (bits - 1) + this.get(bits - 1);
    const low = this.get(32);
    const value = (2 ** (bits - 33) + this.get(bits - 33)) * 0x1_0000_0000 + low;
    if (value > 2 ** 53) throw corrupt('it counts above 2^53');
    return value;
  }

  /** @throws EW_BLOCK_CORRUPT above the limit */
  countUpTo(limit: number, what: string): number {
    const value = this.count();
    if (value > limit) throw corrupt(`${value} ${what} are more than ${limit}`);
    return value;
  }

  signed(): number {
    const negative = this.flag();
    const value = this.count();
    return negative ? 0 - value : value;
  }

  bytes(length: number): Buffer {
    this.need(length * 8);
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) bytes[i] = this.get(8);
    return bytes;
  }

  /** @throws EW_BLOCK_CORRUPT unless all was read but the zeros that fill up the last byte */
  finish(): void {
    const left = this.end - this.at;
    if (left > 7 || this.get(left) !== 0) throw corrupt('bytes are left behind its columns');
  }
}

/** Copies all of the bytes: those behind the length are wiped out along with what the block before left. */
function wordsOf(bytes: Uint8Array, length: number): Uint32Array {
  const full = (bytes.length + 3) >> 2;
  if (full + paddingWords > smallWords) return ownWords(bytes.subarray(0, length));
  if (full + paddingWords > words.length) grow(Math.min(smallWords, 2 * (full + paddingWords)));
  bytesOfWords.set(bytes);
  bytesOfWords.fill(0, length, 4 * Math.max(full, dirtyWords));
  dirtyWords = (length + 3) >> 2;
  return words;
}

function ownWords(bytes: Uint8Array): Uint32Array {
  const made = new Uint32Array(((bytes.length + 3) >> 2) + paddingWords);
  new Uint8Array(made.buffer).set(bytes);
  return made;
}

function grow(length: number): void {
  words = new Uint32Array(length);
  bytesOfWords = new Uint8Array(words.buffer);
  dirtyWords = 0;
}
