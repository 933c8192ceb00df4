import type { Delivery, Note } from '@edgeward/shared/contracts';

/** What goes in one write. */
export interface Part {
  readonly deliveries: readonly Delivery[];
  readonly notes: readonly Note[];
  /** Nothing is left behind it. */
  readonly isLast: boolean;
}

export function sizeOf({ deliveries, notes }: Pick<Part, 'deliveries' | 'notes'>): number {
  return deliveries.length + notes.length;
}

export function headOf({ deliveries, notes }: Part): Delivery | Note | undefined {
  return deliveries[0] ?? notes[0];
}

/** Without this one, if it comes first. */
export function behind(part: Part, head: Delivery | Note | undefined): Part {
  if (!head || headOf(part) !== head) return part;
  const { deliveries, notes } = part;
  if (deliveries.length > 0) return { ...part, deliveries: deliveries.slice(1) };
  return { ...part, notes: notes.slice(1) };
}

/**
 * What is to be stored, in its order: deliveries, then notes. Of a part that was refused the first half is tried next,
 * so that after few tries what is refused stands alone, and all before it is stored.
 */
export class Parcel {
  #deliveries: readonly Delivery[];
  #notes: readonly Note[];
  /** So many from the front on have something among them that is refused; 0 = none is known. */
  #suspects = 0;

  constructor(deliveries: readonly Delivery[], notes: readonly Note[]) {
    this.#deliveries = deliveries;
    this.#notes = notes;
  }

  get size(): number {
    return this.#deliveries.length + this.#notes.length;
  }

  get deliveries(): readonly Delivery[] {
    return this.#deliveries;
  }

  /** @param most  deliveries and notes together */
  next(most = Number.POSITIVE_INFINITY): Part {
    const half = this.#suspects === 0 ? most : Math.ceil(this.#suspects / 2);
    const size = Math.min(most, half, this.size);
    const deliveries = this.#deliveries.slice(0, size);
    const notes = this.#notes.slice(0, size - deliveries.length);
    return { deliveries, notes, isLast: size === this.size };
  }

  /** It is dealt with. */
  done(part: Part): void {
    this.#deliveries = this.#deliveries.slice(part.deliveries.length);
    this.#notes = this.#notes.slice(part.notes.length);
    this.#suspects = Math.max(0, this.#suspects - sizeOf(part));
  }

  /** It has more than one, and something among them is refused. */
  refused(part: Part): void {
    this.#suspects = sizeOf(part);
  }
}
