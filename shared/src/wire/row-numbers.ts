/** Row numbers: where a device's rows have gaps, how many numbers each gap leaves out. */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import type { Layout } from './floats.js';
import { readLane, writeLane } from './lane.js';
import { corrupt } from './limits.js';
import type { BlockDevice } from './row-order.js';
import { lane } from './scratch.js';

/** Where a device's gaps end: they are counted through alone. */
const oneEnd = new Int32Array(1);

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
  for (let place = 0; place < devices.length; place++) {
    const device = devices[place]!;
    if (!hasGaps(device)) continue;
    for (let i = 1; i < device.count; i++) {
      const j = starts[place]! + i;
      lane[i - 1] = at(j) - at(j - 1) - 1;
    }
    oneEnd[0] = device.count - 1;
    writeLane(out, lane, device.count - 1, oneEnd);
  }
}

/** @throws EW_BLOCK_CORRUPT unless they rise to the last one that the header says */
export function readRowNumbers(
  from: BitReader,
  row: Float64Array,
  devices: readonly BlockDevice[],
  { order, groups: { starts } }: Layout,
): void {
  for (let place = 0; place < devices.length; place++) {
    const device = devices[place]!;
    const gaps = hasGaps(device);
    if (gaps) readGaps(from, device.count - 1);
    let number = device.first;
    for (let i = 0; i < device.count; i++) {
      const j = starts[place]! + i;
      if (i > 0) number += gaps ? lane[i - 1]! + 1 : 1;
      row[order ? order[j]! : j] = number;
    }
    if (number !== device.last) throw corrupt('its header and its rows disagree');
  }
}

/** Fills `lane`. */
function readGaps(from: BitReader, count: number): void {
  oneEnd[0] = count;
  readLane(from, lane, count, oneEnd);
  for (let i = 0; i < count; i++) if (lane[i]! < 0) throw corrupt('its row numbers do not rise');
}
