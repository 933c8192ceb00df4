/** Row numbers of ended starts that nobody has: rows that were read and never became durable, or a mistake. */
import type { Finding, Findings } from '@edgeward/shared/audit/finding';
import type { AgentSide } from '@edgeward/shared/audit/sides';
import { RangeSet } from '@edgeward/shared/ranges';
import { epochsOf } from '../journal/accounts.js';
import { startOf } from '../journal/received.js';
import { jsonOutbox } from '../ledger.js';
import type { Books } from './books.js';
import { holes, knownRows } from './ledger-check.js';

export function checkGaps(books: Books, agents: readonly AgentSide[]): Omit<Findings, 'unknown'> {
  const explained: Finding[] = [];
  const discrepancies: Finding[] = [];
  for (const gateway of books.accounts.gateways())
    for (const outbox of books.accounts.of(gateway).keys())
      for (const gap of outbox === jsonOutbox ? [] : gapsOf(books, gateway, outbox, agents))
        (gap.kind === 'rows-gap' ? explained : discrepancies).push(gap);
  return { explained, discrepancies };
}

function gapsOf(books: Books, gateway: string, outbox: string, agents: readonly AgentSide[]): Finding[] {
  const account = books.accounts.get(gateway, outbox);
  const { report } = account ?? {};
  if (!account || !report) return [];
  const received = epochsOf(books.received, gateway, outbox);
  const told = report.devices.flatMap(({ rows }) => rows.map(({ epoch }) => epoch));
  const ended = [...new Set([...received.keys(), ...told])].filter(
    epoch => startOf(epoch) < startOf(report.epoch),
  );
  return ended.flatMap(epoch => {
    const own = received.get(epoch);
    const devices = new Set([...report.devices.map(({ device }) => device), ...(own?.rows.keys() ?? [])]);
    return [...devices].flatMap(device => {
      const said = report.devices.find(one => one.device === device);
      const rows = new RangeSet(holes(knownRows(account, said, device, epoch, own) ?? new RangeSet()));
      if (rows.isEmpty) return [];
      const seqs = own ? holes(own.seqs) : [];
      const what = { gateway, outbox, device, epoch, rows: rows.toJSON(), seqs, count: rows.count };
      return [{ ...what, ...whyGone(books, what, said?.rejected ?? 0, agents) }];
    });
  });
}

function whyGone(
  { events }: Books,
  { gateway, outbox, epoch, count }: { gateway: string; outbox: string; epoch: string; count: number },
  rejected: number,
  agents: readonly AgentSide[],
): Pick<Finding, 'kind' | 'reason'> {
  const told = events.find(
    event => event.gateway === gateway && event.kind !== 'thinned' && startOf(event.epoch) > startOf(epoch),
  );
  const notDurable = 'read, but not yet durable when the agent was killed';
  if (told) return { kind: 'rows-gap', reason: `${notDurable}; told as ${told.kind}: ${told.text}` };
  const { stored } = agents.find(one => one.gateway === gateway && one.stored?.id === outbox) ?? {};
  if (stored && !stored.endedCleanly && startOf(stored.epoch) === startOf(epoch) + 1)
    return { kind: 'rows-gap', reason: `${notDurable}; its next start will tell it` };
  if (count <= rejected)
    return {
      kind: 'rows-gap',
      reason: 'as many rows and more were rejected after they had been given numbers',
    };
  return {
    kind: 'rows-vanished',
    reason: 'they were read, nobody has them, and no event tells of a kill or damage',
  };
}
