/**
 * The collector's side of the ledger beside the rows it has: one account per outbox, because a gateway that gets a
 * new SD card begins to count anew under its old name, and what the old one said stays true of the old one.
 */
import type { RangeList } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { z } from 'zod';
import type { DeviceSaid, GatewayReport } from '../report.js';
import { type Received, type ReceivedEpoch, startOf } from './received.js';

const ranges = z.array(z.tuple([z.number(), z.number()]));
const byEpoch = z.record(z.string(), ranges);
export const accountSchema = z.object({
  folded: z.number(),
  oldestStart: z.number(),
  begun: z.boolean().default(true),
  base: z.record(z.string(), z.object({ stored: z.number(), recovered: z.number(), rejected: z.number() })),
  frozen: z.record(z.string(), z.record(z.string(), ranges)),
  earlier: z.record(z.string(), z.object({ count: z.number(), rows: byEpoch })),
});
type SavedAccount = z.output<typeof accountSchema>;

/** What folded epochs came to, of one device. */
export interface Base {
  readonly stored: number;
  readonly recovered: number;
  readonly rejected: number;
}

/** Rows that the agent says were delivered and that this journal does not have, because another had them. */
export interface Earlier {
  count: number;
  /** Where they are, and maybe more than they: one that is stored here after all is no longer one of them. */
  rows: Record<string, RangeList>;
}

export class Account {
  report: GatewayReport | undefined;
  /** When the report came, ms by the collector's clock. */
  heardMs = 0;
  /** Epochs up to this start counter are in `base`; none of their blocks can come again. */
  folded: number;
  /** Start counter of the oldest epoch the agent still holds, as far as its blocks have said. */
  oldestStart: number;
  /** The agent has reported as one that knows this journal: what went to another one is settled. */
  begun: boolean;
  readonly base: Map<string, Base>;
  /** The rows of epochs that the agent has stopped telling while their blocks may still come. */
  readonly #frozen: Map<string, ReadonlyMap<string, RangeList>>;
  readonly #earlier: Map<string, Earlier>;

  constructor(
    readonly gateway: string,
    readonly outbox: string,
    saved?: SavedAccount,
  ) {
    this.folded = saved?.folded ?? 0;
    this.oldestStart = saved?.oldestStart ?? 0;
    this.begun = saved?.begun ?? false;
    this.base = new Map(Object.entries(saved?.base ?? {}));
    this.#earlier = new Map(Object.entries(saved?.earlier ?? {}));
    const frozen = Object.entries(saved?.frozen ?? {});
    this.#frozen = new Map(frozen.map(([epoch, rows]) => [epoch, new Map(Object.entries(rows))]));
  }

  /** The row numbers of one device that the agent's `read` counts; undefined = whatever there is of this epoch. */
  rowsOf(epoch: string, said: DeviceSaid | undefined, device: string): RangeList | undefined {
    if (!this.report) return [];
    if (startOf(epoch) > this.report.condensedThrough)
      return said?.rows.find(one => one.epoch === epoch)?.ranges ?? [];
    const frozen = this.#frozen.get(epoch);
    return frozen && (frozen.get(device) ?? []);
  }

  earlierOf(device: string, epochs: ReadonlyMap<string, ReceivedEpoch>): number {
    const earlier = this.#earlier.get(device);
    if (!earlier) return 0;
    return Object.entries(earlier.rows).reduce(
      (sum, [epoch, rows]) => sum - (epochs.get(epoch)?.rows.get(device)?.countIn(rows) ?? 0),
      earlier.count,
    );
  }

  /** @param earlier  by device, rows that were delivered, and not to this journal */
  begin(earlier: ReadonlyMap<string, Earlier>): void {
    this.#earlier.clear();
    for (const [device, rows] of earlier) this.#earlier.set(device, rows);
  }

  /**
   * Rows delivered elsewhere that the agent no longer counts as read, because it was killed before it had saved that
   * it read them: they are in its gap, and in no sum. @returns whether there were any
   */
  forgetUnsaid(report: GatewayReport): boolean {
    let changed = false;
    for (const [device, earlier] of this.#earlier) {
      const said = report.devices.find(one => one.device === device);
      for (const [epoch, rows] of Object.entries(earlier.rows)) {
        if (startOf(epoch) <= report.condensedThrough) continue;
        const gone = new RangeSet(rows);
        gone.removeAll(new RangeSet(said?.rows.find(one => one.epoch === epoch)?.ranges));
        if (gone.isEmpty) continue;
        const left = new RangeSet(rows);
        left.removeAll(gone);
        earlier.count -= gone.count;
        earlier.rows[epoch] = left.toJSON();
        changed = true;
      }
    }
    return changed;
  }

  /** What the last report told of epochs that the next will not. */
  freeze(next: GatewayReport, epochs: Iterable<string>): boolean {
    const last = this.report;
    if (!last) return false;
    let changed = false;
    for (const epoch of epochs) {
      const start = startOf(epoch);
      if (start <= last.condensedThrough || start > next.condensedThrough || this.#frozen.has(epoch))
        continue;
      const rows = last.devices.map(
        said => [said.device, this.rowsOf(epoch, said, said.device) ?? []] as const,
      );
      this.#frozen.set(epoch, new Map(rows.filter(([, list]) => list.length > 0)));
      changed = true;
    }
    return changed;
  }

  /** Takes an epoch's counts over, for good: the ranges they were counted from may go. */
  fold(epoch: string, received: ReceivedEpoch): void {
    for (const device of new Set([...received.rows.keys(), ...received.rejected.keys()])) {
      const said = this.report?.devices.find(one => one.device === device);
      const before = this.base.get(device) ?? { stored: 0, recovered: 0, rejected: 0 };
      const found = countsOf(received, device, this.rowsOf(epoch, said, device));
      this.base.set(device, {
        stored: before.stored + found.stored + found.recoveredStored,
        rejected: before.rejected + found.rejected + found.recoveredRejected,
        recovered: before.recovered + found.recoveredStored + found.recoveredRejected,
      });
      const earlier = this.#earlier.get(device);
      const rows = earlier?.rows[epoch];
      if (earlier && rows) earlier.count -= received.rows.get(device)?.countIn(rows) ?? 0;
    }
    for (const earlier of this.#earlier.values()) delete earlier.rows[epoch];
    this.#frozen.delete(epoch);
  }

  toJSON(): SavedAccount {
    const frozen = [...this.#frozen].map(([epoch, rows]) => [epoch, Object.fromEntries(rows)] as const);
    return {
      folded: this.folded,
      oldestStart: this.oldestStart,
      begun: this.begun,
      base: Object.fromEntries(this.base),
      frozen: Object.fromEntries(frozen) as SavedAccount['frozen'],
      earlier: Object.fromEntries(this.#earlier) as SavedAccount['earlier'],
    };
  }
}

/**
 * Rows of an epoch that are here, apart by whether the agent counts them as read.
 * @param counted  undefined = it counts all of them
 */
export function countsOf(received: ReceivedEpoch, device: string, counted: RangeList | undefined) {
  const [rows, rejected] = [received.rows.get(device), received.rejected.get(device)];
  const stored = (counted ? rows?.countIn(counted) : rows?.count) ?? 0;
  const lost = (counted ? rejected?.countIn(counted) : rejected?.count) ?? 0;
  return {
    stored,
    rejected: lost,
    recoveredStored: (rows?.count ?? 0) - stored,
    recoveredRejected: (rejected?.count ?? 0) - lost,
  };
}

export class Accounts {
  readonly #gateways = new Map<string, Map<string, Account>>();

  of(gateway: string): ReadonlyMap<string, Account> {
    return this.#gateways.get(gateway) ?? new Map<string, Account>();
  }

  get(gateway: string, outbox: string): Account | undefined {
    return this.#gateways.get(gateway)?.get(outbox);
  }

  open(gateway: string, outbox: string): Account {
    const own = getOrMake(this.#gateways, gateway, () => new Map<string, Account>());
    return getOrMake(own, outbox, () => new Account(gateway, outbox));
  }

  add(account: Account): void {
    getOrMake(this.#gateways, account.gateway, () => new Map<string, Account>()).set(account.outbox, account);
  }

  gateways(): IterableIterator<string> {
    return this.#gateways.keys();
  }

  /** The account of the outbox that spoke last. */
  current(gateway: string): Account | undefined {
    let newest: Account | undefined;
    for (const account of this.of(gateway).values())
      if (account.report && (!newest || account.heardMs >= newest.heardMs)) newest = account;
    return newest;
  }

  /** The last report of each gateway. */
  reports(): GatewayReport[] {
    return [...this.#gateways.keys()].flatMap(gateway => this.current(gateway)?.report ?? []);
  }
}

/** What the agent told of one device and epoch, without what it still holds and what is here: it went elsewhere. */
export function elsewhere(said: DeviceSaid, epoch: string, received: ReceivedEpoch | undefined): RangeList {
  const set = new RangeSet(said.rows.find(one => one.epoch === epoch)?.ranges ?? []);
  for (const held of said.held) if (held.epoch === epoch) set.remove(held.from, held.through);
  for (const [from, through] of received?.rows.get(said.device)?.spans() ?? []) set.remove(from, through);
  return set.toJSON();
}

/** The epochs of one outbox that the journal has rows of. */
export function epochsOf(received: Received, gateway: string, outbox: string): Map<string, ReceivedEpoch> {
  return new Map([...received.epochs(gateway)].filter(([, epoch]) => epoch.outbox === outbox));
}
