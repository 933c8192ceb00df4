/**
 * The collector's journal: every delivery once, in the order of arrival, in LevelDB.
 *
 * Invariants
 * - A block and the note that it was received go down in one synced commit; `append` returns after it. So a
 *   receipt sent afterwards is always true, and a second delivery is always recognised.
 * - Positions rise and are never used again. Consumers keep their own cursors; nothing here waits for them.
 */
import type {
  AgentEvent,
  AgentReport,
  Clock,
  Cursor,
  Delivery,
  Described,
  RecordBatch,
} from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { failpoint } from '@edgeward/shared/failpoint';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { jsonValue, numberInKey, numberKey, openStore, type Store, textKey } from '@edgeward/shared/store';
import {
  type BlockHeader,
  decodeBlock,
  describe,
  describedToJson,
  namedRows,
  parseDescribed,
} from '@edgeward/shared/wire';
import { Received, ReceivedEpoch } from './received.js';
import { Tail } from './tail.js';

export const journalStoreVersion = 1;

export interface JournalOptions {
  readonly directory: string;
  /** Above this, blocks that every consumer has passed are deleted, oldest first. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a read found. `through` is the last position looked at: the next read goes on behind it. */
export interface Reading {
  readonly deliveries: readonly Delivery[];
  readonly through: number;
}

export interface Incoming {
  readonly bytes: Uint8Array;
  readonly gateway: string;
  readonly header: BlockHeader;
  readonly batch: RecordBatch;
  readonly ingestedMs: number;
  readonly late: boolean;
}

/** In front of each stored block, before the gateway's name. */
const prefixBytes = 16;
const lateFlag = 1;
const maxEvents = 1000;
const tailBytes = 32 * 1024 * 1024;
/** Holds the position that was skipped to: no block stands there to tell it. */
const skippedKey = numberKey('p', 0);

export class Journal implements AsyncDisposable {
  readonly received: Received;
  readonly #options: JournalOptions;
  readonly #store: Store;
  readonly #cursors: Map<string, Cursor>;
  readonly #changed = new Gate();
  readonly #schemas = new Map<string, Described>();
  readonly #savedSchemas = new Set<string>();
  readonly #damage: string[] = [];
  #tail = new Tail(tailBytes);
  #position: number;
  #eventNumber: number;

  private constructor(
    options: JournalOptions,
    store: Store,
    received: Received,
    cursors: Map<string, Cursor>,
  ) {
    this.#options = options;
    this.#store = store;
    this.received = received;
    this.#cursors = cursors;
    this.#position = 0;
    this.#eventNumber = 0;
  }

  /** @throws EW_STORE_VERSION, EW_STORE_LOCKED */
  static async open(options: JournalOptions): Promise<Journal> {
    const { directory, log } = options;
    const store = await openStore({ directory, kind: 'journal', version: journalStoreVersion, log });
    const received = new Received();
    for await (const [key, value] of prefixed(store, 'r')) {
      const [gateway, epoch] = key.split('/') as [string, string];
      received.set(gateway, epoch, ReceivedEpoch.fromJSON(JSON.parse(value)));
    }
    const cursors = new Map<string, Cursor>();
    for await (const [key, value] of prefixed(store, 'c')) cursors.set(key, JSON.parse(value) as Cursor);
    const journal = new Journal(options, store, received, cursors);
    for await (const [, value] of prefixed(store, 'q')) {
      const described = parseDescribed(JSON.parse(value));
      if (!described) continue;
      journal.#schemas.set(described.id, described);
      journal.#savedSchemas.add(described.id);
    }
    const skipped = await store.db.get(skippedKey);
    journal.#position = Math.max(await lastNumber(store, 'd', 'e'), skipped ? numberInKey(skipped, 0) : 0);
    journal.#eventNumber = await lastNumber(store, 'n', 'o');
    if (store.repairedFrom !== undefined) journal.#tellRepair(store.repairedFrom);
    return journal;
  }

  get id(): string {
    return this.#store.id;
  }

  /** The newest position; 0 = empty. */
  get position(): number {
    return this.#position;
  }

  /** What this start found broken or lost, in sentences; empty = nothing. */
  get damage(): readonly string[] {
    return this.#damage;
  }

  /** What a gateway told of its blocks, now or before the last start. */
  described(id: string): Described | undefined {
    return this.#schemas.get(id);
  }

  /** Kept on disk once a block needs it. */
  learn(schemas: readonly Described[]): void {
    for (const described of schemas) this.#schemas.set(described.id, described);
  }

  /**
   * Stores what is new of these, in one synced commit.
   * @returns the new deliveries; what is missing from them was stored before
   */
  async append(incoming: readonly Incoming[]): Promise<Delivery[]> {
    const fresh = this.#unseen(incoming);
    if (fresh.taken.length === 0) return [];
    const deliveries = fresh.taken.map((block, i) => toDelivery(block, this.#position + 1 + i));
    const received = [...fresh.changed].map(([key, epoch]) => ({
      type: 'put' as const,
      key: textKey('r', key),
      value: jsonValue(epoch),
    }));
    const blocks = fresh.taken.map((block, i) => ({
      type: 'put' as const,
      key: numberKey('d', deliveries[i]!.position),
      value: withPrefix(block),
    }));
    const schemas = this.#unsaved(fresh.taken);
    failpoint('journal.before-commit');
    await this.#store.db.batch([...blocks, ...received, ...schemas.map(schemaPut)], { sync: true });
    failpoint('journal.after-commit');
    for (const { id } of schemas) this.#savedSchemas.add(id);
    this.learn(schemas);
    for (const [key, epoch] of fresh.changed) {
      const [gateway, name] = key.split('/') as [string, string];
      this.received.set(gateway, name, epoch);
    }
    this.#position += deliveries.length;
    for (const [i, delivery] of deliveries.entries()) this.#tail.add(delivery, fresh.taken[i]!.bytes.length);
    this.#changed.open();
    return deliveries;
  }

  /**
   * Gives up the positions through this one. For a consumer that has stored more than the disk still has: under
   * positions that it has passed it would take new blocks for old ones.
   */
  async skipTo(position: number): Promise<void> {
    if (position <= this.#position) return;
    const from = this.#position + 1;
    this.#damage.push(`Blocks ${from} to ${position} were lost here after a sink had stored up to there.`);
    this.#options.log.error(
      { from, through: position },
      'the journal has lost blocks that a sink has passed; goes on behind them',
    );
    this.#position = position;
    this.#tail = new Tail(tailBytes); // it knows no holes
    await this.#store.db.put(skippedKey, numberKey('p', position), { sync: true } as object);
    this.#changed.open();
  }

  /** After `append` failed, before the next try. */
  async recover(): Promise<void> {
    await this.#store.reopen().catch(() => undefined);
  }

  /** What stands behind a position, in order; a block that the disk has damaged is left out with a word. */
  async read(after: number, limits: { maxDeliveries: number; maxBytes: number }): Promise<Reading> {
    const newest = this.#position; // more may come while this reads
    if (after >= newest) return { deliveries: [], through: after };
    const cached = this.#tail.after(after, limits.maxDeliveries);
    if (cached) return { deliveries: cached, through: cached.at(-1)!.position };
    const deliveries: Delivery[] = [];
    let [bytes, through] = [0, after];
    for await (const [key, value] of this.#store.db.iterator({
      gt: numberKey('d', after),
      lt: Buffer.from('e'),
    })) {
      through = numberInKey(key, 0);
      const delivery = this.#decode(through, value);
      if (delivery) deliveries.push(delivery);
      bytes += value.length;
      if (deliveries.length >= limits.maxDeliveries || bytes >= limits.maxBytes) break;
    }
    // Past what retention deleted there may be nothing at all.
    return { deliveries, through: through === after ? newest : through };
  }

  #tellRepair(aside: string): void {
    const position = this.#position;
    this.#damage.push(`It was damaged and repaired as far as position ${position}; a copy is at ${aside}.`);
    this.#options.log.error(
      { aside, position, gateways: [...this.received.gateways()] },
      'the journal was damaged: this is what its repair has left',
    );
  }

  #decode(position: number, value: Buffer): Delivery | undefined {
    try {
      return fromStored(position, value, id => this.#schemas.get(id));
    } catch (error) {
      this.#options.log.error(
        { position, error: messageOf(error) },
        'a block in the journal is damaged; left out',
      );
      return undefined;
    }
  }

  /** Resolves once there is something behind the position, or when the signal fires. */
  async wait(after: number, signal: AbortSignal): Promise<void> {
    while (this.#position <= after && !signal.aborted) await this.#changed.wait(signal);
  }

  cursor(consumer: string): Cursor | undefined {
    return this.#cursors.get(consumer);
  }

  async setCursor(consumer: string, cursor: Cursor): Promise<void> {
    await this.#store.db.put(textKey('c', consumer), jsonValue(cursor), { sync: true } as object);
    this.#cursors.set(consumer, cursor);
  }

  async setReport(report: AgentReport): Promise<void> {
    await this.#store.db.put(textKey('g', report.gateway), jsonValue(report));
  }

  async reports(): Promise<AgentReport[]> {
    const reports: AgentReport[] = [];
    for await (const [, value] of prefixed(this.#store, 'g')) reports.push(JSON.parse(value) as AgentReport);
    return reports;
  }

  async addEvent(event: AgentEvent): Promise<void> {
    this.#eventNumber += 1;
    await this.#store.db.batch([
      { type: 'put', key: numberKey('n', this.#eventNumber), value: jsonValue(event) },
      { type: 'del', key: numberKey('n', Math.max(0, this.#eventNumber - maxEvents)) },
    ]);
  }

  async events(): Promise<AgentEvent[]> {
    const events: AgentEvent[] = [];
    for await (const [, value] of this.#store.db.iterator({ gte: Buffer.from('n'), lt: Buffer.from('o') })) {
      events.push(JSON.parse(value.toString('utf8')) as AgentEvent);
    }
    return events;
  }

  /** Bytes that no decoder understood, kept whole with the reason; the same bytes are kept once. */
  async addDeadLetter(
    id: string,
    letter: { gateway: string; reason: string; atMs: number; bytes: Uint8Array },
  ): Promise<void> {
    const value = jsonValue({ ...letter, bytes: Buffer.from(letter.bytes).toString('base64') });
    await this.#store.db.put(textKey('x', id), value, { sync: true } as object);
  }

  /** Deletes the oldest blocks above the quota, but none that a consumer still needs. */
  async trim(passedByAll: number): Promise<number> {
    const size = await this.#store.db.approximateSize(numberKey('d', 0), numberKey('d', this.#position));
    let excess = size - this.#options.maxBytes;
    let through = 0;
    if (excess > 0) {
      for await (const [key, value] of this.#store.db.iterator({
        gte: Buffer.from('d'),
        lt: Buffer.from('e'),
      })) {
        const position = numberInKey(key, 0);
        if (excess <= 0 || position > passedByAll || position === this.#position) break;
        excess -= value.length;
        through = position;
      }
      if (through > 0) await this.#store.db.clear({ gte: Buffer.from('d'), lte: numberKey('d', through) });
    }
    if (excess > 0) this.#options.log.warn({ bytes: excess }, 'journal is above its quota: a consumer lags');
    return through;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#changed.open();
    await this.#store.close();
  }

  /** A block is of no use without its schema: both go down together. */
  #unsaved(blocks: readonly Incoming[]): Described[] {
    const used = new Map<string, Described>();
    for (const { batch } of blocks) {
      const described = describe(batch.schema, batch.model);
      if (!this.#savedSchemas.has(described.id)) used.set(described.id, described);
    }
    return [...used.values()];
  }

  /** What of these is new, and the received ranges as they will be once it is stored. */
  #unseen(incoming: readonly Incoming[]): { taken: Incoming[]; changed: Map<string, ReceivedEpoch> } {
    const changed = new Map<string, ReceivedEpoch>();
    const taken: Incoming[] = [];
    for (const block of incoming) {
      const { gateway, header, batch } = block;
      const { epoch, seq } = header;
      const key = `${gateway}/${epoch}`;
      const known = changed.get(key) ?? this.received.get(gateway, epoch)?.clone() ?? new ReceivedEpoch();
      if (known.seqs.has(seq)) continue;
      changed.set(key, known);
      known.seqs.add(seq);
      for (const { device, first, last } of namedRows(header.devices, describe(batch.schema, batch.model)))
        known.addRows(device, first, last);
      taken.push(block);
    }
    return { taken, changed };
  }
}

function schemaPut(described: Described) {
  const value = jsonValue(describedToJson(described));
  return { type: 'put' as const, key: textKey('q', described.id), value };
}

async function* prefixed(store: Store, prefix: string): AsyncGenerator<[string, string]> {
  const end = String.fromCharCode(prefix.charCodeAt(0) + 1);
  for await (const [key, value] of store.db.iterator({ gte: Buffer.from(prefix), lt: Buffer.from(end) })) {
    yield [key.toString('utf8', 1), value.toString('utf8')];
  }
}

async function lastNumber(store: Store, prefix: string, end: string): Promise<number> {
  const range = { gte: Buffer.from(prefix), lt: Buffer.from(end), reverse: true, limit: 1 };
  for await (const key of store.db.keys(range)) return numberInKey(key, 0);
  return 0;
}

/** When it came, flags, and whose it is: a block itself does not say. */
function withPrefix(block: Incoming): Buffer {
  const gateway = Buffer.from(block.gateway, 'utf8');
  const value = Buffer.alloc(prefixBytes + gateway.length + block.bytes.length);
  value.writeDoubleLE(block.ingestedMs, 0);
  value[8] = block.late ? lateFlag : 0;
  value[9] = gateway.length;
  value.set(gateway, prefixBytes);
  value.set(block.bytes, prefixBytes + gateway.length);
  return value;
}

function toDelivery(block: Incoming, position: number): Delivery {
  const { epoch, seq } = block.header;
  return {
    gateway: block.gateway,
    epoch,
    seq,
    position,
    ingestedMs: block.ingestedMs,
    late: block.late,
    batch: block.batch,
  };
}

function fromStored(
  position: number,
  value: Buffer,
  describedOf: (id: string) => Described | undefined,
): Delivery {
  const blockAt = prefixBytes + value[9]!;
  const gateway = value.toString('utf8', prefixBytes, blockAt);
  const { header, batch } = decodeBlock(value.subarray(blockAt), describedOf);
  const late = (value[8]! & lateFlag) !== 0;
  return toDelivery(
    { gateway, header, batch, bytes: value, ingestedMs: value.readDoubleLE(0), late },
    position,
  );
}
