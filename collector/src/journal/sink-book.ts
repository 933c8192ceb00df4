/**
 * What the journal knows of each configured sink, beside where it stands: where it was told to begin, which rows it
 * will therefore never get, whether somebody has paused it. All of it is on disk before it counts.
 */
import type { RangeList } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { settled } from '@edgeward/shared/settled';
import { type Store, textKey } from '@edgeward/shared/store';
import { z } from 'zod';
import { writeBatch } from './batch.js';
import { del, jsonRecords, put, type Write } from './layout.js';

export const startSchema = z.object({ position: z.number(), asked: z.string(), atMs: z.number() });

const recordSchema = z.object({
  type: z.string(),
  paused: z.boolean(),
  /** It has been open: its own store, if it has one, was asked for a cursor. */
  joined: z.boolean(),
  /** Absent: it was there before starts were kept, or goes on from its own store. */
  start: startSchema.optional(),
});

export type SinkRecord = z.output<typeof recordSchema>;

export const skippedSchema = z.record(
  z.string(),
  z.record(z.string(), z.array(z.tuple([z.number(), z.number()]))),
);

/** Row numbers by `gateway/epoch` and device. */
export type SkippedRows = Readonly<Record<string, Readonly<Record<string, RangeList>>>>;

/** What changes together with a record. */
export interface Beside {
  /** Where it stands. */
  readonly position?: number;
  readonly skipped?: SkippedRows;
  /** What was skipped in a life before this one counts no longer, or is in `skipped`. */
  readonly forgetsFormer?: boolean;
  /** Its store is empty: what that had lacked counts no longer. */
  readonly isEmptied?: boolean;
}

/** What others forget of a sink along with its record. */
export interface Forgotten {
  readonly writes?: readonly Write[];
  /** Rows that its own store lacks for good. */
  readonly lacking?: SkippedRows;
}

export class SinkBook {
  readonly #store: Pick<Store, 'db'>;
  readonly #cursors: Map<string, number>;
  readonly #notes: Map<string, unknown>;
  readonly #along: (sink: string) => Forgotten;
  readonly #records = new Map<string, SinkRecord>();
  readonly #skipped = new Map<string, SkippedRows>();
  /** Of sinks that were removed. */
  readonly #former = new Map<string, SkippedRows>();
  #busy: Promise<unknown> = Promise.resolve();

  private constructor(
    store: Pick<Store, 'db'>,
    cursors: Map<string, number>,
    notes: Map<string, unknown>,
    along: (sink: string) => Forgotten,
  ) {
    this.#store = store;
    this.#cursors = cursors;
    this.#notes = notes;
    this.#along = along;
  }

  /**
   * @param cursors  positions by consumer; kept in step
   * @param notes    how far it has come with notes, by consumer; a place that is set knows of none
   * @param along    asked as a sink is forgotten
   */
  static async load(
    store: Pick<Store, 'db'>,
    cursors: Map<string, number>,
    notes = new Map<string, unknown>(),
    along: (sink: string) => Forgotten = () => ({}),
  ): Promise<SinkBook> {
    const book = new SinkBook(store, cursors, notes, along);
    for await (const [sink, json] of jsonRecords(store, 'o')) {
      const { data } = recordSchema.safeParse(json);
      if (data) book.#records.set(sink, data);
    }
    for (const [letter, all] of [
      ['b', book.#skipped],
      ['t', book.#former],
    ] as const)
      for await (const [sink, json] of jsonRecords(store, letter)) {
        const { data } = skippedSchema.safeParse(json);
        if (data) all.set(sink, data);
      }
    return book;
  }

  get(sink: string): SinkRecord | undefined {
    return this.#records.get(sink);
  }

  /** Everything that has a record or a position. */
  names(): string[] {
    return [...new Set([...this.#records.keys(), ...this.#cursors.keys()])];
  }

  /** Rows that are not the sink's to have, by sink. */
  skipped(): ReadonlyMap<string, SkippedRows> {
    return this.#skipped;
  }

  /** What a sink that was removed had skipped: if it comes back with its own store, that still lacks it. */
  former(sink: string): SkippedRows {
    return this.#former.get(sink) ?? {};
  }

  set(sink: string, record: SinkRecord, beside: Beside = {}): Promise<void> {
    return this.#exclusively(() => this.#set(sink, record, beside));
  }

  /** What is known of it, but for what has changed. Nothing, if nothing is known. */
  change(sink: string, change: (record: SinkRecord) => SinkRecord, beside: Beside = {}): Promise<void> {
    return this.#exclusively(async () => {
      const record = this.#records.get(sink);
      if (record) await this.#set(sink, change(record), beside);
    });
  }

  async #set(sink: string, record: SinkRecord, beside: Beside): Promise<void> {
    const { position, skipped, forgetsFormer, isEmptied } = beside;
    const writes: Write[] = [put(textKey('o', sink), record)];
    if (isEmptied) writes.push(...(this.#along(sink).writes ?? []));
    if (position !== undefined) writes.push(put(textKey('c', sink), { position }));
    const isNone = skipped && Object.keys(skipped).length === 0;
    if (skipped) writes.push(isNone ? del(textKey('b', sink)) : put(textKey('b', sink), skipped));
    if (forgetsFormer) writes.push(del(textKey('t', sink)));
    await writeBatch(this.#store.db, writes, true);
    this.#records.set(sink, record);
    if (forgetsFormer) this.#former.delete(sink);
    if (position !== undefined) {
      this.#cursors.set(sink, position);
      this.#notes.delete(sink);
    }
    if (isNone) this.#skipped.delete(sink);
    else if (skipped) this.#skipped.set(sink, skipped);
  }

  /** Nothing is left of it but which rows its own store lacks. */
  forget(sink: string, along: readonly Write[] = []): Promise<void> {
    return this.#exclusively(async () => {
      const keys = ['o', 'b', 'c'].map(letter => del(textKey(letter, sink)));
      const { writes = [], lacking } = this.#along(sink);
      const skipped = lacking ? bothOf(this.#skipped.get(sink) ?? {}, lacking) : this.#skipped.get(sink);
      const former = skipped ? [put(textKey('t', sink), skipped)] : [];
      await writeBatch(this.#store.db, [...keys, ...former, ...along, ...writes], true);
      if (skipped) this.#former.set(sink, skipped);
      this.#records.delete(sink);
      this.#skipped.delete(sink);
      this.#cursors.delete(sink);
      this.#notes.delete(sink);
    });
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = settled(done);
    return done;
  }
}

/** By `gateway/epoch` and device. */
export type RowSets = Map<string, Map<string, RangeSet>>;

export function bothOf(one: SkippedRows, other: SkippedRows): SkippedRows {
  const rows: RowSets = new Map();
  for (const skipped of [one, other])
    for (const [key, devices] of Object.entries(skipped)) {
      const own = getOrMake(rows, key, () => new Map<string, RangeSet>());
      for (const [device, spans] of Object.entries(devices))
        for (const [from, through] of spans) getOrMake(own, device, () => new RangeSet()).add(from, through);
    }
  return asSkipped(rows);
}

export function asSkipped(rows: RowSets): SkippedRows {
  return Object.fromEntries(
    [...rows].flatMap(([key, devices]) => {
      const left = [...devices].filter(([, spans]) => !spans.isEmpty);
      return left.length > 0
        ? [[key, Object.fromEntries(left.map(([device, spans]) => [device, spans.toJSON()]))]]
        : [];
    }),
  );
}
