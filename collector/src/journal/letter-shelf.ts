import { getOrMake } from '@edgeward/shared/maps';
import { RefusedRows, type RowNumbers } from './refused-rows.js';
import { type LetterContent, noteLetterId, type SinkLetter } from './sink-letter.js';

/** Letters and their rows. */
export interface LetterCount {
  readonly letters: number;
  readonly rows: number;
}

const none: LetterCount = { letters: 0, rows: 0 };

/** The dead letters of sinks in memory, without what they hold: by id, by block, and counted by sink. */
export class LetterShelf {
  /** Oldest first. */
  readonly #letters = new Map<string, SinkLetter>();
  readonly #blocks = new Map<string, Set<SinkLetter>>();
  readonly #counts = new Map<string, LetterCount>();
  readonly #bytes = new Map<string, number>();

  get(id: string): SinkLetter | undefined {
    return this.#letters.get(id);
  }

  /** Oldest first. */
  all(sink?: string): SinkLetter[] {
    const all = [...this.#letters.values()];
    return sink === undefined ? all : all.filter(letter => letter.sink === sink);
  }

  /** By sink. */
  counts(): ReadonlyMap<string, LetterCount> {
    return this.#counts;
  }

  add(letter: SinkLetter): void {
    this.remove(letter.id);
    this.#letters.set(letter.id, letter);
    this.#count(letter, 1);
    if (letter.kind === 'rows') getOrMake(this.#blocks, blockOf(letter), () => new Set()).add(letter);
  }

  remove(id: string): void {
    const letter = this.#letters.get(id);
    if (!letter) return;
    this.#letters.delete(id);
    this.#count(letter, -1);
    if (letter.kind !== 'rows') return;
    const own = this.#blocks.get(blockOf(letter));
    own?.delete(letter);
    if (own?.size === 0) this.#blocks.delete(blockOf(letter));
  }

  /** Letters of a sink with rows of these blocks, or with these notes. */
  about(sink: string, { deliveries, notes }: LetterContent): SinkLetter[] {
    if ((this.#counts.get(sink) ?? none).letters === 0) return [];
    const ofBlocks = deliveries.flatMap(({ gateway, epoch, seq }) => [
      ...(this.#blocks.get(blockOf({ sink, gateway, epoch, seq })) ?? []),
    ]);
    return [...ofBlocks, ...notes.flatMap(note => this.#letters.get(noteLetterId(sink, note)) ?? [])];
  }

  /** Rows of a block in letters of a sink, but for some of these. */
  rowsBeside(block: string, isOut: (letter: SinkLetter) => boolean): RefusedRows {
    return new RefusedRows([...this.#rowsIn(block, letter => !isOut(letter))]);
  }

  /** One that has rows of this letter, too: its replay was cut off, and what was refused then lies in this one. */
  olderThan(letter: SinkLetter): SinkLetter | undefined {
    if (letter.kind !== 'rows') return undefined;
    for (const other of this.#blocks.get(blockOf(letter)) ?? []) {
      if (other === letter) return undefined;
      if (other.kind === 'rows' && overlap(other.devices, letter.devices)) return other;
    }
    return undefined;
  }

  /** Rows of a letter that a younger one has, too. */
  rowsAfter(letter: SinkLetter): RefusedRows {
    if (letter.kind !== 'rows') return new RefusedRows();
    let isPast = false;
    const younger = (other: SinkLetter) => {
      const found = isPast;
      isPast ||= other === letter;
      return found;
    };
    return new RefusedRows([...this.#rowsIn(blockOf(letter), younger)]);
  }

  /** The oldest of a sink that have to go, so that the rest takes no more than so many bytes. */
  beyond(sink: string, maxBytes: number): SinkLetter[] {
    let over = (this.#bytes.get(sink) ?? 0) - maxBytes;
    const oldest: SinkLetter[] = [];
    for (const letter of over > 0 ? this.#letters.values() : []) {
      if (letter.sink !== sink) continue;
      oldest.push(letter);
      over -= letter.bytes;
      if (over <= 0) break;
    }
    return oldest;
  }

  *#rowsIn(block: string, which: (letter: SinkLetter) => boolean): Generator<RowNumbers> {
    for (const letter of this.#blocks.get(block) ?? [])
      if (letter.kind === 'rows' && which(letter)) yield letter.devices;
  }

  #count({ sink, bytes, ...letter }: SinkLetter, by: 1 | -1): void {
    const rows = letter.kind === 'rows' ? letter.rows : 0;
    const before = this.#counts.get(sink) ?? none;
    this.#counts.set(sink, { letters: before.letters + by, rows: before.rows + by * rows });
    this.#bytes.set(sink, (this.#bytes.get(sink) ?? 0) + by * bytes);
  }
}

function overlap(one: RowNumbers, other: RowNumbers): boolean {
  const rows = new RefusedRows([one]);
  return Object.entries(other).some(([device, ranges]) => rows.touches(device, ranges));
}

/** By sink. */
export function countOf(letters: readonly SinkLetter[]): Map<string, LetterCount> {
  const counts = new Map<string, LetterCount>();
  for (const letter of letters) {
    const before = counts.get(letter.sink) ?? none;
    const rows = letter.kind === 'rows' ? letter.rows : 0;
    counts.set(letter.sink, { letters: before.letters + 1, rows: before.rows + rows });
  }
  return counts;
}

export function blockOf(block: { sink: string; gateway: string; epoch: string; seq: number }): string {
  return `${block.sink}/${block.gateway}/${block.epoch}/${block.seq}`;
}
