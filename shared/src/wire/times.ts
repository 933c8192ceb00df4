/** Devices that are read together share their times: those are sent once. */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { type Layout, readFloats, wordsOf, writeFloats } from './floats.js';
import { groupingOf } from './integers.js';

export function writeTimes(out: BitWriter, time: Float64Array, layout: Layout, atMs: number): void {
  const devices = layout.groups.starts.length - 1;
  const shared = sharedWithLast(time, layout);
  if (devices > 1) {
    const all = shared.every((same, d) => same || d === 0);
    out.flag(all);
    if (!all) for (let d = 1; d < devices; d++) out.flag(shared[d]!);
  }
  writeFloats(out, time, onlyOwn(layout, shared), atMs);
}

/** [D] whether a device has, to the bit, the times of the one before. */
function sharedWithLast(time: Float64Array, { order, groups: { starts } }: Layout): boolean[] {
  const words = wordsOf(time);
  const same = (i: number, j: number) => {
    const a = (order ? order[i]! : i) * 2;
    const b = (order ? order[j]! : j) * 2;
    return words[a] === words[b] && words[a + 1] === words[b + 1];
  };
  return Array.from({ length: starts.length - 1 }, (_, d) => {
    if (d === 0) return false;
    const [before, start, end] = [starts[d - 1]!, starts[d]!, starts[d + 1]!];
    if (end - start !== start - before) return false;
    for (let i = start; i < end; i++) if (!same(i, before + i - start)) return false;
    return true;
  });
}

/** Of the devices with times of their own. */
function onlyOwn(layout: Layout, shared: readonly boolean[]): Layout {
  if (!shared.some(Boolean)) return layout;
  const { starts } = layout.groups;
  const own = shared.flatMap((same, d) => (same ? [] : [d]));
  const counts = own.map(d => starts[d + 1]! - starts[d]!);
  const groups = groupingOf(counts);
  const n = groups.starts[own.length]!;
  const order = new Uint16Array(n);
  for (const [place, d] of own.entries()) {
    for (let i = 0; i < counts[place]!; i++) {
      const at = starts[d]! + i;
      order[groups.starts[place]! + i] = layout.order ? layout.order[at]! : at;
    }
  }
  return { n, order, groups };
}

/** @throws EW_BLOCK_CORRUPT */
export function readTimes(from: BitReader, time: Float64Array, layout: Layout, atMs: number): void {
  const { starts } = layout.groups;
  const devices = starts.length - 1;
  const all = devices > 1 && from.flag();
  const shared = Array.from({ length: devices }, (_, d) => d > 0 && (all || from.flag()));
  // A device can only share with one that has as many rows.
  for (let d = 1; d < devices; d++)
    if (shared[d] && starts[d + 1]! - starts[d]! !== starts[d]! - starts[d - 1]!) shared[d] = false;
  readFloats(from, time, onlyOwn(layout, shared), atMs);
  const words = wordsOf(time);
  for (let d = 1; d < devices; d++) if (shared[d]) copyTimes(words, layout, d);
}

function copyTimes(words: Uint32Array, { order, groups: { starts } }: Layout, d: number): void {
  const start = starts[d]!;
  const back = start - starts[d - 1]!;
  for (let i = start; i < starts[d + 1]!; i++) {
    const to = (order ? order[i]! : i) * 2;
    const from = (order ? order[i - back]! : i - back) * 2;
    words[to] = words[from]!;
    words[to + 1] = words[from + 1]!;
  }
}
