/**
 * The collector's journal: every delivery once, in the order of arrival, in LevelDB.
 *
 * Invariants
 * - A block and the note that it was received go down in one synced commit; `append` returns after it. So a
 *   receipt sent afterwards is always true, and a second delivery is always recognised.
 * - What was received follows from the blocks; records of it are written now and then, so that no block is read again
 *   at open but the newest ones. A block is removed only after what it tells is written.
 * - Positions rise and are never used again. They have gaps only where blocks were removed or lost, and `gone`
 *   names those: any other gap is damage, and told.
 * - Consumers keep their own place; nothing here waits for them.
 */
import { randomBytes } from 'node:crypto';
import { Ballast } from '@edgeward/shared/ballast';
import type { AgentEvent, Clock, Delivery, Described } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { failpoint } from '@edgeward/shared/failpoint';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { Histogram, shortBounds } from '@edgeward/shared/metrics/histogram';
import type { RangeSet } from '@edgeward/shared/ranges';
import { settled } from '@edgeward/shared/settled';
import { type Store, type StoreOptions, textKey } from '@edgeward/shared/store';
import { openMendedStore } from '@edgeward/shared/store-mend';
import { describe } from '@edgeward/shared/wire';
import { type BlockPage, listPage } from '../audit/block-list.js';
import { isInOrder } from '../noted.js';
import type { GatewayReport } from '../report.js';
import type { Accounts } from './accounts.js';
import { AppendPlan, type Incoming, type Poison } from './append-plan.js';
import { Arrivals } from './arrivals.js';
import { writeBatch } from './batch.js';
import { type BlockName, Blocks, type Reading } from './blocks.js';
import { isFolded, noteReport } from './bookkeeping.js';
import { Checkpoint } from './checkpoint.js';
import { ClockSteps } from './clock-steps.js';
import { DeadLetters } from './dead-letters.js';
import { EventLog } from './event-log.js';
import { KeptDelivery, sumOfRows } from './kept-delivery.js';
import {
  blockKey,
  blockValue,
  checkpointKey,
  goneKey,
  journalStoreVersion,
  jsonRecords,
  lastNumber,
  markerKey,
  type NextTrace,
  put,
  schemaPut,
  toDelivery,
  unusedKey,
  type Write,
} from './layout.js';
import { LetterTeller } from './letter-teller.js';
import { catchUp, type Loaded, load, loadPositions, type NoteNumbers, newestTold } from './load.js';
import { Losses } from './losses.js';
import type { Received } from './received.js';
import { SinkBook } from './sink-book.js';
import { SinkLetters } from './sink-letters.js';

export type { Incoming, Poison } from './append-plan.js';
export type { BlockName, Reading } from './blocks.js';

export interface JournalOptions {
  readonly directory: string;
  /** Room that is kept for a full disk, 4 MiB unless told: for what is removed, and for incidents and mails of it. */
  readonly ballastBytes?: number;
  /** Dead letters beyond are deleted, oldest first; 64 MiB unless told. */
  readonly maxDeadLetterBytes?: number;
  /** Dead letters of each sink beyond are deleted, oldest first; 64 MiB unless told. */
  readonly maxRefusedBytes?: number;
  /** Whoever follows mostly reads the columns: the newest are kept as they are, instead of decoded when asked for. */
  readonly keepsColumns?: () => boolean;
  /** Where spans hang that follow a traced block's journaling; absent = where the block itself says. */
  readonly nextTrace?: NextTrace | undefined;
  /** Opens the store; tests give one that fails. */
  readonly openStore?: (options: StoreOptions) => Promise<Store>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What goes down in the same commit as blocks. */
export interface Along {
  readonly poison?: readonly Poison[];
  readonly writes?: readonly Write[];
}

/** More blocks than can be lost unnoticed, which is what LevelDB had not made a table of. */
const leftOutAtLeast = 1_000_000;

const shortText = 'no space left on device but what is kept for removing blocks, and for incidents and mails';

export class Journal implements AsyncDisposable {
  readonly received: Received;
  readonly accounts: Accounts;
  readonly deadLetters: DeadLetters;
  readonly sinkLetters: SinkLetters;
  readonly losses: Losses;
  readonly sinkBook: SinkBook;
  readonly eventLog: EventLog;
  /** Positions without a block: removed, given up, or lost. */
  readonly gone: RangeSet;
  /** Of these, positions that no block ever had. */
  readonly #unused: RangeSet;
  /** The collector's own epoch, for rows it was given without one. */
  readonly epoch: string;
  readonly arrivals = new Arrivals();
  /** How long synced writes took. */
  readonly commitSeconds = new Histogram(shortBounds);
  readonly #options: JournalOptions;
  readonly #store: Store;
  readonly #cursors: Map<string, number>;
  readonly #noteCursors: Map<string, NoteNumbers>;
  readonly #changed = new Gate();
  readonly #schemas: Map<string, Described>;
  readonly #savedSchemas: Set<string>;
  readonly #damage: string[] = [];
  readonly #ballast: Ballast;
  readonly #blocks: Blocks;
  readonly #checkpoint = new Checkpoint();
  #clockSteps: ClockSteps;
  #busy: Promise<unknown> = Promise.resolve();
  #position = 0;
  /** What is left is not for blocks. */
  #isShort = false;
  /** Positions that this start has left out. */
  #leftOut = { from: 0, through: -1 };

  private constructor(
    options: JournalOptions,
    store: Store,
    loaded: Loaded,
    parts: Pick<Journal, 'deadLetters' | 'sinkLetters' | 'losses' | 'sinkBook' | 'eventLog'> & {
      readonly unused: RangeSet;
      readonly clockSteps: ClockSteps;
    },
  ) {
    this.#options = options;
    this.#store = store;
    this.received = loaded.received;
    this.accounts = loaded.accounts;
    this.gone = loaded.gone;
    const { directory, ballastBytes = 4 * 1024 * 1024 } = options;
    this.#ballast = new Ballast({ file: `${directory}.ballast`, bytes: ballastBytes });
    this.#blocks = new Blocks({
      store,
      gone: loaded.gone,
      described: id => this.described(id),
      nextTrace: options.nextTrace,
      onLost: (from, through) => this.#lose(from, through, 'are lost'),
      onBroken: (position, why) => this.#tellBroken(position, why),
    });
    this.#cursors = loaded.cursors;
    this.#noteCursors = loaded.noteCursors;
    this.#schemas = loaded.schemas;
    this.#savedSchemas = new Set(loaded.schemas.keys());
    this.deadLetters = parts.deadLetters;
    this.sinkLetters = parts.sinkLetters;
    this.losses = parts.losses;
    this.sinkBook = parts.sinkBook;
    this.eventLog = parts.eventLog;
    this.#unused = parts.unused;
    this.#clockSteps = parts.clockSteps;
    this.epoch = `${String(store.starts).padStart(9, '0')}-${randomBytes(8).toString('hex')}`;
  }

  /** @throws EW_STORE_VERSION, EW_STORE_LOCKED */
  static async open(options: JournalOptions): Promise<Journal> {
    const {
      directory,
      log,
      maxDeadLetterBytes = 64 * 1024 * 1024,
      maxRefusedBytes = 64 * 1024 * 1024,
      openStore: open = openMendedStore,
    } = options;
    const store = await open({
      directory,
      kind: 'journal',
      version: journalStoreVersion,
      markerKey,
      log,
    });
    const loaded = await load(store);
    const teller = new LetterTeller({ ...options, tell: text => journal.tell('journal', text) });
    const described = (id: string) => loaded.schemas.get(id);
    const letters = { store, maxBytes: maxRefusedBytes, described, teller, clock: options.clock };
    const sinkLetters = await SinkLetters.load(letters);
    const forgetGone = (sink: string) => sinkLetters.forgetGone(sink);
    const journal: Journal = new Journal(options, store, loaded, {
      deadLetters: await DeadLetters.load(store, maxDeadLetterBytes),
      sinkLetters,
      losses: await Losses.load(store),
      sinkBook: await SinkBook.load(store, loaded.cursors, loaded.noteCursors, forgetGone),
      eventLog: await EventLog.load(store),
      unused: await loadPositions(store, unusedKey),
      clockSteps: await ClockSteps.load(store),
    });
    await journal.#check(loaded);
    journal.#isShort = !(await journal.#ballast.hasRoom());
    for (const { position, ingestedMs, rows } of await journal.#blocks.samples(journal.position))
      journal.arrivals.note(position, ingestedMs, 1, rows);
    return journal;
  }

  get id(): string {
    return this.#store.id;
  }

  /** The newest position; 0 = empty. */
  get position(): number {
    return this.#position;
  }

  /** Blocks that it has taken, over all starts. */
  get appended(): number {
    return this.#position - this.#unused.count;
  }

  /** Memory of the newest deliveries, about. */
  get tailBytes(): number {
    return this.#blocks.tailBytes;
  }

  /** What this start found broken or lost, in sentences; empty = nothing. */
  get damage(): readonly string[] {
    return this.#damage;
  }

  /** What a gateway told of its blocks, now or before the last start. */
  described(id: string): Described | undefined {
    return this.#schemas.get(id);
  }

  /** Device types of which it has, or had, rows or a schema. */
  get types(): ReadonlySet<string> {
    return new Set([...this.#schemas.values()].map(({ schema }) => schema.type));
  }

  /** Kept on disk once a block needs it. */
  learn(schemas: readonly Described[]): void {
    for (const described of schemas) this.#schemas.set(described.id, described);
  }

  /**
   * Stores what is new of these, in one synced commit.
   * @returns the new deliveries; what is missing from them was stored before
   */
  append(incoming: readonly Incoming[], along: Along = {}): Promise<Delivery[]> {
    return this.#exclusively(() => this.#append(incoming, along));
  }

  async #append(incoming: readonly Incoming[], { poison = [], writes = [] }: Along): Promise<Delivery[]> {
    const plan = new AppendPlan(this.received, this.accounts);
    const taken: Incoming[] = [];
    const schemas = new Set<Described>();
    for (const block of incoming) {
      const described = describe(block.batch.schema, block.batch.model);
      if (!plan.take(block, described, this.#position + 1 + taken.length)) continue;
      taken.push(block);
      // A block is of no use without its schema: both go down together.
      if (!this.#savedSchemas.has(described.id)) schemas.add(described);
    }
    for (const one of poison) plan.reject(one);
    const deliveries = taken.map((block, i) =>
      toDelivery(this.#position + 1 + i, block, this.#options.nextTrace),
    );
    const blocks = taken.map((block, i) => put(blockKey(this.#position + 1 + i), stored(block)));
    const steps = this.#clockSteps.with(deliveries);
    const more = [...steps.writes(this.#clockSteps), ...writes];
    const all = [...blocks, ...plan.writes(), ...[...schemas].map(schemaPut), ...more];
    if (all.length === 0) return [];
    failpoint('journal.before-commit');
    if (this.#isShort) throw new EdgewardError('EW_STORE_WRITE', shortText);
    await this.#writeWith(all, this.#checkpoint.due(this.#position));
    failpoint('journal.after-commit');
    this.#clockSteps = steps;
    for (const { id } of schemas) this.#savedSchemas.add(id);
    this.learn([...schemas]);
    plan.apply();
    const bytes = taken.reduce((sum, block) => sum + block.bytes.length, 0);
    this.#checkpoint.note(plan.keys(), this.#position + 1, bytes);
    if (deliveries[0]) {
      const { position, ingestedMs } = deliveries[0];
      this.arrivals.note(position, ingestedMs, deliveries.length, sumOfRows(deliveries));
    }
    this.#position += deliveries.length;
    for (const [i, delivery] of deliveries.entries()) this.#blocks.add(this.#kept(delivery, taken[i]!));
    if (deliveries.length > 0) this.#changed.open();
    return deliveries;
  }

  /** What others keep here, under a prefix of theirs: the rest of the key, and the value; undefined = it is no JSON. */
  records(prefix: 'i' | 'j' | 'y'): AsyncGenerator<[string, unknown]> {
    return jsonRecords(this.#store, prefix);
  }

  async write(writes: readonly Write[], sync: boolean): Promise<void> {
    if (writes.length === 0) return;
    const begunMs = performance.now();
    await writeBatch(this.#store.db, writes, sync);
    if (sync) this.commitSeconds.observe((performance.now() - begunMs) / 1000);
  }

  /**
   * Gives up the positions through this one. For a consumer that has stored more than the disk still has: under
   * positions that it has passed it would take new blocks for old ones.
   */
  skipTo(position: number): Promise<void> {
    return this.#exclusively(async () => {
      const how = 'were lost here after a sink had stored up to there';
      if (position > this.#position) {
        const from = this.#position + 1;
        this.#pass(position);
        await this.#lose(from, position, how);
        this.#changed.open();
      } else if (position >= this.#leftOut.from && position <= this.#leftOut.through) {
        const { from } = this.#leftOut;
        this.#leftOut.from = position + 1;
        await this.#tellDamage(`Blocks ${from} to ${position} ${how}.`, { from, through: position });
      }
    });
  }

  /**
   * Leaves positions unused. For a consumer that cannot be asked yet how far it has come: if the disk has lost blocks
   * that it has stored, what comes meanwhile gets positions that it has not passed.
   */
  leaveOut(): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#position === 0) return;
      // What an earlier start had left out may be lost, too: this one leaves out another number.
      const positions = leftOutAtLeast * (1 + (this.#store.starts % 1000));
      const end = this.gone.toJSON().at(-1);
      // A start without any block behind it has done so already.
      if (!end || end[1] !== this.#position || end[1] - end[0] < leftOutAtLeast - 1) {
        for (const set of [this.gone, this.#unused]) set.add(this.#position + 1, this.#position + positions);
        this.#pass(this.#position + positions);
        this.#leftOut = { from: this.#position - positions + 1, through: this.#position };
        const writes = [put(goneKey, this.gone), put(unusedKey, this.#unused)];
        await this.write(writes, true).catch(() => undefined);
        this.#changed.open();
      }
    });
  }

  #pass(position: number): void {
    this.#position = position;
    this.#blocks.forgetTail();
  }

  /**
   * After `append` failed, before the next try. On a full disk LevelDB can only open again if something makes room. Blocks
   * do not get that: a disk that takes them for a moment, and then none, would be told to be well again.
   */
  async recover(): Promise<void> {
    await this.#ballast.free().catch(() => false);
    await this.#store.reopen().catch(() => undefined);
    this.#isShort = !(await this.#ballast.hold()) && !(await this.#ballast.hasRoom());
  }

  /** What is done now and then while all is well. */
  async settle(): Promise<void> {
    await this.#ballast.hold();
  }

  /** Gives the disk back what was removed. */
  async compact(): Promise<void> {
    await this.#blocks.compact(this.#position);
  }

  /** What stands behind a position, in order; a block that the disk has damaged is left out with a word. */
  read(after: number, limits: { maxDeliveries: number; maxBytes: number }): Promise<Reading> {
    return this.#blocks.read(after, this.#position, limits);
  }

  /** See `Blocks.encoded`. */
  encoded(after: number, through: number, maxBytes: number): ReturnType<Blocks['encoded']> {
    return this.#blocks.encoded(after, through, maxBytes);
  }

  /** Names of the blocks behind a position, at most some thousands; `through` as in `read`. */
  names(after: number): Promise<{ names: readonly BlockName[]; through: number }> {
    return this.#blocks.names(after, this.#position);
  }

  /**
   * For an audit: the blocks behind a position without their values, at most so many, also those that are damaged.
   * @param decode  tries their columns, too
   */
  list(after: number, most: number, decode = false): Promise<BlockPage> {
    return listPage(this.#store.db, id => this.#schemas.get(id), after, most, decode);
  }

  /** Resolves once there is something behind the position, or when the signal fires. */
  async wait(after: number, signal: AbortSignal): Promise<void> {
    while (this.#position <= after && !signal.aborted) await this.#changed.wait(signal);
  }

  /** Whether nothing can come any more of this `gateway/epoch`. */
  isOver(key: string): boolean {
    const at = key.indexOf('/');
    return isFolded(this.accounts, this.received, key.slice(0, at), key.slice(at + 1));
  }

  /** The position a consumer has stored; undefined = it has none. */
  cursor(consumer: string): number | undefined {
    return this.#cursors.get(consumer);
  }

  /** Numbers of the last notes a consumer has stored, by `feed/store`; undefined = it has had none. */
  noteCursor(consumer: string): NoteNumbers | undefined {
    return this.#noteCursors.get(consumer);
  }

  /** @param sync  false where it is only a copy of what somebody else keeps */
  async setCursor(consumer: string, position: number, sync = true, notes?: NoteNumbers): Promise<void> {
    await this.write([put(textKey('c', consumer), { position, ...(notes && { notes }) })], sync);
    this.#cursors.set(consumer, position);
    if (notes) this.#noteCursors.set(consumer, notes);
  }

  /** Keeps it, and what it changes in the gateway's account. */
  async setReport(report: GatewayReport): Promise<void> {
    const text = await this.#exclusively(async () => {
      const nowMs = this.#options.clock.now();
      const noted = noteReport(this.accounts, this.received, report, nowMs, this.id);
      await this.write(noted.writes, noted.matters);
      return noted.text;
    });
    if (text !== undefined) await this.tell('journal', text, {}, report.gateway);
  }

  reports(): GatewayReport[] {
    return this.accounts.reports();
  }

  async addEvent(event: AgentEvent): Promise<void> {
    const { writes, number } = this.eventLog.add(event);
    // Synced before a sink reads it: a number that a power cut took back would be given to another event.
    await this.write(writes, true);
    this.eventLog.written(number);
  }

  events(): readonly AgentEvent[] {
    return this.eventLog.events;
  }

  /** An event of the collector's own. */
  async tell(
    kind: AgentEvent['kind'],
    text: string,
    details: AgentEvent['details'] = {},
    gateway = 'collector',
  ): Promise<void> {
    const event = { gateway, epoch: this.epoch, atMs: this.#options.clock.now(), kind, text, details };
    await this.addEvent(event).catch(() => undefined);
    this.eventLog.tell(event);
  }

  /** Bytes of the blocks on disk, nearly: what LevelDB still has in memory is not counted. */
  bytes(): Promise<number> {
    return this.#blocks.bytes(this.#position);
  }

  /** When its oldest block came, ms since Unix epoch; undefined = it has none. */
  oldestMs(): Promise<number | undefined> {
    return this.#blocks.oldestMs();
  }

  /** The last position that has to go so that at most so many bytes are left; 0 = none. Never the newest one. */
  cutoff(bytes: number): Promise<number> {
    return this.#blocks.cutoff(bytes, this.#position);
  }

  /** The last position before the first block that came at this time or later, by the collector's clock then. */
  positionBefore(ms: number): Promise<number> {
    return this.#blocks.before(ms, this.#position, this.#clockSteps);
  }

  /** Whether all blocks behind a position are still there. */
  hasAllBehind(position: number): boolean {
    const from = position + 1;
    return this.gone.countWithin(from, this.#position) === this.#unused.countWithin(from, this.#position);
  }

  /** What from…through holds. */
  count(from: number, through: number): Promise<{ blocks: number; rows: number }> {
    return this.#blocks.count(from, through);
  }

  /** Deletes blocks for good, after noting so together with `writes`. */
  async remove(ranges: readonly (readonly [number, number])[], writes: readonly Write[] = []): Promise<void> {
    await this.#saveReceived();
    for (const [from, through] of ranges) this.gone.add(from, through);
    await this.write([put(goneKey, this.gone), ...writes], true);
    await this.#blocks.clear(ranges);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#changed.open();
    await this.#saveReceived().catch(() => undefined); // the blocks tell it again
    await this.#store.close();
  }

  #saveReceived(): Promise<void> {
    return this.#exclusively(() => this.#writeWith([], this.#checkpoint.all()));
  }

  /** Together with the ranges of these epochs as they are, and how far all ranges on disk then tell everything. */
  async #writeWith(writes: readonly Write[], keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return this.write(writes, true);
    const restore = this.#checkpoint.take(keys);
    const puts = keys.flatMap(key => {
      const at = key.indexOf('/');
      const epoch = this.received.get(key.slice(0, at), key.slice(at + 1));
      return epoch ? [put(textKey('r', key), epoch)] : [];
    });
    const through = put(checkpointKey, this.#checkpoint.position(this.#position));
    try {
      await this.write([...puts, ...writes, through], true);
    } catch (error) {
      restore();
      throw error;
    }
  }

  /** Of those that write received ranges, an older state must not come down last. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = settled(done);
    return done;
  }

  /** LevelDB hides damage: what the records speak of is held against what is there. */
  async #check(loaded: Loaded): Promise<void> {
    const { repairedFrom, movedTo, db, damage } = this.#store;
    this.#checkpoint.note(loaded.behind, loaded.checkpoint + 1, 0);
    const isDamaged = repairedFrom !== undefined || damage.length > 0 || loaded.garbage.length > 0;
    if (isDamaged) this.#checkpoint.note(await catchUp(this.#store, loaded, 0), 1, 0);
    const found = await lastNumber(db, 'd');
    this.#position = found;
    if (movedTo !== undefined)
      await this.#tellDamage(`It could not be identified: it is at ${movedTo} now, and a new one was begun.`);
    if (repairedFrom !== undefined)
      await this.#tellDamage(
        `It was damaged and repaired as far as position ${found}; a copy is at ${repairedFrom}.`,
      );
    for (const what of damage) await this.#tellDamage(what);
    if (loaded.garbage.length > 0) await this.#dropGarbage(loaded.garbage);
    const told = newestTold(loaded);
    if (told > found) {
      this.#position = told;
      await this.#blocks.expect(found + 1, told);
    }
    await this.#blocks.clear(this.gone.toJSON()); // a kill may have come before it
  }

  async #dropGarbage(keys: readonly string[]): Promise<void> {
    const names = keys.slice(0, 5).join(', ');
    await this.#tellDamage(`${keys.length} of its records were unreadable and are left out: ${names}.`);
    await this.write(
      keys.map(key => ({ type: 'del' as const, key: Buffer.from(key, 'utf8') })),
      true,
    );
  }

  async #lose(from: number, through: number, how: string): Promise<void> {
    this.gone.add(from, through);
    await this.write([put(goneKey, this.gone)], true).catch(() => undefined);
    await this.#tellDamage(`Blocks ${from} to ${through} ${how}.`, { from, through });
  }

  async #tellDamage(text: string, details: AgentEvent['details'] = {}): Promise<void> {
    this.#damage.push(text);
    this.#options.log.error(
      { ...details, gateways: [...this.received.gateways()].length },
      `journal: ${text}`,
    );
    await this.tell('damage', `Journal: ${text}`, details);
  }

  async #tellBroken(position: number, why: string): Promise<void> {
    const text = `Block ${position} is damaged and left out (${why}).`;
    if (!this.#damage.includes(text)) await this.#tellDamage(text, { from: position, through: position });
  }

  #kept(delivery: Delivery, { bytes }: Incoming): Delivery {
    if (this.#options.keepsColumns?.()) return delivery;
    return new KeptDelivery(delivery, isInOrder(delivery.batch), bytes);
  }
}

function stored({ outbox = '', bytes, ...facts }: Incoming): Buffer {
  return blockValue({ ...facts, outbox }, bytes);
}
