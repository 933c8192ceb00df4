import type { Cursor, Delivery } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { epochKey } from './epoch-key.js';

type Sets = Map<string, RangeSet>;

/** What one write added to the sets of a consumer. */
export interface Step {
  /** Block by block; none of them was stored before. */
  readonly keys: readonly string[];
  readonly seqs: readonly number[];
  /** As they are now, whatever was added since. */
  readonly sets: Sets;
  /** The step that was taken last before it; itself once it is taken, too. */
  behind: Step | undefined;
  /** The step that was taken next. */
  next: Step | undefined;
}

/** Between two looks for what need not be remembered. */
const maxSteps = 32;

/**
 * The seq ranges a consumer has stored, by `gateway/epoch`. A cursor is made for every write and mostly never looked
 * at: so it notes only what the write added. What an older one said is found by taking back what was added since;
 * whoever keeps a cursor keeps the notes of all writes behind it.
 */
export class StoredRanges {
  readonly #sets: Sets = new Map();
  #last: Step;
  #steps = 0;

  constructor(received: Cursor['received'] = {}) {
    for (const [key, ranges] of Object.entries(received)) this.#sets.set(key, new RangeSet(ranges));
    this.#last = { keys: [], seqs: [], sets: this.#sets, behind: undefined, next: undefined };
    this.#last.behind = this.#last;
  }

  has({ gateway, epoch, seq }: Delivery): boolean {
    return this.#sets.get(epochKey(gateway, epoch))?.has(seq) ?? false;
  }

  /** @param fresh  none of which is stored yet */
  with(fresh: readonly Delivery[]): Step {
    const keys = fresh.map(({ gateway, epoch }) => epochKey(gateway, epoch));
    const seqs = fresh.map(({ seq }) => seq);
    return { keys, seqs, sets: this.#sets, behind: this.#last, next: undefined };
  }

  /** They are stored. @param isOver  epochs that nothing can come of any more need not be remembered */
  take(step: Step, isOver: (key: string) => boolean): void {
    add(this.#sets, step);
    this.#last.next = step;
    step.behind = step;
    this.#last = step;
    this.#steps += 1;
    if (this.#steps < maxSteps) return;
    for (const key of this.#sets.keys()) if (isOver(key)) this.#sets.delete(key);
    this.#steps = 0;
  }
}

const steps = new WeakMap<Cursor, Step>();

/** The cursor after a step; reading `received` is what costs. */
export function cursorAt(journal: string, position: number, step: Step, notes?: Cursor['notes']): Cursor {
  let received: Cursor['received'] | undefined;
  const cursor: Cursor = {
    journal,
    position,
    ...(notes && { notes }),
    get received() {
      received ??= Object.fromEntries([...setsAt(step)].map(([key, set]) => [key, set.toJSON()]));
      return received;
    },
  };
  steps.set(cursor, step);
  return cursor;
}

/** Whether a cursor says that it is stored; without putting its ranges together if it is the newest. */
export function isStored(cursor: Cursor, { gateway, epoch, seq }: Delivery): boolean {
  const key = epochKey(gateway, epoch);
  const step = steps.get(cursor);
  const isNewest = step?.behind === step && step?.next === undefined;
  if (step && isNewest) return step.sets.get(key)?.has(seq) ?? false;
  return new RangeSet(cursor.received[key]).has(seq);
}

function setsAt(step: Step): Sets {
  const sets: Sets = new Map([...step.sets].map(([key, set]) => [key, set.clone()]));
  for (let later = step.behind?.next; later; later = later.next)
    for (const [i, key] of later.keys.entries()) sets.get(key)?.remove(later.seqs[i]!);
  if (step.behind !== step) add(sets, step);
  for (const [key, set] of sets) if (set.isEmpty) sets.delete(key);
  return sets;
}

function add(sets: Sets, { keys, seqs }: Step): void {
  for (let i = 0; i < keys.length; i++) getOrMake(sets, keys[i]!, () => new RangeSet()).add(seqs[i]!);
}
