/** Row numbers: where a device's rows have gaps, how many numbers each gap leaves out. */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import type { Layout } from './floats.js';
import { readLane, writeLane } from './lane.js';
import { corrupt } from './limits.js';
import type { BlockDevice } from './row-order.js';
import { lane } from './scratch.js';

function hasGaps({ first, last, count }: BlockDevice): boolean {
  return last - first + 1 !== count;
}

export function writeRowNumbers(
  out: BitWriter,
  row: Float64Array,
  devices: readonly BlockDevice[],
  { order, groups: { starts } }: Layout,
): void {
  const at = (i: number) => row[order ? order[i]! : i]!;
  for (const [place, device] of devices.entries()) {
    if (!hasGaps(device)) continue;
    for (let i = 1; i < device.count; i++) {
      const j = starts[place]! + i;
      lane[i - 1] = at(j) - at(j - 1) - 1;
    }
    writeLane(out, lane, device.count - 1, Int32Array.of(device.count - 1));
  }
}

/** @throws EW_BLOCK_CORRUPT unless they rise to the last one that the header says */
export function readRowNumbers(
  from: BitReader,
  row: Float64Array,
  devices: readonly BlockDevice[],
  { order, groups: { starts } }: Layout,
): void {
  for (const [place, device] of devices.entries()) {
    const gaps = hasGaps(device);
    if (gaps) readLane(from, lane, device.count - 1, Int32Array.of(device.count - 1));
    let number = device.first;
    for (let i = 0; i < device.count; i++) {
      const j = starts[place]! + i;
      if (gaps && i > 0 && lane[i - 1]! < 0) throw corrupt('its row numbers do not rise');
      if (i > 0) number += gaps ? lane[i - 1]! + 1 : 1;
      row[order ? order[j]! : j] = number;
    }
    if (number !== device.last) throw corrupt('its header and its rows disagree');
  }
}
