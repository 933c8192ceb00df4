import type { Described, RecordBatch } from '@edgeward/shared/contracts';
import { textKey } from '@edgeward/shared/store';
import { type BlockHeader, namedRows } from '@edgeward/shared/wire';
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

/** What the received ranges will be once a group is stored: found out first, so that a failed commit changes nothing. */
export class AppendPlan {
  readonly #received: Received;
  readonly #accounts: Accounts;
  readonly #changed = new Map<string, { gateway: string; epoch: string; next: ReceivedEpoch }>();

  constructor(received: Received, accounts: Accounts) {
    this.#received = received;
    this.#accounts = accounts;
  }

  /** @returns whether it is new */
  take(block: Sent, described: Described, position: number): boolean {
    const next = this.#next(block);
    if (!next) return false;
    const wasRejected = next.rejectedSeqs.has(block.header.seq);
    next.rejectedSeqs.remove(block.header.seq);
    for (const { device, ...span } of namedRows(block.header.devices, described)) {
      if (wasRejected) next.takeRejected(device, span);
      next.addRows(device, span);
    }
    next.position = Math.max(next.position, position);
    return true;
  }

  /** Counts its rows as rejected, as far as it can be told whose they are. @returns whether it is new */
  reject(poison: Poison): boolean {
    const next = this.#next(poison);
    if (!next) return false;
    next.rejectedSeqs.add(poison.header.seq);
    const devices = poison.described?.schema.devices ?? [];
    for (const { index, ...span } of poison.header.devices) {
      const device = devices[index];
      if (device !== undefined) next.addRejected(device, span);
    }
    return true;
  }

  writes(): Write[] {
    return [...this.#changed].map(([key, { next }]) => put(textKey('r', key), next));
  }

  /** The commit is down. */
  apply(): void {
    for (const { gateway, epoch, next } of this.#changed.values()) this.#received.set(gateway, epoch, next);
  }

  #next({ gateway, outbox = '', header, again = false }: Sent): ReceivedEpoch | undefined {
    const { epoch, seq, voids } = header;
    const key = `${gateway}/${epoch}`;
    const known = this.#changed.get(key)?.next ?? this.#received.get(gateway, epoch);
    if (known ? hasSeq(known, seq, again) : this.#isFolded(gateway, outbox, epoch)) return undefined;
    const next = this.#changed.get(key)?.next ?? known?.fork() ?? new ReceivedEpoch(outbox);
    this.#changed.set(key, { gateway, epoch, next });
    next.seqs.add(seq);
    for (const [from, through] of voids ?? []) next.seqs.add(from, through);
    this.#noteOldest(gateway, outbox, header);
    return next;
  }

  /** All of it was received, and so long ago that no more is known. */
  #isFolded(gateway: string, outbox: string, epoch: string): boolean {
    return startOf(epoch) <= (this.#accounts.get(gateway, outbox)?.folded ?? 0);
  }

  #noteOldest(gateway: string, outbox: string, { oldestEpoch }: BlockHeader): void {
    const account = this.#accounts.get(gateway, outbox);
    if (account) account.oldestStart = Math.max(account.oldestStart, startOf(oldestEpoch));
  }
}

/** Of a dead letter that is tried again, its being rejected does not count. */
function hasSeq({ seqs, rejectedSeqs }: ReceivedEpoch, seq: number, again: boolean): boolean {
  return seqs.has(seq) && !(again && rejectedSeqs.has(seq));
}
