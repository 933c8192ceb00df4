import type { RangeList } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';

/** More do not go into one header; the oldest are left out. */
const maxRanges = 256;

/**
 * Seqs of this start that will never come. Every block carries them until a block that did so has been journaled, so
 * that the collector's ranges close up.
 */
export class Voids {
  readonly #open = new RangeSet();
  /** What changed, and the first seq whose header has it. */
  #told: { from: number; through: number; firstSeq: number }[] = [];

  /** @param nextSeq  of the next block to be made */
  add(from: number, through: number, nextSeq: number): void {
    this.#open.add(from, through);
    const last = this.#told.at(-1);
    if (last && last.firstSeq === nextSeq && last.through + 1 === from) last.through = through;
    else this.#told.push({ from, through, firstSeq: nextSeq });
    while (this.#told.length > maxRanges) this.#close(this.#told.shift()!);
  }

  /** For the header of the next block. */
  list(): RangeList | undefined {
    return this.#open.isEmpty ? undefined : this.#open.toJSON();
  }

  /** A block of this start was journaled. */
  journaled(seq: number): void {
    if (!this.#told.length) return;
    for (const told of this.#told) if (told.firstSeq <= seq) this.#close(told);
    this.#told = this.#told.filter(({ firstSeq }) => firstSeq > seq);
  }

  #close({ from, through }: { from: number; through: number }): void {
    this.#open.remove(from, through);
  }
}
