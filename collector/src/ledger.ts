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

const parts = ['stored', 'inFlight', 'rejected', 'thinned', 'dropped', 'damaged', 'earlier'] as const;
const sums = ['read', ...parts, 'recovered'] as const;

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

function isBalanced({ balanced }: LedgerRow): boolean {
  return balanced;
}

function gatewayRows(gateway: string, received: Received, accounts: Accounts): LedgerRow[] {
  const outboxes = new Set([...received.epochs(gateway)].map(([, epoch]) => epoch.outbox));
  for (const outbox of accounts.of(gateway).keys()) outboxes.add(outbox);
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
  const said = new Map(account?.report?.devices.map(device => [device.device, device]));
  const names = new Set([...said.keys(), ...(account?.base.keys() ?? [])]);
  for (const { rows, rejected } of epochs.values())
    for (const device of [...rows.keys(), ...rejected.keys()]) names.add(device);
  return [...names].sort().map(device => {
    const counts =
      outbox === jsonOutbox
        ? ownCounts(device, epochs)
        : deviceCounts(device, account, said.get(device), epochs);
    const accounted = parts.reduce((sum, term) => sum + counts[term], 0);
    const asOfMs = account?.report?.atMs ?? null;
    return { gateway, outbox, device, ...counts, balanced: counts.read === accounted, asOfMs };
  });
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
