/** The devices of a block in its header: mostly all of them, with equally many rows, from the same number on. */
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { corrupt, wireLimits } from './limits.js';
import type { BlockDevice } from './row-order.js';

const leftOut = ({ first, last, count }: BlockDevice) => last - first + 1 - count;

/** @throws TypeError for what no decoder would take */
export function writeDevices(out: BitWriter, devices: readonly BlockDevice[]): void {
  if (devices.length > wireLimits.maxDevices) throw new TypeError(`${devices.length} devices are too many`);
  const [{ first, count }] = devices as [BlockDevice];
  const inOrder = devices.every(({ index }, place) => index === place);
  const sameFirst = devices.every(device => device.first === first);
  const sameCount = devices.every(device => device.count === count);
  const gaps = devices.some(device => leftOut(device) > 0);
  out.count(devices.length);
  out.flag(inOrder);
  out.flag(sameFirst);
  out.flag(sameCount);
  out.flag(gaps);
  if (!inOrder) for (const { index } of devices) out.count(index);
  if (sameFirst) out.count(first);
  else for (const device of devices) out.count(device.first);
  if (!sameCount) for (const device of devices) out.count(device.count - 1);
  if (gaps) for (const device of devices) out.count(leftOut(device));
}

/** @throws EW_BLOCK_CORRUPT */
export function readDevices(from: BitReader, rows: number): BlockDevice[] {
  const length = from.countUpTo(Math.min(rows, wireLimits.maxDevices), 'devices');
  if (length === 0) throw corrupt('it has no devices');
  const inOrder = from.flag();
  const sameFirst = from.flag();
  const sameCount = from.flag();
  const gaps = from.flag();
  const indexes = inOrder ? undefined : readList(from, length, wireLimits.maxDevices - 1);
  const first = sameFirst ? from.countUpTo(Number.MAX_SAFE_INTEGER, 'as a row number') : 0;
  const firsts = sameFirst ? undefined : readList(from, length, Number.MAX_SAFE_INTEGER);
  const counts = sameCount ? undefined : readList(from, length, rows);
  const left = gaps ? readList(from, length, Number.MAX_SAFE_INTEGER) : undefined;
  const devices: BlockDevice[] = [];
  for (let place = 0; place < length; place++) {
    const index = indexes ? indexes[place]! : place;
    const from = firsts ? firsts[place]! : first;
    const count = counts ? counts[place]! + 1 : rows / length;
    devices.push({ index, first: from, last: from + count - 1 + (left ? left[place]! : 0), count });
  }
  if (indexes) checkNames(indexes);
  checkRows(devices, rows);
  return devices;
}

function readList(from: BitReader, length: number, limit: number): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < length; i++) numbers.push(from.countUpTo(limit, 'in a list of devices'));
  return numbers;
}

/** By device index: 1 = named in the block being read. */
const named = new Uint8Array(wireLimits.maxDevices);

function checkNames(indexes: readonly number[]): void {
  named.fill(0);
  for (const index of indexes) {
    if (named[index]) throw corrupt('it names a device twice');
    named[index] = 1;
  }
}

function checkRows(devices: readonly BlockDevice[], rows: number): void {
  let sum = 0;
  for (let place = 0; place < devices.length; place++) {
    const { first, last, count } = devices[place]!;
    sum += count;
    if (!Number.isInteger(count)) throw corrupt('its rows cannot be shared out evenly');
    if (!Number.isSafeInteger(last)) throw corrupt('a row number in it is none');
    if (count === 1 && last > first) throw corrupt('one row cannot leave out any');
  }
  if (sum !== rows) throw corrupt('its devices have another number of rows than it has');
}
