import type { Socket } from 'node:net';

/** So long a PUBACK waits at least, and at most twice as long, for the receipt that goes out with it. */
const leastWaitMs = 50;

/** Holds back what is written to sockets for a moment, so that two answers to one block cost one system call. */
export class Answers {
  #held = new Set<Socket>();
  /** Held for a full wait already. */
  #longer = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;

  hold(socket: Socket): void {
    if (this.#held.has(socket) || this.#longer.has(socket)) return;
    socket.cork();
    this.#held.add(socket);
    this.#timer ??= setTimeout(() => this.#waited(), leastWaitMs).unref();
  }

  send(socket: Socket): void {
    if (this.#held.delete(socket) || this.#longer.delete(socket)) socket.uncork();
  }

  #waited(): void {
    for (const socket of this.#longer) socket.uncork();
    this.#longer.clear();
    [this.#held, this.#longer] = [this.#longer, this.#held];
    this.#timer = this.#longer.size > 0 ? setTimeout(() => this.#waited(), leastWaitMs).unref() : undefined;
  }
}
