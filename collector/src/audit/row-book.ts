import type { DeviceRows as BlockRows } from '@edgeward/shared/batch';
import type { RangeList } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { DeviceRows } from '../journal/device-rows.js';

interface Rows {
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly rows?: RangeList;
}

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

  /** Rows that blocks are known to be without, within their spans. */
  readonly #holes = new Map<string, RangeSet>();

  /** @returns how many of these rows were there before */
  add(device: string, span: Rows): number {
    const rows = getOrMake(this.devices, device, () => new DeviceRows());
    const before = rows.countWithin(span.first, span.last);
    if (before > 0) return this.#addAmong(rows, device, span) ?? before;
    rows.add(span);
    if (span.rows) this.#noteHoles(device, span, span.rows);
    return 0;
  }

  #noteHoles(device: string, { first, last }: Rows, rows: RangeList): void {
    const holes = getOrMake(this.#holes, device, () => new RangeSet());
    for (const [from, through] of new RangeSet(rows).missing(first, last)) holes.add(from, through);
  }

  /** What a block was without may come later, as when it was refused and is replayed. */
  #addAmong(
    rows: DeviceRows,
    device: string,
    { first, last, count, rows: ranges }: Rows,
  ): number | undefined {
    const numbers = ranges ?? (count === last - first + 1 ? [[first, last] as const] : undefined);
    if (!numbers) return undefined;
    const known = new RangeSet(rows.spans());
    const holes = this.#holes.get(device) ?? new RangeSet();
    let doubled = 0;
    for (const [from, through] of numbers) {
      doubled += known.countWithin(from, through) - holes.countWithin(from, through);
      for (const [low, high] of holes.within(from, through)) {
        rows.fill(low, high);
        holes.remove(low, high);
      }
      for (const [low, high] of known.missing(from, through))
        rows.add({ first: low, last: high, count: high - low + 1 });
    }
    return doubled;
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
