/** How much queueing on the way is aimed at, ms: enough to keep a link busy, little enough for fresh data to pass. */
const targetDelayMs = 200;
/** On a new link, whose way is not known: 1.2 s of a modem's 56 kbit/s. */
const firstBytes = 8 * 1024;
const leastBytes = 2 * 1024;

/**
 * Bytes that may be under way. It grows while it is what limits and blocks do not queue on the way, and shrinks when
 * they do, so that on a slow link fresh data waits behind little. Delay-based as in LEDBAT (RFC 6817, 2.4.2).
 */
export class Window {
  readonly #maxBytes: number;
  #bytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#bytes = Math.min(firstBytes, maxBytes);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What the way before could take says nothing of a new one (as RFC 5681, 4.1, for a way that was idle). */
  begin(): void {
    this.#bytes = Math.min(this.#bytes, firstBytes);
  }

  /**
   * @param settledBytes  what a receipt has just taken off the way
   * @param queuedMs  how much longer it took than the shortest round trip
   * @param limited  whether something waited for room in the window
   */
  settled(settledBytes: number, queuedMs: number, limited: boolean): void {
    const off = Math.max(-0.5, (targetDelayMs - queuedMs) / targetDelayMs);
    if (off > 0 && !limited) return;
    this.#set(this.#bytes + off * settledBytes);
  }

  /** A receipt did not come in time. */
  missed(): void {
    this.#set(this.#bytes / 2);
  }

  #set(bytes: number): void {
    this.#bytes = Math.max(Math.min(leastBytes, this.#maxBytes), Math.min(this.#maxBytes, bytes));
  }
}
