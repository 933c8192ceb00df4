/**
 * Columns of small numbers (quality bits, flags, booleans, indexes of texts), device after device: one value for
 * all, runs of equal ones, or each by itself with as many bits as the largest needs; whichever is shortest.
 */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { corrupt } from './limits.js';
import { smalls } from './scratch.js';

const forms = { constant: 0, runs: 1, each: 2 } as const;
/** Bits of a run length below 16, and of most others. */
const shortRunBits = 5;
const longRunBits = 14;

/** Writes the first n of `smalls`. */
export function writeSmalls(out: BitWriter, n: number): void {
  const { largest, runs, long } = survey(n);
  if (runs === 1) {
    out.put(forms.constant, 2);
    out.count(smalls[0]!);
    return;
  }
  const bits = 32 - Math.clz32(largest);
  const asRuns = (runs - long) * (bits + shortRunBits) + long * (bits + longRunBits) < n * bits;
  out.put(asRuns ? forms.runs : forms.each, 2);
  out.put(bits - 1, 4);
  if (asRuns) writeRuns(out, n, bits);
  else for (let i = 0; i < n; i++) out.put(smalls[i]!, bits);
}

function survey(n: number): { largest: number; runs: number; long: number } {
  let largest = 0;
  let runs = 0;
  let long = 0;
  for (let i = 0; i < n; ) {
    const value = smalls[i]!;
    const start = i;
    while (i < n && smalls[i] === value) i++;
    if (value > largest) largest = value;
    if (i - start > 16) long += 1;
    runs += 1;
  }
  return { largest, runs, long };
}

function writeRuns(out: BitWriter, n: number, bits: number): void {
  for (let i = 0; i < n; ) {
    const value = smalls[i]!;
    const start = i;
    while (i < n && smalls[i] === value) i++;
    out.put(value, bits);
    out.count(i - start - 1);
  }
}

/** Fills the first n, of bytes with the low ones. @throws EW_BLOCK_CORRUPT */
export function readSmalls(from: BitReader, n: number, into: Uint8Array | Uint16Array): void {
  const form = from.get(2);
  if (form === forms.constant) {
    into.fill(from.countUpTo(0xffff, 'as a small number'), 0, n);
    return;
  }
  const bits = from.get(4) + 1;
  if (form === forms.runs) readRuns(from, n, bits, into);
  else if (form === forms.each) for (let i = 0; i < n; i++) into[i] = from.get(bits);
  else throw corrupt(`there is no form ${form} of small numbers`);
}

function readRuns(from: BitReader, n: number, bits: number, into: Uint8Array | Uint16Array): void {
  for (let i = 0; i < n; ) {
    const value = from.get(bits);
    const length = from.count() + 1;
    if (length > n - i) throw corrupt('a run is longer than its column');
    into.fill(value, i, i + length);
    i += length;
  }
}
