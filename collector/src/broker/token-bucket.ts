/** So many a second, and at once what one second gives. It may be overdrawn: the debt is waited off. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#capacity = perSecond;
    this.#tokens = perSecond;
    this.#atMs = nowMs;
  }

  /** @returns ms until there is no debt; 0 = none */
  take(tokens: number, nowMs: number): number {
    this.#tokens = Math.min(this.#capacity, this.#tokens + (nowMs - this.#atMs) * this.#perMs) - tokens;
    this.#atMs = nowMs;
    return this.#tokens >= 0 ? 0 : -this.#tokens / this.#perMs;
  }
}
