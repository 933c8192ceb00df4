/** How long receipts take: from this come the time-out, the window, and how long a block may wait in memory. */
import { Histogram, longBounds } from '@edgeward/shared/metrics/histogram';

/** Round trips the percentile is taken from. */
const remembered = 200;
/**
 * After so many, at the latest twice so many, the shortest one is forgotten: the way may have become longer. Not
 * sooner, or a queue that never empties would be taken for the way itself (RFC 6817, 2.4.2: minutes).
 */
const shortestFor = 10_000;

export class RoundTrips {
  static readonly minTimeoutMs = 2_000;
  static readonly maxTimeoutMs = 60_000;
  /** All of them. */
  readonly seconds = new Histogram(longBounds);
  readonly #recent = new Float64Array(remembered);
  #count = 0;
  #smoothed: number | undefined;
  #variation = 0;
  #misses = 0;
  #shortest = Number.POSITIVE_INFINITY;
  #shortestBefore = Number.POSITIVE_INFINITY;
  #sinceSorted = 0;
  #p99: number | undefined;

  /** From measured round trips, as TCP does it (RFC 6298), doubled after each miss. */
  get timeoutMs(): number {
    const base = this.#smoothed === undefined ? 10_000 : this.#smoothed + 4 * this.#variation;
    const bounded = Math.max(RoundTrips.minTimeoutMs, base) * 2 ** this.#misses;
    return Math.min(RoundTrips.maxTimeoutMs, bounded);
  }

  /** 99th percentile of the last round trips, ms; undefined before the first. Up to ten of them out of date. */
  get p99Ms(): number | undefined {
    if (this.#count === 0 || (this.#p99 !== undefined && this.#sinceSorted < 10)) return this.#p99;
    const sorted = this.#recent.slice(0, this.#size).sort();
    this.#p99 = sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))];
    this.#sinceSorted = 0;
    return this.#p99;
  }

  /** The shortest of the last round trips, ms: the way itself, without queues on it. */
  get shortestMs(): number {
    return Math.min(this.#shortest, this.#shortestBefore);
  }

  measured(roundTripMs: number): void {
    this.#misses = 0;
    this.seconds.observe(roundTripMs / 1000);
    this.#recent[this.#count % remembered] = roundTripMs;
    this.#count += 1;
    if (this.#count % shortestFor === 0) {
      this.#shortestBefore = this.#shortest;
      this.#shortest = Number.POSITIVE_INFINITY;
    }
    this.#shortest = Math.min(this.#shortest, roundTripMs);
    this.#sinceSorted += 1;
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

  get #size(): number {
    return Math.min(this.#count, remembered);
  }
}
