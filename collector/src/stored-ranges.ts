import type { Cursor, Delivery, RangeList } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';

/** What one write added, as the whole new sets of the gateways it touched; older ones behind it. */
interface Step {
  readonly sets: ReadonlyMap<string, RangeSet>;
  readonly before: Step | undefined;
}

/** Steps behind each other before they are put together. */
const maxSteps = 32;

/**
 * The seq ranges a consumer has stored, by `gateway/epoch`. A cursor is made for every write and mostly never looked
 * at: so it costs only what the write touched, and puts all ranges together when somebody reads them.
 */
export class StoredRanges {
  /** Sets in it never change: a write puts new ones in their place. */
  readonly #sets = new Map<string, RangeSet>();
  #last: Step | undefined;
  #steps = 0;

  constructor(received: Cursor['received'] = {}) {
    for (const [key, ranges] of Object.entries(received)) this.#sets.set(key, new RangeSet(ranges));
    this.#last = { sets: new Map(this.#sets), before: undefined };
  }

  has({ gateway, epoch, seq }: Delivery): boolean {
    return this.#sets.get(`${gateway}/${epoch}`)?.has(seq) ?? false;
  }

  /** The sets as they will be once these are stored, too. */
  with(deliveries: readonly Delivery[]): Step {
    const sets = new Map<string, RangeSet>();
    for (const { gateway, epoch, seq } of deliveries) {
      const key = `${gateway}/${epoch}`;
      getOrMake(sets, key, () => this.#sets.get(key)?.clone() ?? new RangeSet()).add(seq);
    }
    return { sets, before: this.#last };
  }

  /** They are stored. @param isOver  epochs that nothing can come of any more need not be remembered */
  take(step: Step, isOver: (key: string) => boolean): void {
    for (const [key, set] of step.sets) this.#sets.set(key, set);
    this.#last = step;
    this.#steps += 1;
    if (this.#steps < maxSteps) return;
    for (const key of this.#sets.keys()) if (isOver(key)) this.#sets.delete(key);
    this.#last = { sets: new Map(this.#sets), before: undefined };
    this.#steps = 0;
  }
}

const steps = new WeakMap<Cursor, Step>();

/** The cursor after a step; reading `received` is what costs. */
export function cursorAt(journal: string, position: number, step: Step): Cursor {
  let received: Cursor['received'] | undefined;
  const cursor: Cursor = {
    journal,
    position,
    get received() {
      received ??= allOf(step);
      return received;
    },
  };
  steps.set(cursor, step);
  return cursor;
}

/** Whether a cursor says that it is stored, without putting its ranges together. */
export function isStored(cursor: Cursor, { gateway, epoch, seq }: Delivery): boolean {
  const key = `${gateway}/${epoch}`;
  const step = steps.get(cursor);
  if (!step) return new RangeSet(cursor.received[key]).has(seq);
  for (let at: Step | undefined = step; at; at = at.before) {
    const set = at.sets.get(key);
    if (set) return set.has(seq);
  }
  return false;
}

function allOf(step: Step): Record<string, RangeList> {
  const all: Record<string, RangeList> = {};
  for (let at: Step | undefined = step; at; at = at.before)
    for (const [key, set] of at.sets) all[key] ??= set.toJSON();
  return all;
}
