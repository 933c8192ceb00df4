/** Row numbers of ended starts that nobody has: rows that were read and never became durable, or a mistake. */
import type { Finding } from '@edgeward/shared/audit/finding';
import { RangeSet } from '@edgeward/shared/ranges';
import { epochsOf } from '../journal/accounts.js';
import { startOf } from '../journal/received.js';
import { jsonOutbox } from '../ledger.js';
import type { Books } from './books.js';
import { holes, knownRows } from './ledger-check.js';

export function checkGaps(books: Books): { explained: Finding[]; discrepancies: Finding[] } {
  const explained: Finding[] = [];
  const discrepancies: Finding[] = [];
  for (const gateway of books.accounts.gateways())
    for (const outbox of books.accounts.of(gateway).keys())
      for (const gap of outbox === jsonOutbox ? [] : gapsOf(books, gateway, outbox))
        (gap.kind === 'rows-gap' ? explained : discrepancies).push(gap);
  return { explained, discrepancies };
}

function gapsOf(books: Books, gateway: string, outbox: string): Finding[] {
  const account = books.accounts.get(gateway, outbox);
  const live = account?.report && startOf(account.report.epoch);
  if (!account || live === undefined) return [];
  const ended = [...epochsOf(books.received, gateway, outbox)].filter(([epoch]) => startOf(epoch) < live);
  return ended.flatMap(([epoch, received]) =>
    [...received.rows.keys()].flatMap(device => {
      const said = account.report?.devices.find(one => one.device === device);
      const known = knownRows(account, said, device, epoch, received);
      const rows = new RangeSet(known ? holes(known) : []);
      if (rows.isEmpty) return [];
      const what = { gateway, outbox, device, epoch, rows: rows.toJSON(), seqs: holes(received.seqs) };
      return [{ ...what, count: rows.count, ...whyGone(books, gateway, epoch, rows.count, said?.rejected ?? 0) }];
    }),
  );
}

function whyGone({ events }: Books, gateway: string, epoch: string, count: number, rejected: number) {
  const told = events.find(
    event => event.gateway === gateway && event.kind !== 'thinned' && startOf(event.epoch) > startOf(epoch),
  );
  if (told) {
    const reason = `read, but not yet durable when the agent was killed; told as ${told.kind}: ${told.text}`;
    return { kind: 'rows-gap', reason };
  }
  if (count <= rejected)
    return { kind: 'rows-gap', reason: 'as many rows and more were rejected after they had been given numbers' };
  return { kind: 'rows-vanished', reason: 'they were read, nobody has them, and no event tells of a kill or damage' };
}

