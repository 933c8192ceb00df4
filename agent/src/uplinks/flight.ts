import type { Clock, Entry, Receipt } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { getOrMake } from '@edgeward/shared/maps';

/** How long a receipt may take: from measured round trips, as TCP does it (RFC 6298), doubled after each miss. */
export class ReceiptTimeout {
  static readonly minMs = 2_000;
  static readonly maxMs = 60_000;
  #smoothed: number | undefined;
  #variation = 0;
  #misses = 0;

  get ms(): number {
    const base = this.#smoothed === undefined ? 10_000 : this.#smoothed + 4 * this.#variation;
    const bounded = Math.max(ReceiptTimeout.minMs, base) * 2 ** this.#misses;
    return Math.min(ReceiptTimeout.maxMs, bounded);
  }

  measured(roundTripMs: number): void {
    this.#misses = 0;
    if (this.#smoothed === undefined) {
      this.#smoothed = roundTripMs;
      this.#variation = roundTripMs / 2;
      return;
    }
    this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - roundTripMs);
    this.#smoothed = 0.875 * this.#smoothed + 0.125 * roundTripMs;
  }

  missed(): void {
    this.#misses = Math.min(this.#misses + 1, 10);
  }
}

interface Sent {
  readonly bytes: number;
  readonly atMs: number;
}

/** A link may always have this many blocks out, however large they are. */
const alwaysBlocks = 4;

/** What is under way on one link: sent, no receipt yet. */
export class Flight {
  readonly #epochs = new Map<string, Map<number, Sent>>();
  #bytes = 0;
  #size = 0;

  constructor(
    private readonly windowBytes: number,
    private readonly clock: Clock,
    private readonly timeout: ReceiptTimeout,
  ) {}

  get size(): number {
    return this.#size;
  }

  hasRoom(entry: Entry): boolean {
    return this.#size < alwaysBlocks || this.#bytes + entry.bytes.length <= this.windowBytes;
  }

  add(entry: Entry): void {
    const epoch = getOrMake(this.#epochs, entry.epoch, () => new Map<number, Sent>());
    epoch.set(entry.seq, { bytes: entry.bytes.length, atMs: this.clock.monotonic() });
    this.#bytes += entry.bytes.length;
    this.#size += 1;
  }

  /** Either mark ends the waiting; the round trip of the newest block it names is measured. */
  settle(receipt: Receipt): void {
    const epoch = this.#epochs.get(receipt.epoch);
    if (!epoch) return;
    let newest: Sent | undefined;
    for (const [seq, sent] of epoch) {
      if (seq < receipt.from || seq > receipt.through) continue;
      epoch.delete(seq);
      this.#bytes -= sent.bytes;
      this.#size -= 1;
      newest = sent;
    }
    if (epoch.size === 0) this.#epochs.delete(receipt.epoch);
    if (newest) this.timeout.measured(this.clock.monotonic() - newest.atMs);
  }

  /** Until the oldest block's receipt is late, ms; Infinity with nothing under way. */
  untilLateMs(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const epoch of this.#epochs.values()) {
      for (const { atMs } of epoch.values()) {
        oldest = Math.min(oldest, atMs);
        break; // in sending order
      }
    }
    return oldest + this.timeout.ms - this.clock.monotonic();
  }

  /** @throws EW_RECEIPT_LATE */
  check(): void {
    if (this.untilLateMs() > 0) return;
    const waited = Math.round(this.timeout.ms);
    this.timeout.missed();
    throw new EdgewardError(
      'EW_RECEIPT_LATE',
      `Nothing for ${waited} ms with ${this.#size} blocks under way.`,
    );
  }
}
