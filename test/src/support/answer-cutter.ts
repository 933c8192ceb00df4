/**
 * A TCP relay in front of a Kafka broker that now and then breaks the connection in place of an answer: the broker has
 * done what it was asked, and the client does not know. Killing the broker hardly ever hits that moment.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Rng } from '@edgeward/shared/contracts';

export class AnswerCutter implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #rng: Rng;
  /** Where the broker listens. */
  target = 0;
  /** Share of answers that are cut. */
  share = 0;
  answers = 0;
  cuts = 0;

  private constructor(rng: Rng) {
    this.#rng = rng;
    this.#server = createServer({ noDelay: true }, near => this.#relay(near));
  }

  static async open(rng: Rng): Promise<AnswerCutter> {
    const cutter = new AnswerCutter(rng);
    await new Promise<void>((resolve, reject) => {
      cutter.#server.once('error', reject);
      cutter.#server.listen(0, '127.0.0.1', resolve);
    });
    return cutter;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }

  #relay(near: Socket): void {
    const far = connect({ port: this.target, host: '127.0.0.1', noDelay: true });
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined); // the close that follows is what counts
      socket.on('close', () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    const frames = new Frames();
    far.on('data', (piece: Buffer) => {
      for (const frame of frames.take(piece)) if (!this.#answer(near, frame)) return;
    });
  }

  #answer(near: Socket, frame: Buffer): boolean {
    this.answers += 1;
    if (this.#rng() < this.share) {
      this.cuts += 1;
      near.destroy();
      return false;
    }
    near.write(frame);
    return true;
  }
}

/** Kafka's frames: a length of four bytes in front of each. */
class Frames {
  #rest = Buffer.alloc(0);

  take(piece: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, piece]);
    const frames: Buffer[] = [];
    while (this.#rest.length >= 4) {
      const length = 4 + this.#rest.readInt32BE(0);
      if (this.#rest.length < length) break;
      frames.push(this.#rest.subarray(0, length));
      this.#rest = this.#rest.subarray(length);
    }
    return frames;
  }
}
