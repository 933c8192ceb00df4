/** So long a PUBACK waits at least, and at most twice as long, for the receipt that goes out with it. */
const leastWaitMs = 100;

export interface Answering {
  /** Sends the PUBACKs that it holds back. */
  acknowledge(): void;
}

/** Whose PUBACKs are held back for a moment, so that two answers to one block cost one system call. */
export class Answers {
  #held = new Set<Answering>();
  /** Held for a full wait already. */
  #longer = new Set<Answering>();
  #timer: NodeJS.Timeout | undefined;

  hold(one: Answering): void {
    if (this.#held.has(one) || this.#longer.has(one)) return;
    this.#held.add(one);
    this.#timer ??= setTimeout(() => this.#waited(), leastWaitMs).unref();
  }

  /** They went out by themselves. */
  forget(one: Answering): void {
    if (!this.#held.delete(one)) this.#longer.delete(one);
  }

  #waited(): void {
    const due = [...this.#longer];
    this.#longer.clear();
    [this.#held, this.#longer] = [this.#longer, this.#held];
    this.#timer = this.#longer.size > 0 ? setTimeout(() => this.#waited(), leastWaitMs).unref() : undefined;
    for (const one of due) one.acknowledge();
  }
}
