/**
 * Where the sink stands, as the records of a compacted topic: one head, one record or more for each gateway and epoch, one
 * for each letter that was replayed. Each transaction writes only those that it changes. Keys are JSON arrays that begin
 * with the collector and the sink, so that many can share the topic.
 */
import type { Cursor, Delivery, Note, RangeList } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { z } from 'zod';
import { epochKey } from '../../epoch-key.js';
import { Seen } from '../../seen.js';
import { EpochRecords, type Piece } from './epoch-records.js';

/** 1: each epoch is one record. The head says 2 only where that does not do, so that older releases read the rest. */
const version = 2;
/** Of replayed letters, the newest that many are remembered. */
const maxLetters = 10_000;
/** Writes between two looks at what the consumer has forgotten. */
const lookEvery = 64;

const keySchema = z.tuple([
  z.string(),
  z.string(),
  z.enum(['head', 'epoch', 'ranges', 'letter']),
  z.string(),
]);
const headSchema = z.object({
  version: z.number(),
  journal: z.string(),
  position: z.number(),
  notes: z.record(z.string(), z.number()),
  /** Ids the broker has given to producers of this sink. */
  producers: z.array(z.string()),
});
const rangesSchema = z.object({ ranges: z.array(z.tuple([z.number(), z.number()])) });

/** A record of the cursor topic. */
export interface Change {
  readonly key: string;
  /** Null deletes. */
  readonly value: string | null;
}

export class Standing {
  readonly #owner: readonly [collector: string, sink: string];
  #journal: string | undefined;
  #position = 0;
  #notes = new Map<string, number>();
  readonly #received = new Map<string, RangeSet>();
  readonly #records = new EpochRecords();
  /** Of epochs, as they are read. */
  readonly #pieces = new Map<string, Map<number, RangeList>>();
  readonly #letters = new Set<string>();
  readonly #producers = new Set<string>();
  #writes = 0;

  constructor(collector: string, sink: string) {
    this.#owner = [collector, sink];
  }

  /** Takes a record of the topic, in order; those of others are passed over. @throws EW_SINK_STATE */
  take(key: string, value: string | null): void {
    const found = parse(key, keySchema);
    if (!found || found[0] !== this.#owner[0] || found[1] !== this.#owner[1]) return;
    const [, , kind, id] = found;
    if (kind === 'head') this.#takeHead(value);
    else if (kind === 'letter') this.#takeLetter(id, value);
    else {
      const ranges = value === null ? undefined : read(value, rangesSchema).ranges;
      // The second record of an epoch and those behind it are named `nth:gateway/epoch`.
      const colon = kind === 'ranges' ? id.indexOf(':') : -1;
      this.#takePiece(id.slice(colon + 1), { nth: Number(id.slice(0, Math.max(colon, 0))), ranges });
    }
  }

  /** Once all is taken, and before anything else. */
  ready(): this {
    for (const [id, pieces] of this.#pieces) {
      const set = new RangeSet();
      for (const [, ranges] of [...pieces].sort(([a], [b]) => a - b))
        for (const [from, through] of ranges) set.add(from, through);
      this.#received.set(id, set);
    }
    this.#pieces.clear();
    return this;
  }

  get cursor(): Cursor | undefined {
    if (this.#journal === undefined) return undefined;
    const received = Object.fromEntries([...this.#received].map(([key, set]) => [key, set.toJSON()]));
    const notes = Object.fromEntries(this.#notes);
    return { journal: this.#journal, position: this.#position, received, notes };
  }

  /** Ids of the producers that have written for this sink. */
  get producers(): ReadonlySet<string> {
    return this.#producers;
  }

  /** What is stored from now on is by this producer, too. */
  use(producerId: bigint): void {
    this.#producers.add(String(producerId));
  }

  hasLetter(id: string): boolean {
    return this.#letters.has(id);
  }

  /** The deliveries of that journal that are not stored yet, each once, in their order. */
  fresh(deliveries: readonly Delivery[], journal: string): Delivery[] {
    const passed = journal === this.#journal ? this.#position : 0;
    const here = new Seen();
    return deliveries.filter(({ gateway, epoch, seq, position }) => {
      const key = epochKey(gateway, epoch);
      if (position <= passed || this.#received.get(key)?.has(seq)) return false;
      return here.isFirst(key, seq);
    });
  }

  freshNotes(notes: readonly Note[]): Note[] {
    const last = new Map(this.#notes);
    return notes.filter(({ feed, store, number }) => {
      const key = `${feed}/${store}`;
      if (number <= (last.get(key) ?? 0)) return false;
      last.set(key, number);
      return true;
    });
  }

  /** What storing these changes. The transaction that has it must be committed, or the standing read again. */
  advance(stored: readonly Delivery[], notes: readonly Note[], journal: string, position: number): Change[] {
    const changed = new Set<string>();
    for (const { gateway, epoch, seq } of stored) {
      const key = epochKey(gateway, epoch);
      getOrMake(this.#received, key, () => new RangeSet()).add(seq);
      changed.add(key);
    }
    for (const { feed, store, number } of notes) this.#notes.set(`${feed}/${store}`, number);
    this.#position = journal === this.#journal ? Math.max(this.#position, position) : position;
    this.#journal = journal;
    return [...[...changed].flatMap(key => this.#epoch(key)), this.#head()];
  }

  /** True now and then: `settle` is to be called. */
  isDue(): boolean {
    this.#writes += 1;
    return this.#writes % lookEvery === 1;
  }

  /**
   * What the consumer has beside that, such as what others refused, and what it has forgotten.
   * @param known  what it had before: of epochs that are not in it, it has forgotten nothing
   */
  settle(
    received: Cursor['received'],
    notes: NonNullable<Cursor['notes']>,
    known: ReadonlySet<string>,
  ): Change[] {
    const changes = Object.entries(received).flatMap(([key, ranges]) => this.#merge(key, ranges));
    for (const [key, number] of Object.entries(notes))
      this.#notes.set(key, Math.max(number, this.#notes.get(key) ?? 0));
    for (const key of this.#received.keys()) {
      if (key in received || !known.has(key)) continue;
      this.#received.delete(key);
      changes.push(...this.#epoch(key));
    }
    return changes.length > 0 ? [...changes, this.#head()] : changes;
  }

  replayed(letter: string): Change[] {
    const changes = [this.#change('letter', letter, {})];
    if (this.#journal !== undefined) changes.push(this.#head());
    this.#letters.add(letter);
    for (const oldest of this.#letters) {
      if (this.#letters.size <= maxLetters) break;
      this.#letters.delete(oldest);
      changes.push({ key: this.#key('letter', oldest), value: null });
    }
    return changes;
  }

  #merge(key: string, ranges: RangeList): Change[] {
    const own = getOrMake(this.#received, key, () => new RangeSet());
    const before = own.count;
    for (const [from, through] of ranges) own.add(from, through);
    return own.count === before ? [] : this.#epoch(key);
  }

  #takeHead(value: string | null): void {
    if (value === null) {
      this.#journal = undefined;
      return;
    }
    const head = read(value, headSchema);
    if (head.version > version)
      throw new EdgewardError(
        'EW_SINK_STATE',
        `Its cursor was written by a newer release. Remedy: run that release, or give this collector another name.`,
      );
    this.#journal = head.journal;
    this.#position = head.position;
    this.#notes = new Map(Object.entries(head.notes));
    for (const id of head.producers) this.#producers.add(id);
  }

  #takePiece(id: string, piece: Piece): void {
    this.#records.took(id, piece);
    const pieces = getOrMake(this.#pieces, id, () => new Map<number, RangeList>());
    if (piece.ranges) pieces.set(piece.nth, piece.ranges);
    else pieces.delete(piece.nth);
    if (pieces.size === 0) this.#pieces.delete(id);
  }

  #takeLetter(id: string, value: string | null): void {
    if (value === null) this.#letters.delete(id);
    else this.#letters.add(id);
  }

  #head(): Change {
    const notes = Object.fromEntries(this.#notes);
    const producers = [...this.#producers];
    const head = {
      version: this.#records.isSplit ? version : 1,
      journal: this.#journal,
      position: this.#position,
      notes,
      producers,
    };
    return this.#change('head', '', head);
  }

  #epoch(id: string): Change[] {
    const all = this.#received.get(id)?.toJSON() ?? [];
    return this.#records.changesOf(id, all).map(({ nth, ranges }) => {
      const name: [string, string] = nth === 0 ? ['epoch', id] : ['ranges', `${nth}:${id}`];
      return ranges ? this.#change(...name, { ranges }) : { key: this.#key(...name), value: null };
    });
  }

  #change(kind: string, id: string, value: object): Change {
    return { key: this.#key(kind, id), value: JSON.stringify(value) };
  }

  #key(kind: string, id: string): string {
    return JSON.stringify([...this.#owner, kind, id]);
  }
}

function read<T>(text: string, schema: z.ZodType<T>): T {
  const value = parse(text, schema);
  if (value === undefined)
    throw new EdgewardError(
      'EW_SINK_STATE',
      'A record of its cursor topic is not understood. Remedy: let nobody else write to that topic; see deploy/kafka.md.',
    );
  return value;
}

function parse<T>(text: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
