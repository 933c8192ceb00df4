/**
 * The agent's outbox: what has been read and not yet released by the collector, in LevelDB.
 *
 * Invariants
 * - A block is offered to the uplink only after the synced commit that holds it, its ledger counts and its
 *   source's position: all of it is durable or none.
 * - Only a `released` receipt, or a counted drop of a block that was never sent, deletes a block.
 * - Every process start is a new epoch, so no (epoch, seq) is ever used twice, whatever was lost.
 */
import { randomBytes } from 'node:crypto';
import { type DeviceRows, deviceRows } from '@edgeward/shared/batch';
import type {
  Admission,
  AgentEvent,
  Clock,
  Described,
  DeviceReport,
  Entry,
  Outbox,
  Receipt,
  RecordBatch,
  SourcePosition,
} from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { failpoint } from '@edgeward/shared/failpoint';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { jsonValue, numberKey, openStore, type Store, textKey } from '@edgeward/shared/store';
import { describe, describedToJson, encodeBlock, readHeader } from '@edgeward/shared/wire';

import { type HeldBlock, type HeldBlocks, rowsOf } from './held.js';
import { Lanes } from './lanes.js';
import { LedgerChanges, OutboxLedger } from './ledger.js';
import { recover } from './recover.js';
import { loadSchemas, schemaPrefix } from './schemas.js';

export const outboxStoreVersion = 1;

export interface OutboxOptions {
  readonly directory: string;
  readonly gateway: string;
  /** Quota for blocks on disk. */
  readonly maxBytes: number;
  /** At the quota: give up the oldest block that was never sent, or let the source wait. */
  readonly whenFull: 'dropOldest' | 'block';
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of what must not pass silently. */
  readonly onEvent?: (event: Pick<AgentEvent, 'kind' | 'text' | 'details'>) => void;
}

/** Bytes that may wait for the disk before sources have to. */
const maxPendingBytes = 4 * 1024 * 1024;
/** Newest blocks kept in memory, so that publishing them needs no read. */
const maxCachedBytes = 4 * 1024 * 1024;
/** Deletes wait this long for a commit of new blocks to travel with. */
const deleteLingerMs = 1000;
const retryMs = 1000;
/** An outbox is mostly written and deleted again: more would only fill a small box's memory. */
const writeBufferBytes = 1024 * 1024;
const lastCommitKey = Buffer.from('t');
const markerKey = Buffer.from('s');
const never = new AbortController().signal;

interface Pending {
  /** Undefined for a batch without rows or that made no block: what was counted and the position go down. */
  readonly made: { readonly block: HeldBlock; readonly bytes: Uint8Array } | undefined;
  readonly source: string;
  readonly position: SourcePosition | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class LevelOutbox implements Outbox {
  readonly epoch: string;
  readonly #options: OutboxOptions;
  readonly #store: Store;
  readonly #ledger: OutboxLedger;
  readonly #held: HeldBlocks;
  readonly #positions: Map<string, SourcePosition>;
  readonly #cache = new Map<HeldBlock, Uint8Array>();
  readonly #savedSchemas: Set<string>;
  readonly #lastRow = new Map<string, number>();
  /** Opens when blocks were committed, receipts came, or all is to end. */
  readonly #changed = new Gate();
  #cachedBytes = 0;
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #deletes: HeldBlock[] = [];
  /** Dropped or damaged, not yet committed as such. */
  #losing: HeldBlock[] = [];
  #changes = new LedgerChanges();
  #seq = 0;
  #committedSeq = 0;
  #closing = false;
  #failing = false;
  #gaveUp = false;
  #committing: Promise<void>;
  #closed: Promise<void> | undefined;

  private constructor(
    options: OutboxOptions,
    store: Store,
    ledger: OutboxLedger,
    held: HeldBlocks,
    positions: Map<string, SourcePosition>,
    savedSchemas: Iterable<string>,
    lastCommitMs: number | undefined,
  ) {
    this.#options = options;
    this.#store = store;
    this.#ledger = ledger;
    this.#held = held;
    this.#positions = positions;
    this.#savedSchemas = new Set(savedSchemas);
    this.epoch = `${String(store.starts).padStart(9, '0')}-${randomBytes(8).toString('hex')}`;
    if (!store.closedCleanly && lastCommitMs !== undefined) {
      this.gap = { fromMs: lastCommitMs, toMs: options.clock.now() };
    }
    this.#committing = this.#commitLoop();
  }

  /** @throws EW_STORE_VERSION, EW_STORE_LOCKED, EW_STORE_WRITE */
  static async open(options: OutboxOptions): Promise<LevelOutbox> {
    const store = await openStore({
      directory: options.directory,
      kind: 'outbox',
      version: outboxStoreVersion,
      markerKey,
      writeBufferBytes,
      log: options.log,
    });
    if (store.movedTo !== undefined) options.onEvent?.(movedNotice(store.movedTo));
    const ledger = await OutboxLedger.load(store.db);
    const schemas = await loadSchemas(store.db);
    const found = await recover(store.db, ledger, schemas, options.log);
    const counts = ledger.prepare(found.changes);
    const repairs = [
      ...counts.puts.map(put => ({ type: 'put' as const, ...put })),
      ...found.damagedKeys.map(key => ({ type: 'del' as const, key })),
    ];
    if (repairs.length) await store.db.batch(repairs, { sync: true });
    counts.apply();
    if (found.damagedRows || store.repairedFrom) {
      options.onEvent?.({
        kind: 'damage',
        text: `The outbox was damaged on disk: ${found.damagedRows} rows are lost.`,
        details: { rows: found.damagedRows, copiedTo: store.repairedFrom ?? null },
      });
    }
    const lastCommit = await store.db.get(lastCommitKey);
    return new LevelOutbox(
      options,
      store,
      ledger,
      found.held,
      await loadPositions(store),
      schemas.keys(),
      lastCommit?.readDoubleLE(0),
    );
  }

  /** This store's id: two agents under one gateway name do not share it. */
  get id(): string {
    return this.#store.id;
  }

  /** After a crash: from the last commit before it to this start, rows may have been read and not kept. */
  readonly gap: { readonly fromMs: number; readonly toMs: number } | undefined;

  position(source: string): SourcePosition | undefined {
    return this.#positions.get(source);
  }

  async append(
    batch: RecordBatch,
    source: string,
    position: SourcePosition | undefined,
    deadline: AbortSignal,
  ): Promise<Admission> {
    await this.#admission(deadline);
    const made = batch.row.length > 0 ? this.#make(batch, source) : undefined;
    const durable = new Promise<void>((resolve, reject) => {
      this.#pending.push({ made, source, position, resolve, reject });
    });
    durable.catch(() => undefined); // not everybody waits for it
    this.#pendingBytes += made?.bytes.length ?? 0;
    this.#changed.open();
    return { durable };
  }

  /** Undefined if the batch cannot be a block, now or ever: its rows are rejected, which is counted and told. */
  #make(batch: RecordBatch, source: string): Pending['made'] {
    const seq = this.#seq + 1;
    const oldestEpoch = this.#held.oldest()?.epoch ?? this.epoch;
    const atMs = this.#options.clock.now();
    const devices = deviceRows(batch);
    let bytes: Uint8Array;
    let described: Described;
    try {
      described = describe(batch.schema, batch.model);
      bytes = encodeBlock({ epoch: this.epoch, seq, oldestEpoch, atMs }, batch);
    } catch (error) {
      this.#refuse(devices, source, error);
      return undefined;
    }
    this.#seq = seq;
    this.#changes.addRows(devices, 'read');
    const { length: size } = bytes;
    const { epoch } = this;
    const counter = this.#store.starts;
    return {
      block: { described, epoch, counter, seq, size, devices, atMs, sent: false, journaled: false },
      bytes,
    };
  }

  #refuse(devices: readonly DeviceRows[], source: string, reason: unknown): void {
    this.#changes.addRows(devices, 'read');
    this.#changes.addRows(devices, 'rejected');
    const rows = devices.reduce((sum, { count }) => sum + count, 0);
    this.#options.log.error({ source, rows, reason: messageOf(reason) }, 'a batch was rejected');
    this.#options.onEvent?.({
      kind: 'source',
      text: `${rows} rows of source ${source} were rejected: ${messageOf(reason)}`.slice(0, 900),
      details: { source, rows },
    });
  }

  /** Rows that were read and refused, with the reason: part of the ledger, not of the data. */
  countRejected(device: string, rows: number): void {
    this.#changes.add(device, 'read', rows);
    this.#changes.add(device, 'rejected', rows);
    this.#changed.open();
  }

  async *entries(stop: AbortSignal): AsyncGenerator<Entry, void, void> {
    const lanes = new Lanes(this.#held, this.epoch, () => this.#committedSeq);
    for (;;) {
      const block = lanes.next();
      if (!block) {
        // After stop, what sources handed over last is still to be committed and offered.
        if (this.#closing || (stop.aborted && this.#pendingBytes === 0)) return;
        await this.#changed.wait(stop.aborted ? undefined : stop);
        continue;
      }
      block.sent = true; // before anything is awaited: from here on it may not be dropped
      const bytes = await this.#bytesOf(block);
      const { epoch, seq, described } = block;
      if (bytes) yield { epoch, seq, lane: lanes.laneOf(block), bytes, described };
    }
  }

  async receive(receipt: Receipt): Promise<void> {
    failpoint('outbox.before-release');
    for (const block of this.#held.within(receipt.epoch, receipt.from, receipt.through)) {
      block.journaled = true;
      if (receipt.mark === 'released') this.#forget(block, 'released');
    }
    this.#changed.open();
  }

  /** The agent's side of the ledger, as of the last commit. */
  report(): { devices: DeviceReport[]; blocks: number; bytes: number; oldestMs: number | null } {
    // A loss counts only once its commit is down; until then its rows are still held.
    const held = [...this.#held.inOrder(), ...this.#losing].filter(block => !block.journaled);
    const unjournaled = rowsOf(held);
    const devices = [...this.#ledger.devices()].map(device => {
      const { read, rejected, thinned, dropped, damaged } = this.#ledger.of(device);
      const ranges = [...(unjournaled.get(device) ?? [])].flatMap(([epoch, rows]) =>
        rows.toJSON().map(([from, through]) => ({ epoch, from, through })),
      );
      return {
        device,
        read,
        rejected,
        thinned,
        dropped,
        damaged,
        held: ranges,
        lastRow: this.#lastRow.get(device) ?? 0,
      };
    });
    return {
      devices,
      blocks: this.#held.count,
      bytes: this.#held.bytes,
      oldestMs: this.#held.oldest()?.atMs ?? null,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing = true;
    this.#changed.open();
    await this.#committing;
    // Rows that could not be kept are a gap: the next start must not find a clean end.
    await (this.#gaveUp ? this.#store.db.close() : this.#store.close());
  }

  /** Waits for room: in memory for the next commit, and on disk by the configured policy. */
  async #admission(deadline: AbortSignal): Promise<void> {
    while (!this.#hasRoom()) {
      if (this.#closing || deadline.aborted) {
        throw new EdgewardError('EW_STOPPED', 'The outbox had no room for the batch before it closed.');
      }
      await this.#changed.wait(deadline);
    }
    if (this.#closing) throw new EdgewardError('EW_STOPPED', 'The outbox is closed.');
  }

  #hasRoom(): boolean {
    if (this.#pendingBytes >= maxPendingBytes) return false;
    while (this.#held.bytes + this.#pendingBytes >= this.#options.maxBytes) {
      const victim = this.#options.whenFull === 'dropOldest' ? this.#held.oldestNeverSent() : undefined;
      if (!victim) return false;
      this.#drop(victim);
    }
    return true;
  }

  #drop(block: HeldBlock): void {
    this.#forget(block, 'dropped');
    this.#losing.push(block);
    const rows = block.devices.reduce((sum, { count }) => sum + count, 0);
    this.#options.onEvent?.({
      kind: 'dropped',
      text: `The outbox is full: dropped the oldest ${rows} rows that had never been sent.`,
      details: { epoch: block.epoch, seq: block.seq, rows },
    });
  }

  #forget(block: HeldBlock, as: 'released' | 'dropped' | 'damaged'): void {
    this.#held.remove(block);
    this.#uncache(block);
    this.#deletes.push(block);
    this.#changes.addRows(block.devices, as);
  }

  /** Undefined when the block is no longer held, or is damaged, or all is to end. */
  async #bytesOf(block: HeldBlock): Promise<Uint8Array | undefined> {
    const cached = this.#cache.get(block);
    if (cached) return cached;
    while (this.#held.has(block) && !this.#closing) {
      try {
        const bytes = await this.#store.db.get(keyOf(block));
        if (bytes && isWhole(bytes)) return bytes;
        if (this.#held.has(block)) this.#lost(block); // else released meanwhile
      } catch (error) {
        // Only damage is a loss. A store that is being opened again, or a read error, may be over soon.
        if ((error as { code?: unknown }).code === 'LEVEL_CORRUPTION') this.#lost(block);
        else await this.#options.clock.sleep(retryMs, never);
      }
    }
    return undefined;
  }

  #lost(block: HeldBlock): void {
    this.#forget(block, 'damaged');
    this.#losing.push(block);
    const rows = block.devices.reduce((sum, { count }) => sum + count, 0);
    this.#options.log.error({ epoch: block.epoch, seq: block.seq, rows }, 'a block in the outbox is damaged');
    this.#options.onEvent?.({
      kind: 'damage',
      text: `A block in the outbox was damaged on disk: ${rows} rows are lost.`,
      details: { epoch: block.epoch, seq: block.seq, rows },
    });
  }

  /** Group commit: whatever arrived during the last write goes down together in the next. */
  async #commitLoop(): Promise<void> {
    for (;;) {
      await this.#somethingToCommit();
      if (!this.#pending.length && !this.#deletes.length && this.#changes.empty) return;
      try {
        await this.#commit();
        if (this.#failing) this.#options.log.info('outbox can be written again');
        this.#failing = false;
      } catch (error) {
        if (!this.#failing)
          this.#options.log.error({ error: messageOf(error) }, 'outbox cannot be written; trying again');
        this.#failing = true;
        if (this.#closing) return this.#giveUp(error);
        await this.#options.clock.sleep(retryMs, never);
        await this.#store.reopen().catch(() => undefined);
      }
    }
  }

  /** New blocks go down at once; deletes alone may linger. Returns with nothing to do only when closing. */
  async #somethingToCommit(): Promise<void> {
    const lingerUntil = this.#options.clock.monotonic() + deleteLingerMs;
    while (!this.#closing && this.#pending.length === 0) {
      const idle = this.#deletes.length === 0 && this.#changes.empty;
      const waitMs = lingerUntil - this.#options.clock.monotonic();
      if (!idle && waitMs <= 0) return;
      await this.#changed.wait(undefined, idle ? undefined : waitMs);
    }
  }

  async #commit(): Promise<void> {
    const [pending, deletes, changes] = [this.#pending, this.#deletes, this.#changes];
    const losing = this.#losing.length; // more may be given up while this commit is under way
    this.#pending = [];
    this.#deletes = [];
    this.#changes = new LedgerChanges();
    const counts = this.#ledger.prepare(changes);
    const positions = new Map(pending.flatMap(p => (p.position ? [[p.source, p.position] as const] : [])));
    const newSchemas = this.#unsavedSchemas(pending);
    failpoint('outbox.before-commit');
    try {
      await this.#store.db.batch(
        [
          ...pending.flatMap(({ made }) =>
            made ? [{ type: 'put' as const, key: keyOf(made.block), value: asBuffer(made.bytes) }] : [],
          ),
          ...deletes.map(block => ({ type: 'del' as const, key: keyOf(block) })),
          ...counts.puts.map(put => ({ type: 'put' as const, ...put })),
          ...newSchemas.map(described => ({
            type: 'put' as const,
            key: textKey(schemaPrefix, described.id),
            value: jsonValue(describedToJson(described)),
          })),
          ...[...positions].map(([source, position]) => ({
            type: 'put' as const,
            key: textKey('p', source),
            value: jsonValue(position),
          })),
          { type: 'put' as const, key: lastCommitKey, value: doubleValue(this.#options.clock.now()) },
        ],
        { sync: true },
      );
    } catch (error) {
      // Nothing of it counts as written: all of it waits for the next try, before what came since.
      this.#pending = [...pending, ...this.#pending];
      this.#deletes = [...deletes, ...this.#deletes];
      this.#changes = changes.plus(this.#changes);
      throw error;
    }
    failpoint('outbox.after-commit');
    counts.apply();
    for (const { id } of newSchemas) this.#savedSchemas.add(id);
    this.#losing = this.#losing.slice(losing);
    for (const [source, position] of positions) this.#positions.set(source, position);
    for (const { made, resolve } of pending) {
      if (made) this.#committed(made);
      resolve();
    }
    this.#changed.open();
  }

  #unsavedSchemas(pending: readonly Pending[]): Described[] {
    const used = pending.flatMap(({ made }) => (made ? [made.block.described] : []));
    return [...new Set(used)].filter(({ id }) => !this.#savedSchemas.has(id));
  }

  #committed({ block, bytes }: NonNullable<Pending['made']>): void {
    this.#pendingBytes -= bytes.length;
    this.#held.add(block);
    this.#committedSeq = block.seq;
    this.#cache.set(block, bytes);
    this.#cachedBytes += bytes.length;
    for (const { device, last } of block.devices) this.#lastRow.set(device, last);
    for (const oldest of this.#cache.keys()) {
      if (this.#cachedBytes <= maxCachedBytes) break;
      this.#uncache(oldest);
    }
  }

  #uncache(block: HeldBlock): void {
    if (!this.#cache.delete(block)) return;
    this.#cachedBytes -= block.size;
  }

  #giveUp(error: unknown): void {
    this.#gaveUp = this.#pending.length > 0;
    const failed = new EdgewardError('EW_STORE_WRITE', messageOf(error), { cause: error });
    for (const pending of this.#pending) pending.reject(failed);
  }
}

function movedNotice(movedTo: string): Pick<AgentEvent, 'kind' | 'text' | 'details'> {
  return {
    kind: 'damage',
    text: `The outbox could not be read and a new one was begun: what was not yet sent is in ${movedTo}.`,
    details: { movedTo },
  };
}

async function loadPositions(store: Store): Promise<Map<string, SourcePosition>> {
  const positions = new Map<string, SourcePosition>();
  for await (const [key, value] of store.db.iterator({ gte: textKey('p', ''), lt: textKey('q', '') })) {
    positions.set(key.toString('utf8', 1), JSON.parse(value.toString('utf8')) as SourcePosition);
  }
  return positions;
}

function doubleValue(n: number): Buffer {
  const value = Buffer.alloc(8);
  value.writeDoubleLE(n, 0);
  return value;
}

function keyOf(block: HeldBlock): Buffer {
  return numberKey('b', block.counter, block.seq);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isWhole(bytes: Uint8Array): boolean {
  try {
    readHeader(bytes);
    return true;
  } catch {
    return false;
  }
}
