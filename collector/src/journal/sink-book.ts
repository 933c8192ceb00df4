/**
 * What the journal knows of each configured sink, beside where it stands: where it was told to begin, which rows it
 * will therefore never get, whether somebody has paused it. All of it is on disk before it counts.
 */
import type { RangeList } from '@edgeward/shared/contracts';
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
}

export class SinkBook {
  readonly #store: Pick<Store, 'db'>;
  readonly #cursors: Map<string, number>;
  readonly #notes: Map<string, unknown>;
  readonly #records = new Map<string, SinkRecord>();
  readonly #skipped = new Map<string, SkippedRows>();
  /** Of sinks that were removed. */
  readonly #former = new Map<string, SkippedRows>();
  #busy: Promise<unknown> = Promise.resolve();

  private constructor(store: Pick<Store, 'db'>, cursors: Map<string, number>, notes: Map<string, unknown>) {
    this.#store = store;
    this.#cursors = cursors;
    this.#notes = notes;
  }

  /**
   * @param cursors  positions by consumer; kept in step
   * @param notes    how far it has come with notes, by consumer; a place that is set knows of none
   */
  static async load(
    store: Pick<Store, 'db'>,
    cursors: Map<string, number>,
    notes = new Map<string, unknown>(),
  ): Promise<SinkBook> {
    const book = new SinkBook(store, cursors, notes);
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

  async #set(sink: string, record: SinkRecord, { position, skipped, forgetsFormer }: Beside): Promise<void> {
    const writes: Write[] = [put(textKey('o', sink), record)];
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

  /** Nothing is left of it but what it had skipped. */
  forget(sink: string, along: readonly Write[] = []): Promise<void> {
    return this.#exclusively(async () => {
      const keys = ['o', 'b', 'c'].map(letter => del(textKey(letter, sink)));
      const skipped = this.#skipped.get(sink);
      const former = skipped ? [put(textKey('t', sink), skipped)] : [];
      await writeBatch(this.#store.db, [...keys, ...former, ...along], true);
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
