/**
 * Whole numbers, device after device: their common step, the first of all, then two lanes: each device's first as
 * difference to that, and each device's others as differences to its own first.
 */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { readLane, writeLane } from './lane.js';
import { wireLimits } from './limits.js';
import { lane } from './scratch.js';

/** How rows lie in a block, device after device. Working memory, as what is in `scratch.ts`. */
export class Grouping {
  devices = 0;
  /** Where each device's begin, and where the last one's end. */
  readonly starts = new Int32Array(wireLimits.maxDevices + 1);
  /** Ends of the devices' second and later rows when those are counted through alone. */
  readonly laterEnds = new Int32Array(wireLimits.maxDevices);
  /** One end: all first rows together. */
  readonly firstEnds = new Int32Array(1);

  get rows(): number {
    return this.starts[this.devices]!;
  }

  clear(): void {
    this.devices = 0;
  }

  /** One device more, with so many rows. */
  add(count: number): void {
    const d = this.devices;
    this.devices = d + 1;
    const end = this.starts[d]! + count;
    this.starts[d + 1] = end;
    this.laterEnds[d] = end - d - 1;
    this.firstEnds[0] = d;
  }
}

/**
 * @param numbers  whole, at most 2^52 away from 0
 * @param origin  a number that the first is probably near to
 */
export function writeIntegers(out: BitWriter, numbers: Float64Array, groups: Grouping, origin: number): void {
  const { devices, rows: n, starts, laterEnds, firstEnds } = groups;
  const base = numbers[0]!;
  const step = commonStep(numbers, n);
  out.flag(step !== 1);
  if (step !== 1) out.count(step);
  out.signed(base - origin);
  if (devices > 1) {
    for (let d = 1; d < devices; d++) lane[d - 1] = (numbers[starts[d]!]! - base) / step;
    writeLane(out, lane, devices - 1, firstEnds);
  }
  if (n === devices) return;
  for (let d = 0, at = 0; d < devices; d++) {
    const first = numbers[starts[d]!]!;
    const end = starts[d + 1]!;
    for (let i = starts[d]! + 1; i < end; i++) lane[at++] = numbers[i]! - first;
  }
  if (step !== 1) for (let i = 0; i < n - devices; i++) lane[i]! /= step;
  writeLane(out, lane, n - devices, laterEnds);
}

/** Of all differences to the first; 1 where they are 0 or too large to look for one. */
function commonStep(numbers: Float64Array, n: number): number {
  const base = numbers[0]!;
  let step = 0;
  for (let i = 1; i < n; i++) {
    const difference = numbers[i]! - base;
    let rest = difference | 0;
    if (rest !== difference) return 1;
    if (rest < 0) rest = -rest | 0;
    // −2^31 has no positive counterpart in 32 bits.
    if (rest < 0) return 1;
    if (step !== 0 && rest % step === 0) continue;
    step = greatestDivisor(rest, step);
    if (step === 1) return 1;
  }
  return step || 1;
}

export function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** @throws EW_BLOCK_CORRUPT */
export function readIntegers(from: BitReader, numbers: Float64Array, groups: Grouping, origin: number): void {
  const { devices, rows: n, starts, laterEnds, firstEnds } = groups;
  const step = from.flag() ? from.count() : 1;
  const base = from.signed() + origin;
  numbers[0] = base;
  if (devices > 1) {
    readLane(from, lane, devices - 1, firstEnds);
    for (let d = 1; d < devices; d++) numbers[starts[d]!] = base + lane[d - 1]! * step;
  }
  if (n === devices) return;
  readLane(from, lane, n - devices, laterEnds);
  for (let d = 0, at = 0; d < devices; d++) {
    const first = numbers[starts[d]!]!;
    for (let i = starts[d]! + 1; i < starts[d + 1]!; i++) numbers[i] = first + lane[at++]! * step;
  }
}
