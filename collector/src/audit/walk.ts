/** One pass over the journal's blocks: each once, all there, and what lies on which side of the sinks' cursors. */
import type { Finding } from '@edgeward/shared/audit/finding';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import type { BadBlock, ListedBlock } from './block-list.js';
import type { Books } from './books.js';
import { RowBook } from './row-book.js';

/** A place in the journal, and what the pass has seen before and behind it. */
export interface Mark {
  /** Last position that counts as before it. */
  readonly position: number;
  /** `gateway/epoch/seq` of a block: what lies before it does not matter. */
  readonly begin?: string | undefined;
  before: RowBook;
  readonly behind: RowBook;
  /** Blocks behind it. */
  waiting: number;
}

export function markAt(position: number, begin?: string): Mark {
  return { position, begin, before: new RowBook(), behind: new RowBook(), waiting: 0 };
}

export class Walk {
  readonly #books: Books;
  readonly #marks: readonly Mark[];
  readonly #seqs = new Map<string, RangeSet>();
  readonly #missing = new RangeSet();
  readonly #bad = new RangeSet();
  #badReason = '';
  readonly #findings: Finding[] = [];
  #last: number;

  constructor(books: Books, marks: readonly Mark[]) {
    this.#books = books;
    this.#marks = marks;
    this.#last = 0;
  }

  /** @returns what it found */
  async run(blocks: AsyncIterable<ListedBlock | BadBlock>): Promise<Finding[]> {
    for await (const block of blocks) {
      if (block.position > this.#books.position) break; // came after the books were read
      this.#expect(block.position - 1);
      this.#last = block.position;
      if ('problem' in block) this.#damaged(block);
      else this.#add(block);
    }
    this.#expect(this.#books.position);
    return [...this.#findings, ...this.#positions()];
  }

  #expect(through: number): void {
    for (const [from, to] of this.#books.gone.missing(this.#last + 1, through)) this.#missing.add(from, to);
  }

  #damaged({ position, problem }: BadBlock): void {
    this.#badReason ||= problem;
    this.#bad.add(position);
  }

  #add(block: ListedBlock): void {
    const { gateway, epoch, seq, position } = block;
    const seqs = getOrMake(this.#seqs, `${gateway}/${epoch}`, () => new RangeSet());
    if (seqs.has(seq)) this.#twice(block);
    else this.#note(block);
    seqs.add(seq);
    for (const mark of this.#marks) {
      if (position > mark.position) {
        mark.waiting += 1;
        mark.behind.addBlock(block);
        continue;
      }
      if (mark.begin === `${gateway}/${epoch}/${seq}`) mark.before = new RowBook();
      mark.before.addBlock(block);
    }
  }

  #twice({ gateway, epoch, seq, position, devices }: ListedBlock): void {
    const count = devices.reduce((sum, one) => sum + one.count, 0);
    const reason = 'the journal has this block twice';
    const [seqs, positions] = [[[seq, seq]] as const, [[position, position]] as const];
    this.#findings.push({ kind: 'rows-doubled', gateway, epoch, seqs, positions, count, reason });
  }

  /** Its records must know what the journal has. */
  #note({ gateway, epoch, seq, position, devices }: ListedBlock): void {
    const received = this.#books.received.get(gateway, epoch);
    if (!received) return; // folded: only counts are kept
    const known =
      received.seqs.has(seq) &&
      devices.every(
        ({ device, ...span }) => received.rows.get(device)?.countWithin(span.first, span.last) === span.count,
      );
    if (known) return;
    const [seqs, positions] = [[[seq, seq]] as const, [[position, position]] as const];
    const reason = 'the journal has this block, and its records of what it received do not say so';
    this.#findings.push({ kind: 'rows-unrecorded', gateway, epoch, seqs, positions, reason });
  }

  #positions(): Finding[] {
    const findings: Finding[] = [];
    const [missing, bad] = [this.#missing, this.#bad];
    if (!missing.isEmpty)
      findings.push({
        kind: 'blocks-missing',
        positions: missing.toJSON(),
        reason: `${missing.count} blocks of the journal are lost`,
      });
    if (!bad.isEmpty)
      findings.push({
        kind: 'blocks-unreadable',
        positions: bad.toJSON(),
        reason: `${bad.count} blocks of the journal are unreadable; the first: ${this.#badReason}`,
      });
    return findings;
  }
}
