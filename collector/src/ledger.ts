/**
 * The delivery ledger: per device, is every row that was ever read accounted for?
 *
 *   read = stored + inFlight + rejected + thinned + dropped + damaged
 *
 * Each term is counted on its own. The agent counts `read` and the losses in the commit that caused them, and
 * names the rows it still holds. We count what the journal has, up to the row the report speaks of, and which of
 * the held rows it has not. A row that vanished between the two makes the sides differ.
 */
import type { AgentReport, DeviceReport, LedgerCounts } from '@edgeward/shared/contracts';
import type { Gateways } from './gateways.js';
import { type Received, startOf } from './journal/received.js';
import type { LedgerRow, LedgerView } from './views.js';

const terms = ['read', 'stored', 'inFlight', 'rejected', 'thinned', 'dropped', 'damaged'] as const;

export function ledgerView(received: Received, gateways: Gateways): LedgerView {
  const ids = new Set([...received.gateways(), ...gateways.all().map(({ id }) => id)]);
  const devices = [...ids].sort().flatMap(id => gatewayRows(id, received, gateways.get(id)?.report));
  const totals = [...ids].sort().map(id => {
    const own = devices.filter(({ gateway }) => gateway === id);
    const sums = Object.fromEntries(terms.map(term => [term, own.reduce((sum, row) => sum + row[term], 0)]));
    return { id, ...(sums as unknown as LedgerCounts), balanced: own.every(row => row.balanced) };
  });
  return { balanced: devices.every(({ balanced }) => balanced), gateways: totals, devices };
}

function gatewayRows(gateway: string, received: Received, report: AgentReport | undefined): LedgerRow[] {
  const names = new Set(report?.devices.map(({ device }) => device));
  for (const [, epoch] of received.epochs(gateway)) for (const device of epoch.rows.keys()) names.add(device);
  const reported = new Map(report?.devices.map(device => [device.device, device]));
  return [...names].sort().map(device => ledgerRow(gateway, device, received, report, reported.get(device)));
}

function ledgerRow(
  gateway: string,
  device: string,
  received: Received,
  report: AgentReport | undefined,
  said: DeviceReport | undefined,
): LedgerRow {
  const { stored, unknown } = storedRows(gateway, device, received, report, said);
  const counts: LedgerCounts = {
    read: (said?.read ?? 0) + unknown,
    stored,
    inFlight: said ? missingOfHeld(gateway, device, received, said) : 0,
    rejected: said?.rejected ?? 0,
    thinned: said?.thinned ?? 0,
    dropped: said?.dropped ?? 0,
    damaged: said?.damaged ?? 0,
  };
  const accounted = terms.slice(1).reduce((sum, term) => sum + counts[term], 0);
  return { gateway, device, ...counts, balanced: counts.read === accounted, asOfMs: report?.atMs ?? null };
}

/**
 * Journaled rows that the report can know of: what came after it is left for the next report. Those of an earlier
 * start that it does not know of were read too: that start was killed before it noted them.
 */
function storedRows(
  gateway: string,
  device: string,
  received: Received,
  report: AgentReport | undefined,
  said: DeviceReport | undefined,
): { stored: number; unknown: number } {
  let [stored, unknown] = [0, 0];
  for (const [epoch, { rows }] of received.epochs(gateway)) {
    const have = rows.get(device);
    if (!have) continue;
    const ranges = said?.rows.find(known => known.epoch === epoch)?.ranges ?? [];
    const known = ranges.reduce((sum, [from, through]) => sum + have.countWithin(from, through), 0);
    const isEarlier = report && startOf(epoch) < startOf(report.epoch);
    const isCondensed = report && startOf(epoch) <= report.condensedThrough;
    stored += !report || isEarlier ? have.count : known;
    if (isEarlier && !isCondensed) unknown += have.count - known;
  }
  return { stored, unknown };
}

function missingOfHeld(gateway: string, device: string, received: Received, said: DeviceReport): number {
  return said.held.reduce((sum, { epoch, from, through, count }) => {
    const have = received.get(gateway, epoch)?.rows.get(device)?.countWithin(from, through) ?? 0;
    return sum + (count - have);
  }, 0);
}
