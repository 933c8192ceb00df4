/** Agent against journal: every row that an agent has read must be here, held there, or counted as lost. */
import type { Finding, Findings } from '@edgeward/shared/audit/finding';
import type { AgentSide, StoredOutbox } from '@edgeward/shared/audit/sides';
import type { RangeList } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import { version } from '@edgeward/shared/version';
import { type Account, epochsOf } from '../journal/accounts.js';
import { noteReport } from '../journal/bookkeeping.js';
import { type ReceivedEpoch, startOf } from '../journal/received.js';
import { jsonOutbox, ledgerView } from '../ledger.js';
import type { DeviceSaid, GatewayReport } from '../report.js';
import type { LedgerRow } from '../views.js';
import type { Books } from './books.js';

const parts = ['stored', 'inFlight', 'rejected', 'thinned', 'dropped', 'damaged', 'earlier'] as const;

/**
 * Takes what stopped agents have in their stores in place of what they reported last.
 * @returns rows that they had reported, and that neither they nor the journal have any more
 */
export function takeStored(books: Books, agents: readonly AgentSide[]): Findings {
  const findings: Finding[] = [];
  for (const { gateway, stored } of agents) {
    if (!stored) continue;
    const report = reportOf(gateway, stored);
    const account = books.accounts.open(gateway, stored.id);
    const vanished = account.report ? vanishedRows(books, gateway, account.report, report) : [];
    findings.push(...vanished.map(what => ({ ...what, ...whyVanished(stored.endedCleanly) })));
    const isOurs = stored.journal !== undefined && stored.journal === books.journal;
    // It delivered to this very journal: nothing of it went to an earlier one.
    if (!account.report && isOurs)
      Object.assign(account, { report, heardMs: Number.MAX_SAFE_INTEGER, begun: true });
    else noteReport(books.accounts, books.received, report, Number.MAX_SAFE_INTEGER, books.journal);
  }
  const isGap = ({ kind }: Finding) => kind === 'rows-gap';
  return {
    explained: findings.filter(isGap),
    discrepancies: findings.filter(finding => !isGap(finding)),
    unknown: [],
  };
}

type Vanished = Pick<Finding, 'gateway' | 'outbox' | 'device' | 'epoch' | 'rows' | 'count'>;

function vanishedRows(
  { received }: Books,
  gateway: string,
  before: GatewayReport,
  now: GatewayReport,
): Vanished[] {
  return before.devices.flatMap(({ device, rows }) => {
    const said = now.devices.find(one => one.device === device);
    return rows.flatMap(({ epoch, ranges }) => {
      if (startOf(epoch) <= now.condensedThrough) return [];
      const left = new RangeSet(ranges);
      for (const one of said?.rows ?? []) if (one.epoch === epoch) left.removeAll(new RangeSet(one.ranges));
      for (const [from, through] of spansOf(received.get(gateway, epoch), device)) left.remove(from, through);
      // What lies below what is known is a hole, which gap-check.ts finds.
      const last = lastKnown(said, epoch, device, received.get(gateway, epoch));
      if (last > 0) left.remove(1, last);
      const what = { gateway, outbox: now.outbox.id, device, epoch, rows: left.toJSON(), count: left.count };
      return left.isEmpty ? [] : [what];
    });
  });
}

function lastKnown(
  said: DeviceSaid | undefined,
  epoch: string,
  device: string,
  own: ReceivedEpoch | undefined,
) {
  const rows = new RangeSet(spansOf(own, device));
  for (const one of said?.rows ?? []) if (one.epoch === epoch) rows.addAll(new RangeSet(one.ranges));
  return rows.last ?? 0;
}

function whyVanished(endedCleanly: boolean): Pick<Finding, 'kind' | 'reason'> {
  if (endedCleanly)
    return {
      kind: 'rows-vanished',
      reason: 'the agent had reported them as read, and its outbox does not know them any more',
    };
  const reason =
    'reported as read, but not yet durable when the agent was killed; its next start will tell the gap';
  return { kind: 'rows-gap', reason };
}

function reportOf(gateway: string, stored: StoredOutbox): GatewayReport {
  const { id, epoch, condensedThrough, devices, journal } = stored;
  const said = devices.map(device => ({
    ...device,
    rows: device.rows.map(one => ({ epoch: one.epoch, ranges: mutable(one.ranges) })),
    held: [...device.held],
  }));
  return {
    gateway,
    epoch,
    atMs: Date.now(),
    version,
    devices: said,
    outbox: {
      id,
      blocks: 0,
      bytes: 0,
      maxBytes: 0,
      oldestMs: null,
      durability: 'deferred',
      ...(journal !== undefined && { journal }),
    },
    condensedThrough,
    process: { pid: 0, rssBytes: 0, cpuSeconds: 0 },
    models: {},
  };
}

function mutable(list: RangeList): [number, number][] {
  return list.map(([from, through]) => [from, through]);
}

export function checkLedger(books: Books): Findings & { devices: readonly LedgerRow[] } {
  const { devices } = ledgerView(books.received, books.accounts);
  const hasReport = ({ gateway, outbox }: LedgerRow) =>
    outbox === jsonOutbox || books.accounts.get(gateway, outbox)?.report !== undefined;
  return {
    devices,
    discrepancies: devices
      .filter(row => !row.balanced && hasReport(row))
      .flatMap(row => imbalance(books, row)),
    explained: devices.flatMap(row => accountedFor(row)),
    unknown: devices.filter(row => !hasReport(row)).map(unreported),
  };
}

function unreported({ gateway, outbox, device, stored }: LedgerRow): Finding {
  const reason =
    "rows came, and no report of what was read: wait for one, or give the agent's configuration too (-c) while it is stopped";
  return { kind: 'no-report', gateway, outbox, device, count: stored, reason };
}

function accountedFor({ gateway, outbox, device, ...counts }: LedgerRow): Finding[] {
  const texts = {
    rejected: 'rejected: dead letters, or refused with a reason',
    thinned: 'thinned: the outbox was full and gave up resolution',
    dropped: 'dropped: the outbox was full',
    damaged: 'lost to damage of the outbox on disk',
    earlier: 'delivered before this journal began, to another one',
  } as const;
  return Object.entries(texts).flatMap(([kind, reason]) => {
    const count = counts[kind as keyof typeof texts];
    return count > 0 ? [{ kind: `rows-${kind}`, gateway, outbox, device, count, reason }] : [];
  });
}

function imbalance(books: Books, row: LedgerRow): Finding[] {
  const { gateway, outbox, device } = row;
  const accounted = parts.reduce((sum, part) => sum + row[part], 0);
  const missing = row.read - accounted;
  const what = { gateway, outbox, device, count: Math.abs(missing) };
  if (missing < 0) {
    const reason = `${accounted} rows are accounted for and only ${row.read} were read: some are counted twice`;
    return [{ kind: 'rows-unexpected', ...what, reason }];
  }
  const reason = 'read, and neither stored nor held nor counted as lost';
  const where = whereMissing(books, gateway, outbox, device);
  const listed = where.reduce((sum, { rows }) => sum + rows.count, 0);
  if (listed !== missing) {
    const among = where.length > 0 ? ' (among the rows named, others are counted as lost)' : '';
    const [first] = where;
    const range = first && { epoch: first.epoch, rows: first.rows.toJSON(), seqs: first.seqs };
    return [{ kind: 'rows-missing', ...what, ...range, reason: `${reason}${among}` }];
  }
  return where.map(({ epoch, rows, seqs }) => ({
    kind: 'rows-missing',
    ...what,
    epoch,
    rows: rows.toJSON(),
    seqs,
    count: rows.count,
    reason,
  }));
}

/** Row numbers that the agent counts as read and no longer holds, and that are not here. */
function whereMissing({ received, accounts }: Books, gateway: string, outbox: string, device: string) {
  const account = accounts.get(gateway, outbox);
  const said = account?.report?.devices.find(one => one.device === device);
  if (!said) return [];
  const epochs = epochsOf(received, gateway, outbox);
  return said.rows.flatMap(({ epoch, ranges }) => {
    const rows = new RangeSet(ranges);
    for (const held of said.held) if (held.epoch === epoch) rows.remove(held.from, held.through);
    const own = epochs.get(epoch);
    for (const [from, through] of spansOf(own, device)) rows.remove(from, through);
    return rows.isEmpty ? [] : [{ epoch, rows, seqs: own ? holes(own.seqs) : [] }];
  });
}

function spansOf(epoch: ReceivedEpoch | undefined, device: string): RangeList {
  return [...(epoch?.rows.get(device)?.spans() ?? []), ...(epoch?.rejected.get(device)?.spans() ?? [])];
}

/** What is missing from 1 to the last. */
export function holes(set: RangeSet): RangeList {
  const all = new RangeSet(set.last === undefined ? [] : [[1, set.last]]);
  all.removeAll(set);
  return all.toJSON();
}

/** Row numbers of one device and epoch that somebody has or has counted. */
export function knownRows(
  account: Account,
  said: DeviceSaid | undefined,
  device: string,
  epoch: string,
  received: ReceivedEpoch | undefined,
): RangeSet | undefined {
  const counted = account.rowsOf(epoch, said, device);
  if (counted === undefined) return undefined; // all of it is counted
  const known = new RangeSet(counted);
  for (const [from, through] of spansOf(received, device)) known.add(from, through);
  for (const held of said?.held ?? []) if (held.epoch === epoch) known.add(held.from, held.through);
  return known;
}
