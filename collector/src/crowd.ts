/** How many gateways speak at once. */
export class Crowd {
  readonly #windowMs: number;
  readonly #heard = new Set<string>();
  #sinceMs = Number.NEGATIVE_INFINITY;
  #last = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** In the last window that is over, or in this one. */
  get size(): number {
    return Math.max(this.#last, this.#heard.size);
  }

  note(gateway: string, nowMs: number): void {
    if (nowMs - this.#sinceMs >= this.#windowMs) {
      this.#last = this.#heard.size;
      this.#heard.clear();
      this.#sinceMs = nowMs;
    }
    this.#heard.add(gateway);
  }
}
