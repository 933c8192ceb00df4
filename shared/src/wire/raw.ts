/**
 * Values that are no decimals: of each the difference (XOR) of its bits to those of the value before, in frames of
 * 128, without the bits that are 0 all through a frame. A value is one or two words, the low one first.
 */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { corrupt } from './limits.js';

const frame = 128;

/** @param words  those of value i at i × step + offset, for i from 0 to n − 1 */
function writeWords(out: BitWriter, words: Uint32Array, n: number, step: number, offset: number): void {
  let last = 0;
  for (let from = 0; from < n; from += frame) {
    const end = Math.min(n, from + frame);
    let any = 0;
    let before = last;
    for (let i = from; i < end; i++) {
      const word = words[i * step + offset]!;
      any |= word ^ before;
      before = word;
    }
    const cut = any === 0 ? 0 : 31 - Math.clz32(any & -any);
    const bits = any === 0 ? 0 : 32 - Math.clz32(any) - cut;
    out.put(bits, 6);
    if (bits === 0) continue;
    out.put(cut, 5);
    for (let i = from; i < end; i++) {
      const word = words[i * step + offset]!;
      out.put((word ^ last) >>> cut, bits);
      last = word;
    }
  }
}

export function writeRaw(out: BitWriter, words: Uint32Array, n: number, wordsEach: 1 | 2): void {
  for (let offset = wordsEach - 1; offset >= 0; offset--) writeWords(out, words, n, wordsEach, offset);
}

function readWords(from: BitReader, words: Uint32Array, n: number, step: number, offset: number): void {
  let last = 0;
  for (let start = 0; start < n; start += frame) {
    const end = Math.min(n, start + frame);
    const bits = from.get(6);
    const cut = bits > 0 ? from.get(5) : 0;
    if (bits + cut > 32) throw corrupt(`${bits} bits do not fit above ${cut}`);
    for (let i = start; i < end; i++) {
      last ^= from.get(bits) << cut;
      words[i * step + offset] = last;
    }
  }
}

/** @throws EW_BLOCK_CORRUPT */
export function readRaw(from: BitReader, words: Uint32Array, n: number, wordsEach: 1 | 2): void {
  for (let offset = wordsEach - 1; offset >= 0; offset--) readWords(from, words, n, wordsEach, offset);
}
