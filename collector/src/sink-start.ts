/** Where a sink begins that nobody has known before, and which rows it will therefore never get. */
import { RangeSet } from '@edgeward/shared/ranges';
import type { Journal } from './journal/journal.js';
import { asSkipped, type RowSets, type SinkRecord, type SkippedRows } from './journal/sink-book.js';

type Start = NonNullable<SinkRecord['start']>;

const pageBlocks = 1000;

/**
 * @param asked  `beginning`, `now`, or an ISO time: one that is still to come is now
 */
export async function findStart(
  journal: Journal,
  asked: string,
  nowMs: number,
): Promise<{ start: Start; skipped: SkippedRows }> {
  const books = takeBooks(journal);
  const position = await positionOf(journal, asked, books.through);
  return { start: { position, asked, atMs: nowMs }, skipped: await without(journal, books, position) };
}

/** Rows that the journal has taken and can no longer give to a sink that stands at a position. */
export async function missedBehind(journal: Journal, position: number): Promise<SkippedRows> {
  if (journal.hasAllBehind(position)) return {};
  return without(journal, takeBooks(journal), position);
}

/** Rows that the journal has taken and has not behind a position, whether it had them before it or no longer has them. */
export function notBehind(journal: Journal, position: number): Promise<SkippedRows> {
  return without(journal, takeBooks(journal), position);
}

async function positionOf(journal: Journal, asked: string, newest: number): Promise<number> {
  if (asked === 'beginning') return 0;
  return asked === 'now' ? newest : journal.positionBefore(Date.parse(asked));
}

interface Books {
  /** The newest position that is in them. */
  readonly through: number;
  readonly rows: RowSets;
}

/** Everything received so far, of one instant. */
function takeBooks({ received, position }: Journal): Books {
  const rows: RowSets = new Map();
  for (const gateway of received.gateways())
    for (const [epoch, one] of received.epochs(gateway))
      rows.set(
        `${gateway}/${epoch}`,
        new Map([...one.rows].map(([device, spans]) => [device, new RangeSet(spans.spans())])),
      );
  return { through: position, rows };
}

/** What the books have, but for what the journal still has behind a position. */
async function without(journal: Journal, { rows, through }: Books, position: number): Promise<SkippedRows> {
  if (position === 0 && journal.hasAllBehind(0)) return {};
  for (let at: number | null = position; at !== null && at < through; ) {
    const page = await journal.list(at, pageBlocks);
    for (const block of page.blocks) {
      if (block.position > through || !('devices' in block)) continue;
      const own = rows.get(`${block.gateway}/${block.epoch}`);
      for (const { device, first, last } of block.devices) own?.get(device)?.remove(first, last);
    }
    at = page.next;
  }
  return asSkipped(rows);
}
