import type { Clock, Entry, Receipt } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { getOrMake } from '@edgeward/shared/maps';
import { RoundTrips } from './round-trips.js';
import type { Window } from './window.js';

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
  /** Something had to wait for room since the last receipt. */
  #limited = false;
  #settledAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly window: Window,
    private readonly clock: Clock,
    private readonly roundTrips: RoundTrips,
  ) {}

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Blocks wait for room: the way is as full as it should be. */
  get limited(): boolean {
    return this.#limited && this.#size > 0;
  }

  hasRoom(entry: Entry): boolean {
    const fits = this.#size < alwaysBlocks || this.#bytes + entry.bytes.length <= this.window.bytes;
    if (!fits) this.#limited = true;
    return fits;
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
    let [newest, bytes]: [Sent | undefined, number] = [undefined, 0];
    for (const [seq, sent] of epoch) {
      if (seq < receipt.from || seq > receipt.through) continue;
      epoch.delete(seq);
      bytes += sent.bytes;
      this.#size -= 1;
      newest = sent;
    }
    if (epoch.size === 0) this.#epochs.delete(receipt.epoch);
    this.#bytes -= bytes;
    if (!newest) return;
    this.#settledAtMs = this.clock.monotonic();
    this.#measure(this.#settledAtMs - newest.atMs, bytes);
  }

  #measure(roundTripMs: number, bytes: number): void {
    this.roundTrips.measured(roundTripMs);
    this.window.settled(bytes, roundTripMs - this.roundTrips.shortestMs, this.#limited);
    this.#limited = false;
  }

  /**
   * Until the oldest block's receipt is late, ms; Infinity with nothing under way. While other receipts come, the way
   * is slow and not dead (RFC 6298, 5.3: each acknowledgement starts the timer anew), up to a bound.
   */
  untilLateMs(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const epoch of this.#epochs.values()) {
      for (const { atMs } of epoch.values()) {
        oldest = Math.min(oldest, atMs);
        break; // in sending order
      }
    }
    const quietSince = Math.max(oldest, this.#settledAtMs);
    const lateAt = Math.min(quietSince + this.roundTrips.timeoutMs, oldest + RoundTrips.maxTimeoutMs);
    return lateAt - this.clock.monotonic();
  }

  /** @throws EW_RECEIPT_LATE */
  check(): void {
    if (this.untilLateMs() > 0) return;
    const waited = Math.round(this.roundTrips.timeoutMs);
    this.roundTrips.missed();
    this.window.missed();
    throw new EdgewardError(
      'EW_RECEIPT_LATE',
      `Nothing for ${waited} ms with ${this.#size} blocks under way.`,
    );
  }
}
