import type { DeviceRows } from '@edgeward/shared/batch';
import { jsonValue, type StoreDatabase, textKey } from '@edgeward/shared/store';

/** What became of one device's rows, cumulative over all starts. `released`: the collector has them for good. */
export interface DeviceCounts {
  read: number;
  released: number;
  rejected: number;
  thinned: number;
  dropped: number;
  damaged: number;
}

const prefix = 'l';

/**
 * The agent's side of the delivery ledger. Counters change in memory only when the commit that carries them is
 * written, so that what a report says is what a restart would find.
 */
export class OutboxLedger {
  readonly #counts = new Map<string, DeviceCounts>();

  static async load(db: StoreDatabase): Promise<OutboxLedger> {
    const ledger = new OutboxLedger();
    for await (const [key, value] of db.iterator({ gte: textKey(prefix, ''), lt: textKey('m', '') })) {
      ledger.#counts.set(key.toString('utf8', 1), JSON.parse(value.toString('utf8')) as DeviceCounts);
    }
    return ledger;
  }

  devices(): IterableIterator<string> {
    return this.#counts.keys();
  }

  of(device: string): Readonly<DeviceCounts> {
    return this.#counts.get(device) ?? noCounts();
  }

  /** The puts that make these changes durable; `apply` makes them visible once the commit is down. */
  prepare(changes: LedgerChanges): { puts: { key: Buffer; value: Buffer }[]; apply: () => void } {
    const next = changes.applyTo(this.#counts);
    return {
      puts: [...next].map(([device, counts]) => ({ key: textKey(prefix, device), value: jsonValue(counts) })),
      apply: () => {
        for (const [device, counts] of next) this.#counts.set(device, counts);
      },
    };
  }
}

/** Additions waiting for a commit. */
export class LedgerChanges {
  readonly #added = new Map<string, DeviceCounts>();

  get empty(): boolean {
    return this.#added.size === 0;
  }

  add(device: string, kind: keyof DeviceCounts, rows: number): void {
    const counts = this.#added.get(device) ?? noCounts();
    counts[kind] += rows;
    this.#added.set(device, counts);
  }

  addRows(rows: readonly DeviceRows[], kind: keyof DeviceCounts): void {
    for (const { device, count } of rows) this.add(device, kind, count);
  }

  /** Both together, as one. */
  plus(later: LedgerChanges): LedgerChanges {
    const sum = new LedgerChanges();
    for (const changes of [this, later]) {
      for (const [device, counts] of changes.#added) {
        for (const kind of Object.keys(counts) as (keyof DeviceCounts)[]) sum.add(device, kind, counts[kind]);
      }
    }
    return sum;
  }

  applyTo(base: ReadonlyMap<string, DeviceCounts>): Map<string, DeviceCounts> {
    const next = new Map<string, DeviceCounts>();
    for (const [device, added] of this.#added) {
      const counts = { ...(base.get(device) ?? noCounts()) };
      for (const kind of Object.keys(added) as (keyof DeviceCounts)[]) counts[kind] += added[kind];
      next.set(device, counts);
    }
    return next;
  }
}

function noCounts(): DeviceCounts {
  return { read: 0, released: 0, rejected: 0, thinned: 0, dropped: 0, damaged: 0 };
}
