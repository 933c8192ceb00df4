/** The wire format, version 1: see wire.md for its bytes and wire/block.ts for how it is read and written. */
import type { DeviceRows } from './batch.js';
import type { Described } from './contracts.js';
import { EdgewardError } from './errors.js';
import type { BlockDevice } from './wire/block.js';

export * from './wire/block.js';

/**
 * A header's rows under the devices' names.
 * @throws EW_BLOCK_CORRUPT if the schema has no such device
 */
export function namedRows(devices: readonly BlockDevice[], { schema }: Described): DeviceRows[] {
  return devices.map(({ index, first, last, count }) => {
    const device = schema.devices[index];
    if (device === undefined)
      throw new EdgewardError('EW_BLOCK_CORRUPT', `Its schema has no device ${index}.`);
    return { device, first, last, count };
  });
}
