/** Devices that are read together share their times: those are sent once. */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { type Layout, readFloats, wordsOf, writeFloats } from './floats.js';
import { Grouping } from './integers.js';
import { wireLimits } from './limits.js';

/** By device: 1 = it has, to the bit, the times of the one before. */
const shared = new Uint8Array(wireLimits.maxDevices);
/** Devices that have times of their own, and the index of each of these. */
const ownGroups = new Grouping();
const ownOrder = new Uint16Array(wireLimits.maxRows);

export function writeTimes(out: BitWriter, time: Float64Array, layout: Layout, atMs: number): void {
  const { devices } = layout.groups;
  if (devices > 1) {
    const all = findShared(time, layout) === devices - 1;
    out.flag(all);
    if (!all) for (let d = 1; d < devices; d++) out.put(shared[d]!, 1);
  }
  writeFloats(out, time, onlyOwn(layout), atMs);
}

/** Fills `shared`. @returns how many are */
function findShared(time: Float64Array, layout: Layout): number {
  const { devices } = layout.groups;
  const words = wordsOf(time);
  let found = 0;
  shared[0] = 0;
  for (let d = 1; d < devices; d++) {
    shared[d] = hasSameTimes(words, layout, d) ? 1 : 0;
    found += shared[d]!;
  }
  return found;
}

function hasSameTimes(words: Uint32Array, { order, groups: { starts } }: Layout, d: number): boolean {
  const start = starts[d]!;
  const end = starts[d + 1]!;
  const back = start - starts[d - 1]!;
  if (end - start !== back) return false;
  for (let i = start; i < end; i++) {
    const a = (order ? order[i]! : i) * 2;
    const b = (order ? order[i - back]! : i - back) * 2;
    if (words[a] !== words[b] || words[a + 1] !== words[b + 1]) return false;
  }
  return true;
}

/** Of the devices with times of their own. Good until the next block. */
function onlyOwn(layout: Layout): Layout {
  const { devices, starts } = layout.groups;
  ownGroups.clear();
  for (let d = 0; d < devices; d++)
    if (d === 0 || shared[d] === 0) ownGroups.add(starts[d + 1]! - starts[d]!);
  if (ownGroups.devices === devices) return layout;
  for (let d = 0, to = 0; d < devices; d++) {
    if (d > 0 && shared[d] === 1) continue;
    for (let i = starts[d]!; i < starts[d + 1]!; i++) ownOrder[to++] = layout.order ? layout.order[i]! : i;
  }
  return { n: ownGroups.rows, order: ownOrder, groups: ownGroups };
}

/** @throws EW_BLOCK_CORRUPT */
export function readTimes(from: BitReader, time: Float64Array, layout: Layout, atMs: number): void {
  const { devices, starts } = layout.groups;
  const all = devices > 1 && from.flag();
  for (let d = 1; d < devices; d++) {
    const said = all || from.flag();
    // A device can only share with one that has as many rows.
    shared[d] = said && starts[d + 1]! - starts[d]! === starts[d]! - starts[d - 1]! ? 1 : 0;
  }
  readFloats(from, time, onlyOwn(layout), atMs);
  for (let d = 1; d < devices; d++) if (shared[d] === 1) copyTimes(time, layout, d);
}

function copyTimes(time: Float64Array, { order, groups: { starts } }: Layout, d: number): void {
  const start = starts[d]!;
  const back = start - starts[d - 1]!;
  for (let i = start; i < starts[d + 1]!; i++) {
    const to = order ? order[i]! : i;
    const from = order ? order[i - back]! : i - back;
    const ms = time[from]!;
    // A NaN passed on as a number may lose what it carries.
    if (Number.isNaN(ms)) time.copyWithin(to, from, from + 1);
    else time[to] = ms;
  }
}
