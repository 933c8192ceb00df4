import type { Described, RecordBatch } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { textKey } from '@edgeward/shared/store';
import type { BlockHeader } from '@edgeward/shared/wire';
import { epochKey } from '../epoch-key.js';
import { Seen } from '../seen.js';
import type { Accounts } from './accounts.js';
import { put, type Write } from './layout.js';
import { type Received, ReceivedEpoch, startOf } from './received.js';

/** A block that was understood. */
export interface Incoming {
  readonly bytes: Uint8Array;
  readonly gateway: string;
  /** Whose epoch it is; '' = unknown. */
  readonly outbox?: string;
  readonly header: BlockHeader;
  readonly batch: RecordBatch;
  readonly ingestedMs: number;
  readonly late: boolean;
  /** Of its gateway; absent = unknown. */
  readonly site?: string;
  /** It may have been rejected before, and was a dead letter until now. */
  readonly again?: boolean;
}

type Sent = Pick<Incoming, 'gateway' | 'outbox' | 'header' | 'again'>;

/** A block whose header is whole and whose columns nobody understands: it needs not come again, as it is. */
export interface Poison {
  readonly gateway: string;
  readonly outbox?: string;
  readonly header: BlockHeader;
  readonly described: Described | undefined;
}

/** What one block does to the ranges of its epoch. */
interface Change {
  readonly key: string;
  readonly sent: Sent;
  readonly described: Described | undefined;
  /** Where it will stand; undefined = nowhere, its rows are rejected. */
  readonly position: number | undefined;
}

/** What a group changes in the received ranges: found out first and done once it is stored. */
export class AppendPlan {
  readonly #received: Received;
  readonly #accounts: Accounts;
  readonly #seen = new Seen();
  readonly #changes: Change[] = [];
  /** Epochs that the stored blocks alone do not tell all of. */
  readonly #apart = new Set<string>();

  constructor(received: Received, accounts: Accounts) {
    this.#received = received;
    this.#accounts = accounts;
  }

  /** @returns whether it is new */
  take(sent: Sent, described: Described, position: number): boolean {
    const key = keyOf(sent);
    if (!this.#isNew(sent, key)) return false;
    this.#changes.push({ key, sent, described, position });
    if (sent.again) this.#apart.add(key);
    return true;
  }

  /** Counts its rows as rejected, as far as it can be told whose they are. @returns whether it is new */
  reject(poison: Poison): boolean {
    const key = keyOf(poison);
    if (!this.#isNew(poison, key)) return false;
    this.#changes.push({ key, sent: poison, described: poison.described, position: undefined });
    this.#apart.add(key);
    return true;
  }

  /** The epochs that change, as `gateway/epoch`. */
  keys(): Iterable<string> {
    return new Set(this.#changes.map(({ key }) => key));
  }

  /** What must go down with the blocks: an epoch's new ranges where its blocks do not tell them. */
  writes(): Write[] {
    return [...this.#apart].map(key => {
      const own = this.#changes.filter(change => change.key === key);
      const { gateway, header } = own[0]!.sent;
      const next = this.#received.get(gateway, header.epoch)?.clone() ?? newEpoch(own[0]!.sent);
      for (const change of own) applyTo(next, change);
      return put(textKey('r', key), next);
    });
  }

  /** The commit is down. */
  apply(): void {
    for (const change of this.#changes) {
      const { gateway, header } = change.sent;
      const known = this.#received.get(gateway, header.epoch);
      const epoch = known ?? newEpoch(change.sent);
      if (!known) this.#received.set(gateway, header.epoch, epoch);
      applyTo(epoch, change);
      this.#noteOldest(change.sent);
    }
  }

  #isNew(sent: Sent, key: string): boolean {
    const { gateway, outbox = '', header, again = false } = sent;
    const { epoch, seq } = header;
    const known = this.#received.get(gateway, epoch);
    if (known ? hasSeq(known, seq, again) : this.#isFolded(gateway, outbox, epoch)) return false;
    return this.#seen.isFirst(key, seq);
  }

  /** All of it was received, and so long ago that no more is known. */
  #isFolded(gateway: string, outbox: string, epoch: string): boolean {
    return startOf(epoch) <= (this.#accounts.get(gateway, outbox)?.folded ?? 0);
  }

  #noteOldest({ gateway, outbox = '', header }: Sent): void {
    const account = this.#accounts.get(gateway, outbox);
    if (account) account.oldestStart = Math.max(account.oldestStart, startOf(header.oldestEpoch));
  }
}

function applyTo(epoch: ReceivedEpoch, { sent, described, position }: Change): void {
  const { seq, voids } = sent.header;
  epoch.seqs.add(seq);
  if (voids) for (const [from, through] of voids) epoch.seqs.add(from, through);
  if (position === undefined || !described) reject(epoch, sent.header, described);
  else store(epoch, sent.header, described, position);
}

function store(epoch: ReceivedEpoch, header: BlockHeader, described: Described, position: number): void {
  const wasRejected = epoch.rejectedSeqs.has(header.seq);
  if (wasRejected) epoch.rejectedSeqs.remove(header.seq);
  for (const rows of header.devices) {
    const device = deviceIn(described, rows.index);
    if (wasRejected) epoch.takeRejected(device, rows);
    epoch.addRows(device, rows);
  }
  epoch.position = Math.max(epoch.position, position);
}

/** As far as it can be told whose rows they are. */
function reject(epoch: ReceivedEpoch, { seq, devices }: BlockHeader, described: Described | undefined): void {
  epoch.rejectedSeqs.add(seq);
  for (const rows of devices) {
    const device = described?.schema.devices[rows.index];
    if (device !== undefined) epoch.addRejected(device, rows);
  }
}

/** @throws EW_BLOCK_CORRUPT if the schema has no such device */
function deviceIn({ schema }: Described, index: number): string {
  const device = schema.devices[index];
  if (device !== undefined) return device;
  throw new EdgewardError('EW_BLOCK_CORRUPT', `Its schema has no device ${index}.`);
}

function keyOf({ gateway, header }: Pick<Sent, 'gateway' | 'header'>): string {
  return epochKey(gateway, header.epoch);
}

function newEpoch({ outbox = '' }: Sent): ReceivedEpoch {
  return new ReceivedEpoch(outbox);
}

/** Of a dead letter that is tried again, its being rejected does not count. */
function hasSeq({ seqs, rejectedSeqs }: ReceivedEpoch, seq: number, again: boolean): boolean {
  return seqs.has(seq) && !(again && rejectedSeqs.has(seq));
}
