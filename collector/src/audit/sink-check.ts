/** A sink against the journal: every row up to its cursor once, and no other. */
import type { Finding, Findings } from '@edgeward/shared/audit/finding';
import type { SinkSide } from '@edgeward/shared/audit/sides';
import type { RangeList } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import { DeviceRows } from '../journal/device-rows.js';
import { type ReceivedEpoch, startOf } from '../journal/received.js';
import type { SinkAudit } from '../sinks/audit.js';
import type { Books, Refused } from './books.js';
import { DeletedRows } from './deleted-rows.js';
import { type EpochRows, RowBook } from './row-book.js';
import { type Mark, markAt } from './walk.js';

/** What a sink has, read before the journal is, so that the journal has all of it. */
export interface ReadSink {
  readonly sink: string;
  /** Undefined: it cannot be read back. */
  readonly audit?: SinkAudit | undefined;
  readonly rows: RowBook;
  readonly doubled: readonly Finding[];
  /** `gateway/epoch/seq` of its first row, where older ones were taken away. */
  readonly begin?: string | undefined;
}

export async function readSink(sink: string, audit: SinkAudit | undefined): Promise<ReadSink> {
  const rows = new RowBook();
  const doubled: Finding[] = [];
  let begin: string | undefined;
  if (!audit) return { sink, rows, doubled };
  for await (const { gateway, epoch, seq, device, ...span } of audit.rows()) {
    begin ??= `${gateway}/${epoch}/${seq}`;
    const own = rows.of(gateway, epoch);
    own.seqs.add(seq);
    const { first, last, count } = span;
    const before = own.add(device, span);
    if (before === 0) continue;
    const what = { gateway, epoch, device, rows: [[first, last]] as const, seqs: [[seq, seq]] as const };
    doubled.push({
      kind: 'rows-doubled',
      sink,
      ...what,
      count: Math.min(before, count),
      reason: 'it has these rows twice',
    });
  }
  return { sink, audit, rows, doubled, ...(audit.begunLater && { begin }) };
}

/** Where the walk over the journal has to tell apart what the sink has passed. */
export function markOf(books: Books, { sink, audit, begin }: ReadSink): Mark {
  const own = audit ? (audit.cursor?.journal === books.journal ? audit.cursor.position : 0) : undefined;
  return markAt(own ?? books.cursors.get(sink) ?? 0, begin);
}

export function checkSink(books: Books, read: ReadSink, mark: Mark): Findings & { side: SinkSide } {
  const { sink, audit } = read;
  const lost = books.lost.get(sink)?.rows ?? 0;
  const rows = audit ? read.rows.count : null;
  const { position, waiting } = mark;
  const refused = countRefused(books.refused.get(sink)?.rows);
  const side = { sink, position, waiting, rows, lost, refused };
  const { discrepancies, explained } = new SinkCheck(books, read, mark).run();
  const problems = (audit?.problems ?? []).map(reason => ({ kind: 'sink-damaged', sink, reason }));
  return { side, discrepancies: [...problems, ...read.doubled, ...discrepancies], explained, unknown: [] };
}

class SinkCheck {
  readonly #books: Books;
  readonly #read: ReadSink;
  readonly #mark: Mark;
  readonly #missing: Finding[] = [];
  readonly #gone: Finding[] = [];
  readonly #discrepancies: Finding[] = [];
  #skipped = 0;
  readonly #explained: Finding[] = [];

  constructor(books: Books, read: ReadSink, mark: Mark) {
    this.#books = books;
    this.#read = read;
    this.#mark = mark;
  }

  run(): Pick<Findings, 'discrepancies' | 'explained'> {
    this.#checkPosition();
    if (this.#read.audit) {
      const { begin } = this.#read;
      if (this.#read.audit.begunLater)
        this.#explain(
          'rows-removed',
          `its oldest rows were taken away: it now begins with ${begin ?? 'the next row'}`,
        );
      this.#compareAll();
      this.#explainStart();
      this.#explainMissing();
    } else {
      this.#explainLoss();
      this.#explainRefused();
    }
    return { discrepancies: this.#discrepancies, explained: this.#explained };
  }

  #explain(kind: string, reason: string, more: Partial<Finding> = {}): void {
    this.#explained.push({ kind, sink: this.#read.sink, ...more, reason });
  }

  #checkPosition(): void {
    const { journal, position } = this.#books;
    const { cursor } = this.#read.audit ?? {};
    if (cursor && cursor.journal !== journal) {
      this.#explain(
        'sink-elsewhere',
        `it still follows journal ${cursor.journal}, and will skip here what it has from there`,
      );
      return;
    }
    if (this.#mark.position <= position) return;
    const reason = `it has passed position ${this.#mark.position}, and the journal ends at ${position}`;
    this.#discrepancies.push({ kind: 'cursor-ahead', sink: this.#read.sink, reason });
  }

  #compareAll(): void {
    const { received } = this.#books;
    for (const gateway of received.gateways())
      for (const [epoch, known] of received.epochs(gateway)) this.#compare(gateway, epoch, known);
    for (const [key, rows] of this.#read.rows.entries()) {
      const at = key.indexOf('/');
      const [gateway, epoch] = [key.slice(0, at), key.slice(at + 1)];
      if (!received.get(gateway, epoch)) this.#strange(gateway, epoch, rows);
    }
  }

  #compare(gateway: string, epoch: string, known: ReceivedEpoch): void {
    const own = this.#read.rows.find(gateway, epoch);
    for (const [device, all] of known.rows) {
      const required = this.#required(gateway, epoch, device, all);
      this.#findMissing({ gateway, epoch, device }, required, own?.devices.get(device));
      this.#findUnknown({ gateway, epoch, device }, known, own, device);
    }
  }

  /** What it must have by its cursor. */
  #required(gateway: string, epoch: string, device: string, all: DeviceRows): DeviceRows {
    const { audit } = this.#read;
    const present = this.#mark.before.find(gateway, epoch)?.devices.get(device);
    if (audit?.begunLater) return present ?? new DeviceRows();
    // By a foreign cursor only its own word says what it has.
    if (audit?.cursor && audit.cursor.journal !== this.#books.journal) return new DeviceRows();
    const behind = this.#mark.behind.find(gateway, epoch)?.devices.get(device);
    return behind ? without(all, behind) : all;
  }

  #findMissing(where: Partial<Finding>, required: DeviceRows, own: DeviceRows | undefined): void {
    const rows = new RangeSet(required.spans());
    const { epoch = '', gateway = '', device = '' } = where;
    for (const [from, through] of own?.spans() ?? []) rows.remove(from, through);
    const refused = this.#refused(where, required);
    rows.removeAll(refused);
    const thinner = own ? thinnerSpans(required, own, refused) : [];
    const deleted = this.#deleted(where);
    deleted.explain(rows, (from, through) => required.countWithin(from, through));
    for (const [first, last, missing] of thinner)
      if (!deleted.covers(first, last, missing)) rows.add(first, last);
    this.#explainDeleted(where, deleted);
    const skipped = this.#takeSkipped(rows, `${gateway}/${epoch}`, device);
    this.#skipped += required.countIn(skipped) - (own?.countIn(skipped) ?? 0);
    if (rows.isEmpty) return;
    const ranges = rows.toJSON();
    const known = (own?.countIn(ranges) ?? 0) + countIn(refused, ranges);
    const count = required.countIn(ranges) - known;
    const present = this.#mark.before.find(gateway, epoch)?.devices.get(device);
    const still = (present?.countIn(ranges) ?? 0) > 0;
    const finding = {
      kind: 'rows-missing',
      sink: this.#read.sink,
      ...where,
      rows: ranges,
      count,
      reason: '',
    };
    (still ? this.#missing : this.#gone).push(finding);
  }

  /** What lies in dead letters of what it must have. */
  #refused({ gateway, epoch, device = '' }: Partial<Finding>, required: DeviceRows): RangeSet {
    const all = this.#books.refused.get(this.#read.sink)?.rows[`${gateway}/${epoch}`]?.[device];
    const refused = new RangeSet();
    for (const [from, through] of all ?? [])
      for (const [low, high] of new RangeSet(required.spans()).within(from, through)) refused.add(low, high);
    if (!refused.isEmpty)
      this.#explain('rows-refused', refusedReason, {
        ...(gateway !== undefined && { gateway }),
        ...(epoch !== undefined && { epoch }),
        device,
        rows: refused.toJSON(),
        count: refused.count,
      });
    return refused;
  }

  #deleted({ gateway, epoch, device = '' }: Partial<Finding>): DeletedRows {
    const { deletedRows } = this.#books.refused.get(this.#read.sink) ?? {};
    return new DeletedRows(deletedRows?.[`${gateway}/${epoch}`]?.[device]);
  }

  #explainDeleted(where: Partial<Finding>, { explained, count }: DeletedRows): void {
    if (count === 0) return;
    const rows = new RangeSet();
    for (const [from, through] of explained) rows.add(from, through);
    this.#explain('rows-refused', deletedReason, { ...where, rows: rows.toJSON(), count });
  }

  /** Takes out of missing rows those that are not for this sink. */
  #takeSkipped(rows: RangeSet, key: string, device: string): RangeList {
    const all = this.#books.begun.get(this.#read.sink)?.skipped[key]?.[device] ?? [];
    const skipped = all.flatMap(([from, through]) => rows.within(from, through));
    for (const [from, through] of skipped) rows.remove(from, through);
    return skipped;
  }

  #explainStart(): void {
    if (this.#skipped === 0) return;
    const { start } = this.#books.begun.get(this.#read.sink) ?? {};
    const told = start && `it begins behind position ${start.position} (startAt: ${start.asked})`;
    const reason = told ?? 'when it came back to this journal, that no longer had them';
    this.#explain('rows-before-start', reason, { count: this.#skipped });
  }

  #findUnknown(
    where: Partial<Finding>,
    known: ReceivedEpoch,
    own: EpochRows | undefined,
    device: string,
  ): void {
    const rows = new RangeSet(own?.devices.get(device)?.spans());
    const { gateway = '', epoch = '' } = where;
    for (const [from, through] of known.rows.get(device)?.spans() ?? []) rows.remove(from, through);
    for (const [from, through] of this.#early(gateway, epoch, device, own)) rows.add(from, through);
    if (rows.isEmpty || !own) return;
    const seqs = own.seqs.clone();
    seqs.removeAll(known.seqs);
    this.#tellUnknown(where, rows, own.devices.get(device), seqs);
  }

  /** Rows it has though its cursor has not come to them. */
  #early(gateway: string, epoch: string, device: string, own: EpochRows | undefined): RangeList {
    if (this.#read.audit?.cursor?.journal !== this.#books.journal) return [];
    const behind = new RangeSet(this.#mark.behind.find(gateway, epoch)?.devices.get(device)?.spans());
    return (own?.devices.get(device)?.spans() ?? []).flatMap(([from, through]) =>
      behind.within(from, through),
    );
  }

  #tellUnknown(where: Partial<Finding>, rows: RangeSet, own: DeviceRows | undefined, seqs: RangeSet): void {
    const { sink, audit } = this.#read;
    const list = rows.toJSON();
    const finding = { sink, ...where, rows: list, count: own?.countIn(list) ?? rows.count };
    const claimed = new RangeSet(audit?.cursor?.received[`${where.gateway}/${where.epoch}`]);
    const unclaimed = seqs.clone();
    unclaimed.removeAll(claimed);
    if (!seqs.isEmpty && unclaimed.isEmpty)
      this.#explained.push({
        kind: 'rows-earlier',
        ...finding,
        seqs: seqs.toJSON(),
        reason: 'it had them from an earlier journal',
      });
    else
      this.#discrepancies.push({
        kind: 'rows-unknown',
        ...finding,
        reason: 'it has these rows, and the journal never stored them for it',
      });
  }

  /** Of an epoch that the journal has no ranges of: it was folded to counts, or was never its own. */
  #strange(gateway: string, epoch: string, own: EpochRows): void {
    const folded = [...this.#books.accounts.of(gateway).values()].some(
      account => startOf(epoch) <= account.folded,
    );
    for (const [device, rows] of own.devices) {
      if (folded) continue;
      this.#tellUnknown({ gateway, epoch, device }, new RangeSet(rows.spans()), rows, own.seqs.clone());
    }
  }

  /** What the journal gave up at its quota accounts for as many rows, but for none that it still has. */
  #explainMissing(): void {
    const { sink } = this.#read;
    const lost = this.#books.lost.get(sink)?.rows ?? 0;
    const gone = this.#gone.reduce((sum, { count = 0 }) => sum + count, 0);
    const isLoss = gone > 0 && gone <= lost;
    for (const finding of this.#gone) {
      if (isLoss) this.#explained.push({ ...finding, kind: 'rows-lost-at-quota', reason: lossReason });
      else {
        const partly = lost > 0 ? `; of such rows only ${lost} were given up at the journal's quota` : '';
        this.#discrepancies.push({
          ...finding,
          reason: `it does not have them, and the journal no longer does${partly}`,
        });
      }
    }
    for (const finding of this.#missing)
      this.#discrepancies.push({
        ...finding,
        reason: 'it does not have them, though its cursor has passed them',
      });
  }

  #explainRefused(): void {
    const refused = this.#books.refused.get(this.#read.sink);
    const count = countRefused(refused?.rows);
    if (count > 0) this.#explain('rows-refused', refusedReason, { count });
    if (refused && refused.deleted > 0)
      this.#explain('rows-refused', deletedReason, { count: refused.deleted });
  }

  #explainLoss(): void {
    const { sink } = this.#read;
    const loss = this.#books.lost.get(sink);
    if (loss && loss.rows > 0)
      this.#explain('rows-lost-at-quota', lossReason, { positions: loss.ranges, count: loss.rows });
  }
}

const lossReason =
  'it lagged until the journal was full, or they were older than they may be, and were given up';

const refusedReason = 'its server refused them: they are in its dead letters';
const deletedReason = 'its server refused them, and their dead letters were deleted';

function countRefused(rows: Refused['rows'] = {}): number {
  const ranges = Object.values(rows).flatMap(devices => Object.values(devices).flat());
  return ranges.reduce((sum, [from, through]) => sum + through - from + 1, 0);
}

function countIn(rows: RangeSet, ranges: RangeList): number {
  return ranges.reduce((sum, [from, through]) => sum + rows.countWithin(from, through), 0);
}

function without(all: DeviceRows, less: DeviceRows): DeviceRows {
  const rest = all.clone();
  for (const [first, last, removed] of thinnedOf(less))
    rest.take({ first, last, count: last - first + 1 - removed });
  for (const [first, last] of less.spans()) rest.take({ first, last, count: last - first + 1 });
  return rest;
}

/** Spans in which one has fewer rows than the other, even with those that were refused, and how many fewer. */
function thinnerSpans(required: DeviceRows, own: DeviceRows, refused: RangeSet): [number, number, number][] {
  return thinnedOf(own).flatMap(([first, last]): [number, number, number][] => {
    const known = own.countWithin(first, last) + refused.countWithin(first, last);
    const missing = required.countWithin(first, last) - known;
    return missing > 0 ? [[first, last, missing]] : [];
  });
}

function thinnedOf(rows: DeviceRows): readonly (readonly [number, number, number])[] {
  const json = rows.toJSON();
  return Array.isArray(json) ? [] : json.thinned;
}
