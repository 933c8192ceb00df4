/** Where each device's rows are in a batch, so that what is remembered of a device is fetched once and not for every row. */
export interface RowsByDevice {
  /** Indexes of devices that have rows. */
  readonly devices: readonly number[];
  /** The rows of devices[d] are at order[ends[d − 1]] … order[ends[d] − 1], in the order they had. */
  readonly ends: readonly number[];
  /** [n] */
  readonly order: Uint32Array;
}

/** @param device  [n] indexes below `count` */
export function rowsByDevice(device: Uint16Array, count: number): RowsByDevice {
  const n = device.length;
  const next = new Uint32Array(count);
  for (let i = 0; i < n; i++) next[device[i]!]! += 1;
  const devices: number[] = [];
  const ends: number[] = [];
  for (let d = 0, at = 0; d < count; d++) {
    const rows = next[d]!;
    next[d] = at;
    if (rows === 0) continue;
    at += rows;
    devices.push(d);
    ends.push(at);
  }
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[next[device[i]!]!++] = i;
  return { devices, ends, order };
}
