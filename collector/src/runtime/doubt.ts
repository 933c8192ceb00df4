import type { Cursor } from '@edgeward/shared/contracts';
import type { LetterContent } from '../journal/sink-letters.js';

/**
 * What a sink with a cursor of its own may have passed without our knowing: a write of it has failed, and maybe only
 * the answer did. Tried again, it is left out by the sink, which says just as well that it is stored.
 */
export class Doubt {
  #position = 0;
  readonly #notes = new Map<string, number>();

  /** A write has failed. @param after  where the sink stands if it did not */
  add({ position, notes = {} }: Cursor): void {
    this.#position = Math.max(this.#position, position);
    for (const [key, number] of Object.entries(notes))
      this.#notes.set(key, Math.max(this.#notes.get(key) ?? 0, number));
  }

  /** Of these, what is stored for certain once a write of them has worked. */
  beyond(content: LetterContent): LetterContent {
    if (this.#position === 0 && this.#notes.size === 0) return content;
    return {
      deliveries: content.deliveries.filter(({ position }) => position > this.#position),
      notes: content.notes.filter(
        ({ feed, store, number }) => number > (this.#notes.get(`${feed}/${store}`) ?? 0),
      ),
    };
  }
}
