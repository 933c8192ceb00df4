/**
 * The agent's outbox: what has been read and not yet released by the collector.
 *
 * Invariants
 * - Durable is: fsynced here or journaled there. A block of a source that acknowledges, or has a position, is written
 *   first, in one synced commit with that position, and offered only then. Blocks of polled sources are offered from
 *   memory and written only if no receipt comes in time.
 * - Only a receipt, or a counted loss of a block that was never sent, ends a block. "Never sent" survives restarts: no
 *   block on disk is offered before the disk says that it may have been.
 * - Every process start is a new epoch, so no (epoch, seq) is ever used twice, whatever was lost.
 * - Memory does not grow with the backlog: what is on disk is known as ranges.
 */
import { type DeviceRows, deviceRows } from '@edgeward/shared/batch';
import type {
  Admission,
  DeviceReport,
  Entry,
  Origin,
  Outbox,
  OutboxReport,
  Receipt,
  RecordBatch,
  Safe,
  SourcePosition,
} from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { failpoint } from '@edgeward/shared/failpoint';
import type { Histogram } from '@edgeward/shared/metrics/histogram';
import { type BlockId, type Encoded, encodeWithRows, namedRows } from '@edgeward/shared/wire';
import type { Core, OutboxOptions } from './core.js';
import { TimeCorrection } from './correct-times.js';
import type { FreshBlock } from './fresh.js';
import { type Gap, gapRecord } from './gap.js';
import type { DeviceCounts } from './ledger.js';
import { OldestBlock } from './oldest.js';
import { type Opened, openOutbox } from './open-outbox.js';
import { forgetJournaled, receive } from './receipts.js';
import { Rejects } from './rejects.js';
import { Relief } from './relief.js';
import { isAnomalous } from './thin.js';
import { Walk } from './walk.js';
import { Writer } from './writer.js';

export type { Notice, OutboxBallast, OutboxOptions, OutboxTime } from './core.js';
export { outboxStoreVersion } from './layout.js';

/** Bytes that may be in memory only; then sources wait. */
const maxVolatileBytes = 4 * 1024 * 1024;
/** Of the quota; above it room is made before anybody has to wait for it. */
const highWater = 0.985;
const lookAgainMs = 1000;

export interface OutboxNumbers extends Pick<OutboxReport, 'blocks' | 'bytes' | 'maxBytes' | 'oldestMs'> {
  /** What is in memory and nowhere on our disk. */
  readonly memoryBytes: number;
  /** Over all starts. */
  readonly rows: Readonly<DeviceCounts>;
  readonly commitSeconds: Histogram;
  readonly writtenBytes: { readonly blocks: number; readonly records: number };
  /** The last try to write failed. */
  readonly failing: boolean;
}

type Made = Pick<FreshBlock, 'id' | 'bytes' | 'described' | 'devices' | 'anomalous'>;

export class LevelOutbox implements Outbox {
  readonly #core: Core;
  readonly #rejects = new Rejects();
  readonly #writer: Writer;
  readonly #relief: Relief;
  readonly #oldest: OldestBlock;
  readonly #times: TimeCorrection | undefined;
  readonly #time: ReturnType<NonNullable<OutboxOptions['time']>> | undefined;
  /** After a crash: from the last commit before it to this start, rows may have been read and not kept. */
  readonly gap: Gap | undefined;
  #untoldGap: Gap | undefined;
  #walk: Walk | undefined;
  readonly #stops = new WeakSet<AbortSignal>();
  /** Id of the collector's journal; kept over restarts. */
  #journal: string | undefined;
  /** Monotonic time before which it is of no use to look for room again. */
  #noRoomUntilMs = Number.NEGATIVE_INFINITY;
  #relieving = false;
  #closed: Promise<void> | undefined;

  private constructor({ core, gap, saved }: Opened) {
    this.#core = core;
    this.gap = gap;
    this.#untoldGap = gap;
    const journal = saved.kept('journal');
    if (typeof journal === 'string') this.#journal = journal;
    core.records.keep('journal', () => this.#journal ?? null);
    this.#writer = new Writer(core, this.#rejects);
    this.#relief = new Relief(core, this.#writer);
    this.#oldest = new OldestBlock(core);
    this.#time = core.options.time?.(saved.kept('time'));
    if (!this.#time) return;
    const time = this.#time;
    if (time.state) core.records.keep('time', () => time.state?.());
    this.#times = new TimeCorrection(core, this.#writer, time);
    this.#times.look();
  }

  /** @throws EW_STORE_VERSION, EW_STORE_LOCKED, EW_STORE_WRITE */
  static async open(options: OutboxOptions): Promise<LevelOutbox> {
    const outbox = new LevelOutbox(await openOutbox(options));
    await outbox.#oldest.look();
    return outbox;
  }

  get epoch(): string {
    return this.#core.live.name;
  }

  /** This store's id: two agents under one gateway name do not share it. */
  get id(): string {
    return this.#core.store.id;
  }

  /** Where a source stood when its last batch became durable. */
  position(source: string): SourcePosition | undefined {
    return this.#core.records.positions.get(source);
  }

  async append(batch: RecordBatch, origin: Origin, deadline: AbortSignal): Promise<Admission> {
    // The clock as it was when the batch was handed over, however long it waits for room.
    const clock = this.#time?.stamp();
    const atMs = this.#core.options.clock.now();
    await this.#admission(deadline);
    return batch.row.length > 0 ? this.#keep(batch, origin, atMs, clock) : this.#advance(origin);
  }

  /**
   * Rows that were read and refused: part of the ledger, not of the data. They are saved with that source's next
   * position, or by and by if it has none.
   */
  countRejected(source: string, device: string, rows: number): void {
    this.#core.ledger.add(device, 'read', rows);
    this.#core.ledger.add(device, 'rejected', rows);
    this.#rejects.add(source, device, rows);
  }

  async *entries(stop: AbortSignal): AsyncGenerator<Entry, void, void> {
    const core = this.#core;
    this.#walk?.end();
    const walk = new Walk(core, this.#writer);
    this.#walk = walk;
    this.#openOn(stop);
    while (!walk.over && !core.closing) {
      const entry = walk.next(stop.aborted);
      if (entry) {
        yield entry;
        failpoint('outbox.after-offer');
      } else if (stop.aborted && walk.isEmpty && !this.#writer.busy && !this.#times?.unfinished) return;
      else await core.changed.wait();
    }
  }

  /** Once for each: whoever takes entries may leave without a word. */
  #openOn(stop: AbortSignal): void {
    if (this.#stops.has(stop)) return;
    this.#stops.add(stop);
    this.#core.changed.openOn(stop);
  }

  async receive(receipt: Receipt): Promise<void> {
    failpoint('outbox.before-release');
    await receive(this.#core, this.#walk, receipt);
    if (this.#untoldGap && receipt.epoch === this.epoch) this.#forgetGap();
  }

  /** On every link events go before blocks, so whoever has a block of this start has been told of the gap. */
  #forgetGap(): void {
    this.#untoldGap = undefined;
    void this.#writer.flush([this.#core.records.keptPut(gapRecord, null)]).catch(() => undefined);
  }

  link(up: boolean, roundTripP99Ms?: number): void {
    this.#core.spill.link(up, roundTripP99Ms);
    this.#core.changed.open();
  }

  forgotten(): void {
    forgetJournaled(this.#core, this.#walk);
  }

  /** The collector says which journal it has. Another one than before may not know what that had. */
  meet(journal: string): void {
    if (this.#journal === journal) return;
    if (this.#journal !== undefined) this.forgotten();
    this.#journal = journal;
    void this.#writer.flush([this.#core.records.keptPut('journal', journal)]).catch(() => undefined);
  }

  /** For whoever looks now and then: a report without the rows of each device. */
  numbers(): OutboxNumbers {
    const { fresh, ledger } = this.#core;
    const { commitSeconds, writtenBytes, failing } = this.#writer;
    const rows = ledger.total();
    return { ...this.#held(), memoryBytes: fresh.unstoredBytes, rows, commitSeconds, writtenBytes, failing };
  }

  #held(): Pick<OutboxReport, 'blocks' | 'bytes' | 'maxBytes' | 'oldestMs'> {
    const { epochs, fresh, options } = this.#core;
    return {
      blocks: epochs.blocks + fresh.unstored,
      bytes: epochs.bytes + fresh.unstoredBytes,
      maxBytes: options.maxBytes,
      oldestMs: this.#oldest.atMs(),
    };
  }

  /** The agent's side of the ledger, as of now: also what only memory holds. */
  report(): { devices: DeviceReport[]; condensedThrough: number; outbox: OutboxReport } {
    const { epochs, ledger, options } = this.#core;
    this.#relief.tell();
    const names = new Map(epochs.all().map(({ counter, name }) => [counter, name]));
    return {
      devices: ledger.report(counter => names.get(counter) ?? ''),
      condensedThrough: ledger.condensedThrough,
      outbox: {
        id: this.id,
        ...this.#held(),
        durability: options.durability ?? 'deferred',
        ...(this.#journal !== undefined && { journal: this.#journal }),
      },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const core = this.#core;
    core.closing = true;
    core.changed.open();
    await this.#writer.ended();
    await core.exclusive.run(async () => undefined); // whoever still reads the store
    // Rows that could not be kept are a gap: the next start must not find a clean end.
    await (this.#writer.gaveUp ? core.store.db.close() : core.store.close());
  }

  #advance({ source, position, acknowledges }: Origin): Admission {
    const rejected = this.#rejects.release(source);
    if (!position && !(rejected && acknowledges)) return { durable: Promise.resolve('disk') };
    this.#press(rejected);
    const durable = new Promise<Safe>((resolve, reject) => {
      this.#writer.add({ source, position, rejected, resolve: () => resolve('disk'), reject });
    });
    durable.catch(() => undefined); // not everybody waits for it
    return { durable };
  }

  #keep(batch: RecordBatch, origin: Origin, atMs: number, clock: BlockId['clock']): Admission {
    const id = this.#nextId(atMs, clock);
    let encoded: Encoded;
    try {
      encoded = encodeWithRows(id, batch);
    } catch (error) {
      this.#refuse(deviceRows(batch), origin.source, error);
      return this.#advance(origin);
    }
    const { bytes, described } = encoded;
    const devices = namedRows(encoded.devices, described);
    this.#core.nextSeq += 1;
    const rejected = this.#rejects.release(origin.source);
    if (origin.acknowledges || origin.position) this.#press(rejected);
    this.#core.ledger.read(this.#core.live.counter, devices);
    this.#writer.read(batch.row.length * batch.schema.fields.length);
    const made = { id, bytes, described, devices, anomalous: isAnomalous(batch) };
    return { durable: this.#admit(made, origin, rejected) };
  }

  #nextId(atMs: number, clock: BlockId['clock']): BlockId {
    const { epochs, live, voids, nextSeq } = this.#core;
    const gone = voids.list();
    return {
      epoch: live.name,
      seq: nextSeq,
      oldestEpoch: (epochs.oldest() ?? live).name,
      atMs,
      ...(gone && { voids: gone }),
      ...(clock && { clock }),
    };
  }

  /** Rows that were rejected on the way to a position are saved in one commit with it. */
  #press(rejected: ReadonlyMap<string, number> | undefined): void {
    for (const device of rejected?.keys() ?? []) this.#core.ledger.pressing.add(device);
  }

  #admit(
    { id, bytes, described, devices, anomalous }: Made,
    { source, position, acknowledges = false, trace }: Origin,
    rejected: ReadonlyMap<string, number> | undefined,
  ): Promise<Safe> {
    const { fresh, options, changed } = this.#core;
    const urgent = acknowledges || position !== undefined || options.durability === 'always';
    const durable = new Promise<Safe>((resolve, reject) => {
      const block: FreshBlock = {
        id,
        bytes,
        described,
        devices,
        anomalous,
        trace,
        bornMs: options.clock.monotonic(),
        urgent,
        place: 'volatile',
        queued: false,
        sent: false,
        writing: false,
        resolve: urgent ? () => undefined : resolve,
        reject,
      };
      fresh.add(block);
      const written = () => resolve('disk');
      if (urgent) this.#writer.add({ block, source, position, rejected, resolve: written, reject });
      else if (!id.clock) fresh.enqueue(block);
    });
    durable.catch(() => undefined); // not everybody waits for it
    changed.open();
    if (id.clock)
      void durable.then(
        () => this.#times?.look(),
        () => undefined,
      );
    return durable;
  }

  #refuse(devices: readonly DeviceRows[], source: string, reason: unknown): void {
    let rows = 0;
    for (const { device, count } of devices) {
      this.countRejected(source, device, count);
      rows += count;
    }
    this.#core.options.log.error({ source, rows, reason: messageOf(reason) }, 'a batch was rejected');
    this.#core.notice({
      kind: 'source',
      text: `${rows} rows of source ${source} were rejected: ${messageOf(reason)}`.slice(0, 900),
      details: { source, rows },
    });
  }

  /** Waits for room: in memory, and on disk by the configured policy. */
  async #admission(deadline: AbortSignal): Promise<void> {
    while (!this.#hasRoom()) {
      if (this.#core.closing || deadline.aborted)
        throw new EdgewardError('EW_STOPPED', 'The outbox had no room for the batch before it closed.');
      await this.#core.changed.wait(deadline, lookAgainMs);
    }
    if (this.#core.closing) throw new EdgewardError('EW_STOPPED', 'The outbox is closed.');
  }

  #hasRoom(): boolean {
    const { epochs, fresh, options } = this.#core;
    if (fresh.bytes('volatile') >= maxVolatileBytes) return false;
    const used = epochs.bytes + fresh.unstoredBytes;
    if (used >= highWater * options.maxBytes) this.#relieve();
    return used < options.maxBytes;
  }

  #relieve(): void {
    const { options, closing } = this.#core;
    if (options.whenFull === 'block' || closing || this.#relieving) return;
    if (options.clock.monotonic() < this.#noRoomUntilMs) return;
    this.#relieving = true;
    void this.#relief
      .free()
      .catch(error => {
        options.log.warn({ error: messageOf(error) }, 'no room could be made in the outbox yet');
        return false;
      })
      .then(freed => {
        this.#relieving = false;
        if (!freed) this.#noRoomUntilMs = options.clock.monotonic() + lookAgainMs;
      });
  }
}
