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
  for (const set of [inOrder, sameFirst, sameCount, gaps]) out.flag(set);
  if (!inOrder) for (const { index } of devices) out.count(index);
  for (const device of sameFirst ? devices.slice(0, 1) : devices) out.count(device.first);
  if (!sameCount) for (const device of devices) out.count(device.count - 1);
  if (gaps) for (const device of devices) out.count(leftOut(device));
}

/** @throws EW_BLOCK_CORRUPT */
export function readDevices(from: BitReader, rows: number): BlockDevice[] {
  const length = from.countUpTo(Math.min(rows, wireLimits.maxDevices), 'devices');
  if (length === 0) throw corrupt('it has no devices');
  const [inOrder, sameFirst, sameCount, gaps] = [from.flag(), from.flag(), from.flag(), from.flag()];
  const list = (one: () => number) => Array.from({ length }, one);
  const indexes = inOrder ? undefined : list(() => from.countUpTo(wireLimits.maxDevices - 1, 'as an index'));
  const common = sameFirst ? from.count() : 0;
  const firsts = sameFirst ? undefined : list(() => from.count());
  const counts = sameCount ? undefined : list(() => from.countUpTo(rows, 'rows') + 1);
  const left = gaps ? list(() => from.count()) : undefined;
  const devices = Array.from({ length }, (_, place) => {
    const first = firsts?.[place] ?? common;
    const count = counts?.[place] ?? rows / length;
    return { index: indexes?.[place] ?? place, first, last: first + count - 1 + (left?.[place] ?? 0), count };
  });
  check(devices, rows);
  return devices;
}

function check(devices: readonly BlockDevice[], rows: number): void {
  const distinct = new Set(devices.map(({ index }) => index));
  if (distinct.size !== devices.length) throw corrupt('it names a device twice');
  const sum = devices.reduce((total, { count }) => total + count, 0);
  if (sum !== rows || !devices.every(({ count }) => Number.isInteger(count)))
    throw corrupt('its devices have another number of rows than it has');
  if (!devices.every(({ last }) => Number.isSafeInteger(last))) throw corrupt('a row number in it is none');
  if (devices.some(device => device.count === 1 && leftOut(device) > 0))
    throw corrupt('one row cannot leave out any');
}
