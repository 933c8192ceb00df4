/** After this long without another message the broker is thought to wait for us, as a share of the linger time. */
const quietShare = 0.5;
/** A message this soon after our acknowledgement was held back for it, ms. */
const promptMs = 5;

/**
 * How many messages are worth waiting for. A broker sends only so many without an acknowledgement (mosquitto 20 by
 * default); waiting for more would only slow it down. That number is not told, so it is learned: nothing came while
 * we lingered, and the next came as soon as we had acknowledged.
 */
export class Linger {
  #window = Number.POSITIVE_INFINITY;
  #suspected = 0;
  #acknowledgedMs = Number.NEGATIVE_INFINITY;
  #lastMs = 0;

  /** With so many waiting, hand over now. */
  enough(waiting: number): boolean {
    return waiting >= this.#window;
  }

  arrived(waiting: number, nowMs: number): void {
    if (this.#suspected > 0 && nowMs - this.#acknowledgedMs <= promptMs) this.#window = this.#suspected;
    this.#suspected = 0;
    if (waiting > this.#window) this.#window = Number.POSITIVE_INFINITY;
    this.#lastMs = nowMs;
  }

  /** The time was up with so many waiting. */
  expired(waiting: number, lingerMs: number, nowMs: number): void {
    if (nowMs - this.#lastMs >= lingerMs * quietShare) this.#suspected = waiting;
  }

  acknowledged(nowMs: number): void {
    this.#acknowledgedMs = nowMs;
  }
}
