import type { Socket } from 'node:net';

type Write = (chunk: unknown, encoding?: unknown, done?: (error?: Error | null) => void) => boolean;

/**
 * Answers to pipelined requests leave together: what is written to a connection within one turn of the event loop
 * goes in one write. The server writes an answer only once the one before has gone, so each is called gone at once;
 * should the connection break, that ends all of them anyway.
 */
export class Gather {
  /** By connection: how to write, and what. */
  readonly #held = new Map<Write, { readonly socket: Socket; text: string }>();
  #soon: NodeJS.Immediate | undefined;

  /** Call it for every connection, before its first answer. */
  watch(socket: Socket): void {
    const write = socket.write.bind(socket) as Write;
    const end = socket.end.bind(socket) as (...given: unknown[]) => Socket;
    const gathering: Write = (chunk, encoding, done) => {
      // Only whole answers without a body come like this. One must wait where the client reads none.
      if (typeof chunk === 'string' && encoding === 'latin1' && done && !socket.writableNeedDrain) {
        this.#hold(write, socket, chunk);
        process.nextTick(done);
        return true;
      }
      this.#release(write);
      return write(chunk, encoding, done);
    };
    socket.write = gathering as Socket['write'];
    socket.end = ((...given: unknown[]) => {
      this.#release(write);
      return end(...given);
    }) as Socket['end'];
  }

  /** All of it goes now. */
  flush(): void {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    for (const write of this.#held.keys()) this.#release(write);
  }

  #hold(write: Write, socket: Socket, text: string): void {
    const held = this.#held.get(write);
    if (held) held.text += text;
    else this.#held.set(write, { socket, text });
    this.#soon ??= setImmediate(() => this.flush());
  }

  #release(write: Write): void {
    const held = this.#held.get(write);
    if (!held) return;
    this.#held.delete(write);
    if (held.socket.writable) write(held.text, 'latin1');
  }
}
