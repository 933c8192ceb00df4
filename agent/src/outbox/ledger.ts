/**
 * The agent's side of the delivery ledger: what became of every row that was read, per device and over all starts.
 *
 * In memory it is the truth of this moment. Saved is what a restart would find: rows that are only in memory are not
 * in it, so that the saved sum holds after a kill at any point.
 */
import type { DeviceRows } from '@edgeward/shared/batch';
import type { DeviceReport, HeldRows } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { HeldRowSpans } from './held-rows.js';
import type { DeviceRecord } from './layout.js';

/** `delivered`: the collector has journaled it. */
export type Fate = 'delivered' | 'rejected' | 'thinned' | 'dropped' | 'damaged';
export type DeviceCounts = { -readonly [K in Fate | 'read']: number };

export const fates = ['delivered', 'rejected', 'thinned', 'dropped', 'damaged'] as const;

/** What a kill now would lose, and what waits for its source's position: outside what may be saved. */
export interface Unsaved {
  readonly rows: readonly DeviceRows[];
  /** Counted with a position that is not yet durable, by device. */
  readonly rejected: ReadonlyMap<string, number>;
}

type ByDevice<T> = Map<string, T>;

export class Ledger {
  readonly #counts: ByDevice<DeviceCounts> = new Map();
  /** By start counter. */
  readonly #rows = new Map<number, ByDevice<RangeSet>>();
  readonly #held = new Map<number, ByDevice<HeldRowSpans>>();
  /** Changed since they were saved. */
  readonly dirty = new Set<string>();
  /** Of those, what must be saved together with the next change on disk. */
  readonly pressing = new Set<string>();
  /** Of epochs up to this start counter only the counts are kept. */
  condensedThrough = 0;

  /** Rows were read and are held. */
  read(counter: number, devices: readonly DeviceRows[]): void {
    for (const { device, first, last, count } of devices) {
      this.#of(device).read += count;
      this.rowsOf(counter, device).add(first, last);
      this.hold(counter, { device, first, last, count });
    }
  }

  /** Held rows have come to an end. */
  settle(counter: number, devices: readonly DeviceRows[], fate: Fate, pressing: boolean): void {
    for (const { device, first, last, count } of devices) {
      this.#of(device)[fate] += count;
      this.#heldOf(counter, device).remove(first, last, count);
      if (pressing) this.pressing.add(device);
    }
  }

  /** What was delivered is held again: the collector forgot it. */
  unsettle(counter: number, devices: readonly DeviceRows[]): void {
    for (const rows of devices) {
      this.#of(rows.device).delivered -= rows.count;
      this.hold(counter, rows);
      this.pressing.add(rows.device);
    }
  }

  /** Of held rows fewer are left. */
  thin(counter: number, before: readonly DeviceRows[], after: readonly DeviceRows[]): void {
    this.settle(counter, before, 'thinned', true);
    for (const rows of after) {
      this.#of(rows.device).thinned -= rows.count;
      this.hold(counter, rows);
    }
  }

  hold(counter: number, { device, first, last, count }: DeviceRows): void {
    this.#heldOf(counter, device).add(first, last, count);
  }

  add(device: string, kind: Fate | 'read', rows: number): void {
    this.#of(device)[kind] += rows;
  }

  counts(device: string): Readonly<DeviceCounts> {
    return this.#counts.get(device) ?? noCounts();
  }

  load(device: string, { n: _, ...counts }: DeviceRecord): void {
    this.#counts.set(device, counts);
  }

  devices(): IterableIterator<string> {
    return this.#counts.keys();
  }

  /** Row numbers of an epoch that the device's `read` counts. */
  rowsOf(counter: number, device: string): RangeSet {
    const devices = getOrMake(this.#rows, counter, () => new Map<string, RangeSet>());
    return getOrMake(devices, device, () => new RangeSet());
  }

  /** Devices of which that epoch has rows. */
  devicesOf(counter: number): readonly string[] {
    return [...(this.#rows.get(counter)?.keys() ?? [])];
  }

  /** Drops the details of an epoch that nothing is held of. */
  condense(counter: number): void {
    this.#rows.delete(counter);
    this.#held.delete(counter);
    this.condensedThrough = Math.max(this.condensedThrough, counter);
  }

  /** Holds these rows of an epoch and no others. */
  adopt(counter: number, found: Map<string, HeldRowSpans>): void {
    this.#held.set(counter, found);
  }

  /**
   * Holds what is there against what should be: rows of that epoch that are held and not found are damaged.
   * @returns how many, by device
   */
  reconcile(counter: number, found: Map<string, HeldRowSpans>): Map<string, number> {
    const missing = new Map<string, number>();
    for (const [device, held] of this.#held.get(counter) ?? []) {
      const gone = held.count - (found.get(device)?.count ?? 0);
      if (gone === 0) continue;
      this.#of(device).damaged += gone;
      this.pressing.add(device);
      missing.set(device, gone);
    }
    this.#held.set(counter, found);
    return missing;
  }

  /** Held by all epochs together. */
  heldCount(device: string): number {
    let sum = 0;
    for (const devices of this.#held.values()) sum += devices.get(device)?.count ?? 0;
    return sum;
  }

  /** All devices together. */
  total(): Readonly<DeviceCounts> {
    const total = noCounts();
    for (const counts of this.#counts.values()) {
      total.read += counts.read;
      for (const fate of fates) total[fate] += counts[fate];
    }
    return total;
  }

  report(nameOf: (counter: number) => string): DeviceReport[] {
    const counters = [...this.#rows.keys()].sort((a, b) => a - b);
    return [...this.#counts].map(([device, { delivered: _, ...counts }]) => ({
      device,
      ...counts,
      rows: counters.flatMap(counter => {
        const ranges = this.#rows.get(counter)?.get(device);
        return ranges && !ranges.isEmpty ? [{ epoch: nameOf(counter), ranges: ranges.toJSON() }] : [];
      }),
      held: counters.flatMap(counter => this.#reportHeld(counter, device, nameOf(counter))),
    }));
  }

  #reportHeld(counter: number, device: string, epoch: string): HeldRows[] {
    const held = this.#held.get(counter)?.get(device);
    if (!held || held.count === 0) return [];
    return held.ranges().map(([from, through, count]) => ({ epoch, from, through, count }));
  }

  #heldOf(counter: number, device: string): HeldRowSpans {
    const devices = getOrMake(this.#held, counter, () => new Map<string, HeldRowSpans>());
    return getOrMake(devices, device, () => new HeldRowSpans());
  }

  #of(device: string): DeviceCounts {
    this.dirty.add(device);
    return getOrMake(this.#counts, device, noCounts);
  }
}

export function noCounts(): DeviceCounts {
  return { read: 0, delivered: 0, rejected: 0, thinned: 0, dropped: 0, damaged: 0 };
}

/** What the counts leave over: rows that must still be held. */
export function heldBy(counts: DeviceCounts): number {
  return fates.reduce((left, fate) => left - counts[fate], counts.read);
}
