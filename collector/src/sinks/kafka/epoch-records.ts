/**
 * What was received of one gateway and epoch, as records of the cursor topic. Mostly one: where blocks are missing all
 * over, the ranges are more than a record may be large. Then each holds so many of them, in order, and only those that
 * have changed are written.
 */
import type { RangeList } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';

/** About 40 kB at most. */
export const maxRanges = 1000;

/** Which of the records of an epoch; from 0. */
export interface Piece {
  readonly nth: number;
  /** Undefined: it is no more. */
  readonly ranges: RangeList | undefined;
}

export class EpochRecords {
  /** As they stand in the topic, as text; of epochs that have, or had, more than one. */
  readonly #split = new Map<string, string[]>();

  /** Some epoch has more than one record. */
  get isSplit(): boolean {
    return this.#split.size > 0;
  }

  /** Takes note of one that was read. */
  took(id: string, { nth, ranges }: Piece): void {
    if (nth === 0 && !this.#split.has(id)) return;
    const texts = getOrMake(this.#split, id, (): string[] => []);
    texts[nth] = ranges ? JSON.stringify(ranges) : '';
    if (texts.every((text, i) => i === 0 || !text)) this.#split.delete(id);
  }

  /** What has to be written, once the epoch has these; none: it is over. */
  changesOf(id: string, ranges: RangeList): Piece[] {
    const before = this.#split.get(id);
    if (ranges.length <= maxRanges && !before)
      return [{ nth: 0, ranges: ranges.length > 0 ? ranges : undefined }];
    const pieces: Piece[] = [];
    const texts: string[] = [];
    const count = Math.ceil(ranges.length / maxRanges);
    for (let nth = 0; nth < Math.max(count, before?.length ?? 0); nth++) {
      const own = ranges.slice(nth * maxRanges, (nth + 1) * maxRanges);
      const text = own.length > 0 ? JSON.stringify(own) : '';
      if (text) texts.push(text);
      if (text !== before?.[nth]) pieces.push({ nth, ranges: text ? own : undefined });
    }
    if (texts.length > 1) this.#split.set(id, texts);
    else this.#split.delete(id);
    return pieces;
  }
}
