/** One lane of whole numbers: what does not fit into 32 bits is cut off below and sent as it is. */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { corrupt } from './limits.js';
import { allZero, bestMode, linear, predict, restore } from './predict.js';
import { readRice, writeRice } from './rice.js';
import { residuals32, values32 } from './scratch.js';

/** Numbers reach 2^54, 32 bits hold 2^31. */
const mostCutBits = 23;

/** @param numbers  whole  @param ends  where each device's end */
export function writeLane(out: BitWriter, numbers: Float64Array, n: number, ends: Int32Array): void {
  let largest = 0;
  for (let i = 0; i < n; i++) {
    const number = numbers[i]!;
    const size = number < 0 ? -number : number;
    values32[i] = number;
    if (size > largest) largest = size;
  }
  if (largest < 2 ** 31) {
    writeLane32(out, values32, n, ends, largest);
    return;
  }
  const cut = Math.floor(Math.log2(largest)) - 30;
  for (let i = 0; i < n; i++) values32[i] = Math.floor(numbers[i]! / 2 ** cut);
  writeErrors(out, values32, n, ends, largest / 2 ** cut, cut);
  for (let i = 0; i < n; i++) out.put(numbers[i]! - values32[i]! * 2 ** cut, cut);
}

/** @param largest  a number with as many bits as the largest magnitude */
export function writeLane32(
  out: BitWriter,
  values: Int32Array,
  n: number,
  ends: Int32Array,
  largest: number,
): void {
  if (largest === 0) out.put(allZero, 3);
  else writeErrors(out, values, n, ends, largest, 0);
}

function writeErrors(
  out: BitWriter,
  values: Int32Array,
  n: number,
  ends: Int32Array,
  largest: number,
  cut: number,
): void {
  const mode = bestMode(values, ends, n, largest);
  out.put(mode, 3);
  out.flag(cut > 0);
  out.put(cut, cut > 0 ? 5 : 0);
  predict(values, residuals32, ends, n, mode);
  writeRice(out, residuals32, n);
}

/** @throws EW_BLOCK_CORRUPT */
export function readLane(from: BitReader, numbers: Float64Array, n: number, ends: Int32Array): void {
  const mode = from.get(3);
  if (mode === allZero) {
    numbers.fill(0, 0, n);
    return;
  }
  if (mode > linear) throw corrupt(`${mode} is no way to predict`);
  const cut = from.flag() ? from.get(5) : 0;
  if (cut > mostCutBits) throw corrupt(`${cut} bits cannot be cut off`);
  readRice(from, residuals32, n);
  restore(residuals32, values32, ends, n, mode);
  if (cut === 0) for (let i = 0; i < n; i++) numbers[i] = values32[i]!;
  else for (let i = 0; i < n; i++) numbers[i] = values32[i]! * 2 ** cut + from.get(cut);
}
