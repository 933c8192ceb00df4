/** Whether many gateways speak at once, each of them little. */
export class Crowd {
  readonly #windowMs: number;
  readonly #many: number;
  #heard = new Set<string>();
  #sinceMs = Number.NEGATIVE_INFINITY;
  #isThere = false;

  /** @param many  so many within a window are a crowd */
  constructor(windowMs: number, many: number) {
    this.#windowMs = windowMs;
    this.#many = many;
  }

  /** By the last window that is over, or this one. */
  get isThere(): boolean {
    return this.#isThere || this.#heard.size >= this.#many;
  }

  note(gateway: string, nowMs: number): void {
    if (nowMs - this.#sinceMs >= this.#windowMs) {
      this.#isThere = this.#heard.size >= this.#many;
      this.#heard.clear();
      this.#sinceMs = nowMs;
    }
    this.#heard.add(gateway);
  }
}
