import type { Described, RecordBatch } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { textKey } from '@edgeward/shared/store';
import type { BlockHeader } from '@edgeward/shared/wire';
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

interface Change {
  readonly key: string;
  readonly sent: Sent;
  readonly apply: (to: ReceivedEpoch) => void;
}

/** What a group changes in the received ranges: found out first and done once it is stored. */
export class AppendPlan {
  readonly #received: Received;
  readonly #accounts: Accounts;
  readonly #seen = new Set<string>();
  readonly #changes: Change[] = [];
  /** Epochs that the stored blocks alone do not tell all of. */
  readonly #apart = new Set<string>();

  constructor(received: Received, accounts: Accounts) {
    this.#received = received;
    this.#accounts = accounts;
  }

  /** @returns whether it is new */
  take(sent: Sent, described: Described, position: number): boolean {
    if (!this.#isNew(sent)) return false;
    const { seq, devices } = sent.header;
    this.#add(sent, epoch => {
      const wasRejected = epoch.rejectedSeqs.has(seq);
      if (wasRejected) epoch.rejectedSeqs.remove(seq);
      for (const rows of devices) {
        const device = deviceIn(described, rows.index);
        if (wasRejected) epoch.takeRejected(device, rows);
        epoch.addRows(device, rows);
      }
      epoch.position = Math.max(epoch.position, position);
    });
    if (sent.again) this.#apart.add(keyOf(sent));
    return true;
  }

  /** Counts its rows as rejected, as far as it can be told whose they are. @returns whether it is new */
  reject(poison: Poison): boolean {
    if (!this.#isNew(poison)) return false;
    const devices = poison.described?.schema.devices ?? [];
    this.#add(poison, epoch => {
      epoch.rejectedSeqs.add(poison.header.seq);
      for (const { index, ...span } of poison.header.devices) {
        const device = devices[index];
        if (device !== undefined) epoch.addRejected(device, span);
      }
    });
    this.#apart.add(keyOf(poison));
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
      for (const change of own) change.apply(next);
      return put(textKey('r', key), next);
    });
  }

  /** The commit is down. */
  apply(): void {
    for (const { sent, apply } of this.#changes) {
      const { gateway, header } = sent;
      const known = this.#received.get(gateway, header.epoch);
      const epoch = known ?? newEpoch(sent);
      if (!known) this.#received.set(gateway, header.epoch, epoch);
      apply(epoch);
      this.#noteOldest(sent);
    }
  }

  #isNew(sent: Sent): boolean {
    const { gateway, outbox = '', header, again = false } = sent;
    const { epoch, seq } = header;
    const known = this.#received.get(gateway, epoch);
    if (known ? hasSeq(known, seq, again) : this.#isFolded(gateway, outbox, epoch)) return false;
    const name = `${gateway}/${epoch}/${seq}`;
    if (this.#seen.has(name)) return false;
    this.#seen.add(name);
    return true;
  }

  #add(sent: Sent, apply: (to: ReceivedEpoch) => void): void {
    const { seq, voids } = sent.header;
    const all = (epoch: ReceivedEpoch) => {
      epoch.seqs.add(seq);
      for (const [from, through] of voids ?? []) epoch.seqs.add(from, through);
      apply(epoch);
    };
    this.#changes.push({ key: keyOf(sent), sent, apply: all });
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

/** @throws EW_BLOCK_CORRUPT if the schema has no such device */
function deviceIn({ schema }: Described, index: number): string {
  const device = schema.devices[index];
  if (device !== undefined) return device;
  throw new EdgewardError('EW_BLOCK_CORRUPT', `Its schema has no device ${index}.`);
}

function keyOf({ gateway, header }: Pick<Sent, 'gateway' | 'header'>): string {
  return `${gateway}/${header.epoch}`;
}

function newEpoch({ outbox = '' }: Sent): ReceivedEpoch {
  return new ReceivedEpoch(outbox);
}

/** Of a dead letter that is tried again, its being rejected does not count. */
function hasSeq({ seqs, rejectedSeqs }: ReceivedEpoch, seq: number, again: boolean): boolean {
  return seqs.has(seq) && !(again && rejectedSeqs.has(seq));
}
