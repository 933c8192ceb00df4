import type { DeviceRows as BlockRows } from '@edgeward/shared/batch';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { DeviceRows } from '../journal/device-rows.js';

interface Block {
  readonly gateway: string;
  readonly epoch: string;
  readonly seq: number;
  readonly devices: readonly BlockRows[];
}

/** Rows of one gateway and epoch. */
export class EpochRows {
  readonly seqs = new RangeSet();
  readonly devices = new Map<string, DeviceRows>();

  /** @returns how many of these rows were there before */
  add(device: string, span: { first: number; last: number; count: number }): number {
    const rows = getOrMake(this.devices, device, () => new DeviceRows());
    const before = rows.countWithin(span.first, span.last);
    if (before === 0) rows.add(span);
    return before;
  }
}

/** Rows by gateway, epoch and device, as ranges. */
export class RowBook {
  readonly #epochs = new Map<string, EpochRows>();

  of(gateway: string, epoch: string): EpochRows {
    return getOrMake(this.#epochs, `${gateway}/${epoch}`, () => new EpochRows());
  }

  find(gateway: string, epoch: string): EpochRows | undefined {
    return this.#epochs.get(`${gateway}/${epoch}`);
  }

  addBlock({ gateway, epoch, seq, devices }: Block): void {
    const rows = this.of(gateway, epoch);
    rows.seqs.add(seq);
    for (const { device, ...span } of devices) rows.add(device, span);
  }

  /** By `gateway/epoch`. */
  entries(): IterableIterator<[string, EpochRows]> {
    return this.#epochs.entries();
  }

  get count(): number {
    let sum = 0;
    for (const { devices } of this.#epochs.values()) for (const rows of devices.values()) sum += rows.count;
    return sum;
  }
}
