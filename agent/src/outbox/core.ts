/** What the parts of the outbox share. */
import type { AgentEvent, Clock, Durability, RecordBatch } from '@edgeward/shared/contracts';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import type { Store, StoreOptions } from '@edgeward/shared/store';
import type { BlockId } from '@edgeward/shared/wire';
import type { Epoch, Epochs } from './epochs.js';
import { Fresh } from './fresh.js';
import type { Ledger } from './ledger.js';
import { Mutex } from './mutex.js';
import { Records } from './records.js';
import type { Schemas } from './schemas.js';
import { Spill } from './spill.js';
import { Voids } from './voids.js';

export type Notice = Pick<AgentEvent, 'kind' | 'text' | 'details'>;
export type ClockStamp = NonNullable<BlockId['clock']>;

/** What is known of the right time; agent/src/time/timekeeper.ts. */
export interface OutboxTime {
  /** Undefined while the clock is known to be right. */
  stamp(): ClockStamp | undefined;
  /** For rows read at wall time `atMs`, when the monotonic clock of that boot said `stamp.monotonicMs`. */
  correctionFor(
    stamp: ClockStamp,
    atMs: number,
  ): { readonly offsetMs: number; readonly unsure: boolean } | 'wait' | 'unknown-boot';
  /** Told when `correctionFor` may have another answer. */
  onChange(listener: () => void): unknown;
  /** Saved with the rest, and handed to the next start. */
  state?(): unknown;
  correct(batch: RecordBatch, offsetMs: number, unsure: boolean, atMs: number): RecordBatch;
}

/** Room that is given up when the disk is full; shared/src/ballast.ts. */
export interface OutboxBallast {
  hold(): Promise<boolean>;
  free(): Promise<boolean>;
}

export interface OutboxOptions {
  readonly directory: string;
  readonly gateway: string;
  /** Quota for blocks on disk. */
  readonly maxBytes: number;
  /** At the quota: give up resolution, then the oldest block that was never sent, or let the source wait. */
  readonly whenFull: 'thin' | 'dropOldest' | 'block';
  /** `always`: every block is written before it is sent. */
  readonly durability?: Durability;
  /** Age of rows of a polled source that a kill may lose. */
  readonly maxLossMs?: number;
  /** `inOrder`: strictly by epoch and seq, however late that makes what is fresh. */
  readonly replay?: 'liveFirst' | 'inOrder';
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of what must not pass silently. */
  readonly onEvent?: (event: Notice) => void;
  /** @param saved  what its `state` was at the last save, undefined if there was none */
  readonly time?: (saved: unknown) => OutboxTime;
  readonly ballast?: OutboxBallast;
  /** Ends the waiting for a full disk at the start. */
  readonly stop?: AbortSignal;
  /** Opens the store; tests give one that fails. */
  readonly openStore?: (options: StoreOptions) => Promise<Store>;
}

export const defaultMaxLossMs = 1000;

export class Core {
  readonly fresh = new Fresh();
  readonly voids = new Voids();
  /** Opens when blocks or receipts came, something was written, or all is to end. */
  readonly changed = new Gate();
  /** Whoever changes what is stored holds it. */
  readonly exclusive = new Mutex();
  readonly spill: Spill;
  readonly records: Records;
  closing = false;
  /** The rows of an epoch are being counted: nothing of it may end meanwhile. */
  auditing = false;
  /** Of the next block to be made. */
  nextSeq = 1;
  /** Blocks that could not be read back; damage.ts counts their rows. */
  readonly lost = new Map<Epoch, RangeSet>();

  constructor(
    readonly options: OutboxOptions,
    readonly store: Store,
    readonly epochs: Epochs,
    readonly live: Epoch,
    readonly ledger: Ledger,
    readonly schemas: Schemas,
    n: number,
  ) {
    const { maxLossMs = defaultMaxLossMs, clock } = options;
    this.spill = new Spill({ maxLossMs, clock }, this.fresh);
    this.records = new Records(ledger, epochs, live, n);
  }

  lose(epoch: Epoch, seq: number): void {
    getOrMake(this.lost, epoch, () => new RangeSet()).add(seq);
  }

  notice(event: Notice): void {
    this.options.onEvent?.(event);
  }
}
