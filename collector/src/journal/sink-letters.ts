/**
 * What the servers behind sinks will never take: whole, with the reason, until it is replayed.
 *
 * Invariants
 * - `keep` returns after a synced commit; what is kept already is not kept again, whatever rows come with it.
 * - A row of a block lies in one letter of a sink. Only while a letter is tried again, by a replay or because its block
 *   is written anew, may a second one have some of its rows: those that were refused again. Then the former goes.
 * - Each sink has room of its own. Its oldest letters go when it is used up, counted and told.
 */
import type { Clock, Delivery, Described, Refusal } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { settled } from '@edgeward/shared/settled';
import { type Store, textKey } from '@edgeward/shared/store';
import { epochKey } from '../epoch-key.js';
import { writeBatch } from './batch.js';
import { exactRows, type GoneLetters, goneSchema, goneWith } from './gone-letters.js';
import { del, jsonRecords, put, rangeOf, type Write } from './layout.js';
import { blockOf, countOf, type LetterCount, LetterShelf } from './letter-shelf.js';
import type { LetterTeller } from './letter-teller.js';
import { bytesIn, letterValue } from './letter-value.js';
import { placesBeside, placesOf, type RefusedRows } from './refused-rows.js';
import type { Forgotten } from './sink-book.js';
import {
  contentOf,
  type LetterContent,
  letterFacts,
  maxReason,
  type NewLetter,
  noteLetter,
  readLetter,
  rowLetter,
  type SinkLetter,
  sizeOf,
} from './sink-letter.js';

export type { LetterContent, SinkLetter } from './sink-letter.js';

export interface SinkLettersOptions {
  readonly store: Pick<Store, 'db'>;
  /** Of each sink. */
  readonly maxBytes: number;
  readonly described: (id: string) => Described | undefined;
  readonly teller?: Pick<LetterTeller, 'kept' | 'gone' | 'withdrawn'>;
  readonly clock: Clock;
}

/** Letters whose content is tried again. */
interface Trial {
  readonly ids: ReadonlySet<string>;
  /** Those that were refused as they are. */
  readonly again: Set<string>;
  /** They get the reason of now. */
  readonly renews: boolean;
}

export class SinkLetters {
  readonly #options: SinkLettersOptions;
  readonly #shelf = new LetterShelf();
  readonly #kept = new Map<string, number>();
  readonly #gone = new Map<string, GoneLetters>();
  /** By sink. */
  readonly #trials = new Map<string, Trial>();
  #busy: Promise<unknown> = Promise.resolve();

  private constructor(options: SinkLettersOptions) {
    this.#options = options;
  }

  static async load(options: SinkLettersOptions): Promise<SinkLetters> {
    const letters = new SinkLetters(options);
    const found: SinkLetter[] = [];
    for await (const [key, value] of options.store.db.iterator(rangeOf('f'))) {
      const letter = readLetter(key.toString('utf8', 1), value);
      if (letter) found.push(letter);
    }
    for (const letter of found.sort((a, b) => a.atMs - b.atMs)) letters.#shelf.add(letter);
    for await (const [sink, json] of jsonRecords(options.store, 'k')) {
      const { data } = goneSchema.safeParse(json);
      if (data) letters.#gone.set(sink, data);
    }
    return letters;
  }

  /** Newest first; of all sinks, or of one. */
  list(limit: number, sink?: string): SinkLetter[] {
    return this.#shelf.all(sink).reverse().slice(0, limit);
  }

  get(id: string): SinkLetter | undefined {
    return this.#shelf.get(id);
  }

  /** By sink. */
  counts(): ReadonlyMap<string, LetterCount> {
    return this.#shelf.counts();
  }

  /** Rows by sink, since the start. */
  kept(): ReadonlyMap<string, number> {
    return this.#kept;
  }

  /** By sink, over all starts. */
  gone(): ReadonlyMap<string, GoneLetters> {
    return this.#gone;
  }

  /**
   * Durable once it resolves; the same again changes nothing.
   * @throws what the store throws; then nothing is kept, and it may be called again
   */
  keep(sink: string, refusals: readonly Refusal[]): Promise<void> {
    return this.#exclusively(async () => {
      const fresh = this.#fresh(sink, refusals);
      if (fresh.length === 0) return;
      const values = fresh.map(({ id, facts, content }) => ({ id, value: letterValue(facts, content) }));
      await this.#write(values.map(({ id, value }) => put(textKey('f', id), value)));
      const kept = fresh.map(({ id, facts, content }) => ({ id, ...facts, bytes: sizeOf(content) }));
      for (const letter of kept) this.#shelf.add(letter);
      const count = countOf(kept).get(sink)!;
      this.#kept.set(sink, (this.#kept.get(sink) ?? 0) + count.rows);
      this.#options.teller?.kept(sink, count, kept[0]!.reason);
      await this.#giveUp(this.#shelf.beyond(sink, this.#options.maxBytes));
    });
  }

  /**
   * Hands a letter's content over. Deletes the letter once that has resolved, but for what was refused again meanwhile.
   * Not beside another replay, or a write, of the same sink.
   * @returns whether it is deleted
   * @throws what `act` throws; then the letter stays
   */
  async replay(id: string, act: (content: LetterContent, letter: string) => Promise<void>): Promise<boolean> {
    const letter = this.#shelf.get(id);
    const value = letter && (await this.#options.store.db.get(textKey('f', id)));
    if (!value) return false;
    // Else that one's replay would store again what this one's has.
    const older = this.#shelf.olderThan(letter);
    if (older) await this.replay(older.id, act);
    const beside = this.#shelf.rowsAfter(letter);
    const content = contentOf(letter, bytesIn(value), this.#options.described, beside);
    const isEmpty = content.deliveries.length + content.notes.length === 0;
    const again = await this.#try([letter], true, async () => isEmpty || act(content, id));
    if (!again.has(id)) await this.#exclusively(() => this.#delete([letter]));
    return !again.has(id);
  }

  /**
   * Around a write of what is in the journal. Letters about the same, which their sink had refused in another life or at
   * another try, are withdrawn once that has resolved, but for what was refused again meanwhile: else a replay would
   * store it twice. Not beside another write, or a replay, of the same sink.
   * @throws what `write` throws; then all letters stay
   */
  async around(sink: string, content: LetterContent, write: () => Promise<void>): Promise<void> {
    const letters = this.#shelf.about(sink, content);
    if (letters.length === 0) return write();
    const again = await this.#try(letters, false, write);
    const stored = letters.filter(({ id }) => !again.has(id));
    try {
      await this.#exclusively(() => this.#delete(stored));
    } catch {
      return; // rather twice than never
    }
    for (const [name, count] of countOf(stored)) this.#options.teller?.withdrawn(name, count);
  }

  /** @returns those that were refused again as they are */
  async #try(letters: readonly SinkLetter[], renews: boolean, act: () => Promise<unknown>) {
    const trial = { ids: new Set(letters.map(({ id }) => id)), again: new Set<string>(), renews };
    const { sink } = letters[0]!;
    this.#trials.set(sink, trial);
    try {
      await act();
    } finally {
      this.#trials.delete(sink);
    }
    return trial.again;
  }

  /** It was refused again. */
  renew(id: string, reason: string): Promise<void> {
    return this.#exclusively(async () => {
      const letter = this.#shelf.get(id);
      const value = letter && (await this.#options.store.db.get(textKey('f', id)));
      if (!value) return;
      const renewed = { ...letter, reason: reason.slice(0, maxReason), atMs: this.#options.clock.now() };
      await this.#write([put(textKey('f', id), letterValue(letterFacts.parse(renewed), bytesIn(value)))]);
      this.#shelf.add(renewed);
    });
  }

  /** For good: what somebody has decided to do without. @returns how many there were */
  discard(ids: readonly string[]): Promise<number> {
    return this.#exclusively(async () => {
      const letters = ids.flatMap(id => this.#shelf.get(id) ?? []);
      await this.#giveUp(letters);
      return letters.length;
    });
  }

  /** What was deleted of a sink that leaves: with another store it is asked for no longer. */
  forgetGone(sink: string): Forgotten {
    const gone = this.#gone.get(sink);
    this.#gone.delete(sink);
    return gone ? { writes: [del(textKey('k', sink))], lacking: exactRows(gone) } : {};
  }

  /** What is not kept yet. */
  #fresh(sink: string, refusals: readonly Refusal[]): NewLetter[] {
    const trial = this.#trials.get(sink);
    const known = new Map<string, RefusedRows>();
    const fresh = new Map<string, NewLetter>();
    for (const refusal of refusals) {
      const letter = this.#letterOf(sink, refusal, known);
      if (!letter) continue;
      const isTried = trial?.ids.has(letter.id);
      if (isTried) trial?.again.add(letter.id);
      if (isTried ? !trial?.renews : this.#shelf.get(letter.id)) continue;
      fresh.set(letter.id, letter);
    }
    return [...fresh.values()];
  }

  /** @param known  by block, what need not be kept; with what this one keeps, then */
  #letterOf(sink: string, refusal: Refusal, known: Map<string, RefusedRows>): NewLetter | undefined {
    const nowMs = this.#options.clock.now();
    if ('note' in refusal) return noteLetter(sink, refusal.note, refusal.reason, nowMs);
    const rows = this.#known(known, sink, refusal.delivery);
    const places = placesBeside(refusal.delivery.batch, placesOf(refusal), rows);
    if (places.length === 0) return undefined;
    const letter = rowLetter(sink, refusal.delivery, places, refusal.reason, nowMs);
    rows.add(letter.facts.devices);
    return letter;
  }

  /** Rows of a block that need not be kept: those of letters, but for what is tried again. */
  #known(known: Map<string, RefusedRows>, sink: string, { gateway, epoch, seq }: Delivery): RefusedRows {
    const block = blockOf({ sink, gateway, epoch, seq });
    const trial = this.#trials.get(sink);
    const isOpen = ({ id }: SinkLetter) => (trial?.ids.has(id) ?? false) && !trial?.again.has(id);
    return getOrMake(known, block, () => this.#shelf.rowsBeside(block, isOpen));
  }

  async #giveUp(letters: readonly SinkLetter[]): Promise<void> {
    const counts = countOf(letters);
    const lastMs = this.#options.clock.now();
    const sums = [...counts.keys()].map(name => {
      const own = letters.filter(({ sink }) => sink === name);
      return [name, goneWith(this.#gone.get(name), own, refusedRows(own), lastMs)] as const;
    });
    await this.#delete(
      letters,
      sums.map(([sink, sum]) => put(textKey('k', sink), sum)),
    );
    for (const [sink, sum] of sums) this.#gone.set(sink, sum);
    for (const [sink, count] of counts) this.#options.teller?.gone(sink, count);
  }

  async #delete(letters: readonly SinkLetter[], along: readonly Write[] = []): Promise<void> {
    if (letters.length === 0) return;
    await this.#write([...letters.map(({ id }) => del(textKey('f', id))), ...along]);
    for (const { id } of letters) this.#shelf.remove(id);
  }

  #write(writes: readonly Write[]): Promise<void> {
    return writeBatch(this.#options.store.db, writes, true);
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = settled(done);
    return done;
  }
}

/** Row numbers in letters of a sink, by `gateway/epoch` and device. */
export function refusedRows(letters: readonly SinkLetter[]) {
  const all: Record<string, Record<string, (readonly [number, number])[]>> = {};
  for (const letter of letters) {
    if (letter.kind !== 'rows') continue;
    const key = epochKey(letter.gateway, letter.epoch);
    const own = all[key] ?? {};
    all[key] = own;
    for (const [device, ranges] of Object.entries(letter.devices)) {
      const list = own[device] ?? [];
      own[device] = list;
      list.push(...ranges);
    }
  }
  return all;
}
