import type { RangeList } from '../contracts.js';

/** One thing an audit or a check of a store has found: where, how much, and why. */
export interface Finding {
  /** A stable word for programs, for example `rows-missing`. */
  readonly kind: string;
  readonly gateway?: string;
  readonly outbox?: string;
  readonly device?: string;
  readonly epoch?: string;
  readonly sink?: string;
  /** Folder of a store. */
  readonly store?: string;
  /** Row numbers. */
  readonly rows?: RangeList;
  readonly seqs?: RangeList;
  /** Positions in the journal. */
  readonly positions?: RangeList;
  /** How many rows it is about. */
  readonly count?: number;
  readonly reason: string;
}

export interface Findings {
  /** Rows that are missing, doubled or unknown, and nothing accounts for them. */
  readonly discrepancies: readonly Finding[];
  /** Rows that are gone, and something has counted or told them. */
  readonly explained: readonly Finding[];
  /** What could not be looked into. */
  readonly unknown: readonly Finding[];
}

export const noFindings: Findings = { discrepancies: [], explained: [], unknown: [] };

export function together(...all: readonly Findings[]): Findings {
  return {
    discrepancies: all.flatMap(one => one.discrepancies),
    explained: all.flatMap(one => one.explained),
    unknown: all.flatMap(one => one.unknown),
  };
}

const shownRanges = 6;

/** One line: `pi-3/pump-1, epoch 4, rows 7-9 (3 rows): why`. */
export function findingText(finding: Finding): string {
  const { gateway, device, outbox, epoch, sink, store, rows, seqs, positions, count, reason } = finding;
  const where = [
    gateway !== undefined && (device === undefined ? gateway : `${gateway}/${device}`),
    sink !== undefined && `sink ${sink}`,
    store,
    outbox !== undefined && `outbox ${outbox}`,
    epoch !== undefined && `epoch ${epoch}`,
    rangesText('row', rows),
    rangesText('seq', seqs),
    rangesText('position', positions),
  ].filter(Boolean);
  const size = count === undefined ? '' : ` (${count} ${count === 1 ? 'row' : 'rows'})`;
  return where.length === 0 ? reason : `${where.join(', ')}${size}: ${reason}`;
}

function rangesText(name: string, ranges: RangeList | undefined): string | undefined {
  const [first] = ranges ?? [];
  if (!ranges || !first) return undefined;
  const parts = ranges
    .slice(0, shownRanges)
    .map(([from, through]) => (from === through ? from : `${from}-${through}`));
  const more = ranges.length > shownRanges ? ` and ${ranges.length - shownRanges} more ranges` : '';
  const single = ranges.length === 1 && first[0] === first[1];
  return `${name}${single ? '' : 's'} ${parts.join(', ')}${more}`;
}
