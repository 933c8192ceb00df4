/**
 * The delivery ledger: per device, is every row that was ever read accounted for?
 *
 *   read = stored + inFlight + rejected + thinned + dropped + damaged + earlier
 *
 * Each term is counted on its own. The agent counts `read` and the losses, names the rows it has read by number,
 * and those it still holds. We count which of the read ones the journal has, and which of the held ones it has not.
 * A row that vanished between the two makes the sides differ. Three things are said apart:
 * - `recovered`: stored rows of a start that was killed before it could note that it had read them: read and stored.
 * - `earlier`: what had been delivered before this journal began, to another one that is gone. Rows of it that an
 *   agent forgot, because it was killed before it had saved that it read them, are its gap and in no sum any more.
 * - the account of an outbox that is no longer in use: closed, with what it last said.
 */
import type { LedgerCounts } from '@edgeward/shared/contracts';
import { type Account, type Accounts, countsOf, epochsOf } from './journal/accounts.js';
import { type Received, type ReceivedEpoch, startOf } from './journal/received.js';
import type { DeviceSaid } from './report.js';
import type { LedgerRow, LedgerView } from './views.js';

/** The account of a gateway's rows that came as JSON: nobody but the collector counts them. */
export const jsonOutbox = 'json';

const sums = [
  'read',
  'stored',
  'inFlight',
  'rejected',
  'thinned',
  'dropped',
  'damaged',
  'earlier',
  'recovered',
] as const;

export function ledgerView(received: Received, accounts: Accounts): Omit<LedgerView, 'sinks'> {
  const ids = [...new Set([...received.gateways(), ...accounts.gateways()])].sort();
  const rows = ids.map(id => ({ id, own: gatewayRows(id, received, accounts) }));
  const devices = rows.flatMap(({ own }) => own);
  const totals = rows.map(({ id, own }) => {
    const total = Object.fromEntries(sums.map(term => [term, own.reduce((sum, row) => sum + row[term], 0)]));
    return { id, ...(total as Record<(typeof sums)[number], number>), balanced: own.every(isBalanced) };
  });
  return { balanced: devices.every(isBalanced), gateways: totals, devices };
}

export interface FleetLedger extends Counts {
  /** Devices whose rows are not all accounted for. */
  readonly unbalanced: number;
}

/** The whole fleet in one line, for whoever asks often: it costs much less than all lines. */
export function fleetLedger(received: Received, accounts: Accounts): FleetLedger {
  const fleet = { ...noCounts };
  let unbalanced = 0;
  for (const gateway of new Set([...received.gateways(), ...accounts.gateways()])) {
    for (const outbox of outboxesOf(gateway, received, accounts)) {
      const account = accounts.get(gateway, outbox);
      for (const [, counts] of accountCounts(outbox, account, epochsOf(received, gateway, outbox))) {
        add(fleet, counts);
        if (counts.read !== accounted(counts)) unbalanced += 1;
      }
    }
  }
  return { ...fleet, unbalanced };
}

/** Word by word: over many devices a loop over the terms would take as long as all the rest. */
function add(fleet: { -readonly [Term in keyof Counts]: number }, counts: Counts): void {
  fleet.read += counts.read;
  fleet.stored += counts.stored;
  fleet.inFlight += counts.inFlight;
  fleet.rejected += counts.rejected;
  fleet.thinned += counts.thinned;
  fleet.dropped += counts.dropped;
  fleet.damaged += counts.damaged;
  fleet.recovered += counts.recovered;
  fleet.earlier += counts.earlier;
}

function isBalanced({ balanced }: LedgerRow): boolean {
  return balanced;
}

function outboxesOf(gateway: string, received: Received, accounts: Accounts): Set<string> {
  const outboxes = new Set(accounts.of(gateway).keys());
  for (const [, { outbox }] of received.epochs(gateway)) outboxes.add(outbox);
  return outboxes;
}

function gatewayRows(gateway: string, received: Received, accounts: Accounts): LedgerRow[] {
  const outboxes = outboxesOf(gateway, received, accounts);
  const current = accounts.current(gateway)?.outbox;
  return [...outboxes].flatMap(outbox => {
    const account = accounts.get(gateway, outbox);
    const closed = outbox !== current && outbox !== jsonOutbox && current !== undefined;
    return accountRows(gateway, outbox, account, epochsOf(received, gateway, outbox)).map(row => ({
      ...row,
      closed,
    }));
  });
}

type Epochs = ReadonlyMap<string, ReceivedEpoch>;

function accountRows(gateway: string, outbox: string, account: Account | undefined, epochs: Epochs) {
  const asOfMs = account?.report?.atMs ?? null;
  return [...accountCounts(outbox, account, epochs)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([device, counts]) => {
      const balanced = counts.read === accounted(counts);
      return { gateway, outbox, device, ...counts, balanced, asOfMs };
    });
}

function* accountCounts(
  outbox: string,
  account: Account | undefined,
  epochs: Epochs,
): Generator<readonly [device: string, counts: Counts]> {
  const said = new Map(account?.report?.devices.map(device => [device.device, device]));
  for (const device of namesOf(said, account, epochs))
    yield outbox === jsonOutbox
      ? [device, ownCounts(device, epochs)]
      : [device, deviceCounts(device, account, said.get(device), epochs)];
}

/** Mostly just those that the report has. */
function namesOf(
  said: ReadonlyMap<string, DeviceSaid>,
  account: Account | undefined,
  epochs: Epochs,
): Iterable<string> {
  const more = new Set<string>();
  const look = (names: Iterable<string>) => {
    for (const name of names) if (!said.has(name)) more.add(name);
  };
  if (account) look(account.base.keys());
  for (const { rows, rejected } of epochs.values()) {
    look(rows.keys());
    look(rejected.keys());
  }
  return more.size === 0 ? said.keys() : [...said.keys(), ...more];
}

function accounted(counts: Counts): number {
  const { stored, inFlight, rejected, thinned, dropped, damaged, earlier } = counts;
  return stored + inFlight + rejected + thinned + dropped + damaged + earlier;
}

type Counts = LedgerCounts & Pick<LedgerRow, 'recovered' | 'earlier'>;
const noCounts: Counts = {
  read: 0,
  stored: 0,
  inFlight: 0,
  rejected: 0,
  thinned: 0,
  dropped: 0,
  damaged: 0,
  recovered: 0,
  earlier: 0,
};

function ownCounts(device: string, epochs: Epochs): Counts {
  let stored = 0;
  for (const { rows } of epochs.values()) stored += rows.get(device)?.count ?? 0;
  return { ...noCounts, read: stored, stored };
}

/** One device's line, by what its agent said last and what the journal has now. */
export function deviceCounts(
  device: string,
  account: Account | undefined,
  said: DeviceSaid | undefined,
  epochs: Epochs,
): Counts {
  const found = foundRows(device, account, said, epochs);
  return {
    read: (said?.read ?? 0) + found.recovered,
    stored: found.stored,
    inFlight: said ? missingOfHeld(said, epochs, account?.folded ?? 0) : 0,
    rejected: (said?.rejected ?? 0) + found.rejected,
    thinned: said?.thinned ?? 0,
    dropped: said?.dropped ?? 0,
    damaged: said?.damaged ?? 0,
    recovered: found.recovered,
    earlier: account?.earlierOf(device, epochs) ?? 0,
  };
}

/** Rows that the report can know of; what came after it, of the start it is of or a later one, waits for the next. */
function foundRows(
  device: string,
  account: Account | undefined,
  said: DeviceSaid | undefined,
  epochs: Epochs,
) {
  const { stored, rejected, recovered } = account?.base.get(device) ?? noCounts;
  const sum = { stored, rejected, recovered };
  const live = account?.report ? startOf(account.report.epoch) : undefined;
  for (const [epoch, received] of epochs) {
    if (live !== undefined && startOf(epoch) > live) continue;
    const counted = live === undefined ? undefined : account?.rowsOf(epoch, said, device);
    const found = countsOf(received, device, counted);
    sum.stored += found.stored;
    sum.rejected += found.rejected;
    if (live === startOf(epoch)) continue;
    sum.stored += found.recoveredStored;
    sum.rejected += found.recoveredRejected;
    sum.recovered += found.recoveredStored + found.recoveredRejected;
  }
  return sum;
}

function missingOfHeld(said: DeviceSaid, epochs: Epochs, folded: number): number {
  return said.held.reduce((sum, { epoch, from, through, count }) => {
    const received = epochs.get(epoch);
    // A later block has said that nothing is left of it.
    if (!received && startOf(epoch) <= folded) return sum;
    const have = received?.rows.get(said.device)?.countWithin(from, through) ?? 0;
    const lost = received?.rejected.get(said.device)?.countWithin(from, through) ?? 0;
    return sum + count - have - lost;
  }, 0);
}
