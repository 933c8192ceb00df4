import { textKey } from '@edgeward/shared/store';
import { deviceCounts } from '../ledger.js';
import type { GatewayReport } from '../report.js';
import { type Account, type Accounts, type Earlier, elsewhere, epochsOf } from './accounts.js';
import { del, put, type Write } from './layout.js';
import { type Received, type ReceivedEpoch, startOf } from './received.js';

export interface Noted {
  readonly writes: readonly Write[];
  /** It changed the account: these must survive a power cut. */
  readonly matters: boolean;
  /** What must not pass silently. */
  readonly text: string | undefined;
}

/**
 * Takes a report into the books, in memory, and says what to write.
 * @param journal  this one's id
 */
export function noteReport(
  accounts: Accounts,
  received: Received,
  report: GatewayReport,
  nowMs: number,
  journal: string,
): Noted {
  const { gateway, outbox } = report;
  const account = accounts.open(gateway, outbox.id);
  const epochs = epochsOf(received, gateway, outbox.id);
  const froze = account.freeze(report, epochs.keys());
  const forgot = account.forgetUnsaid(report);
  account.report = report;
  account.heardMs = nowMs;
  const isBeginning = !account.begun;
  const earlier = isBeginning ? begin(account, report, epochs) : 0;
  // Until the agent has met this journal, receipts of the one before may be on their way to it.
  account.begun ||= (outbox.journal ?? journal) === journal;
  const folded = fold(account, epochs, received);
  const matters = froze || forgot || isBeginning || folded.length > 0;
  const key = `${gateway}/${outbox.id}`;
  const writes = [
    put(textKey('g', key), { report, heardMs: nowMs }),
    ...folded.map(epoch => del(textKey('r', `${gateway}/${epoch}`))),
    ...(matters ? [put(textKey('a', key), account)] : []),
  ];
  const text =
    earlier > 0 && account.begun
      ? `${earlier} rows of outbox ${outbox.id} were delivered before this journal began, to another one.`
      : undefined;
  return { writes, matters, text };
}

/** Whether this epoch's ranges have become counts. Of outboxes that share a name, the current one's word counts. */
export function isFolded(accounts: Accounts, received: Received, gateway: string, epoch: string): boolean {
  const folded = accounts.current(gateway)?.folded ?? 0;
  return received.get(gateway, epoch) === undefined && startOf(epoch) <= folded;
}

/** What the agent has delivered and is not here, when it first speaks to this journal, another one has had. */
function begin(account: Account, report: GatewayReport, epochs: Map<string, ReceivedEpoch>): number {
  const earlier = new Map<string, Earlier>();
  for (const said of report.devices) {
    const counts = deviceCounts(said.device, account, said, epochs);
    const { stored, inFlight, rejected, thinned, dropped, damaged } = counts;
    const missing = counts.read - stored - inFlight - rejected - thinned - dropped - damaged;
    if (missing <= 0) continue;
    const rows = said.rows.map(({ epoch }) => [epoch, elsewhere(said, epoch, epochs.get(epoch))] as const);
    earlier.set(said.device, { count: missing, rows: Object.fromEntries(rows) });
  }
  account.begin(earlier);
  return [...earlier.values()].reduce((sum, { count }) => sum + count, 0);
}

/** Epochs that the agent has neither rows to tell of, nor blocks to send: their ranges become counts. */
function fold(account: Account, epochs: Map<string, ReceivedEpoch>, received: Received): string[] {
  const through = Math.min(account.oldestStart - 1, account.report?.condensedThrough ?? 0);
  const done = [...epochs].filter(([epoch]) => startOf(epoch) <= through);
  for (const [epoch, was] of done) {
    account.fold(epoch, was);
    received.delete(account.gateway, epoch);
    account.folded = Math.max(account.folded, startOf(epoch));
  }
  return done.map(([epoch]) => epoch);
}
