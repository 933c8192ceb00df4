import { getOrMake } from '@edgeward/shared/maps';

/**
 * Rows that a source refused since its last batch. They are saved with its next position and not before: a source
 * that reads on from the position before meets the same rows again.
 */
export class Rejects {
  readonly #bySource = new Map<string, Map<string, number>>();

  add(source: string, device: string, rows: number): void {
    const devices = getOrMake(this.#bySource, source, () => new Map<string, number>());
    devices.set(device, (devices.get(device) ?? 0) + rows);
  }

  /** They go with the position that is about to be saved, or with no position at all. */
  release(source: string): ReadonlyMap<string, number> | undefined {
    const devices = this.#bySource.get(source);
    this.#bySource.delete(source);
    return devices;
  }

  /** What waits, by device. */
  waiting(): Map<string, number> {
    const sum = new Map<string, number>();
    for (const devices of this.#bySource.values())
      for (const [device, rows] of devices) sum.set(device, (sum.get(device) ?? 0) + rows);
    return sum;
  }
}
