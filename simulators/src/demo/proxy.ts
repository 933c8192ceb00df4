import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * The network between one gateway and the broker, as a TCP relay that can be cut and healed. Cutting breaks what
 * is open and refuses what comes.
 */
export class Cable implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: () => number | undefined;
  readonly #sockets = new Set<Socket>();
  #cut = false;

  private constructor(target: () => number | undefined) {
    this.#target = target;
    this.#server = createServer({ noDelay: true }, socket => this.#relay(socket));
  }

  /** @param target  the broker's port on loopback; undefined = nobody is there */
  static async open(target: () => number | undefined): Promise<Cable> {
    const cable = new Cable(target);
    await new Promise<void>((resolve, reject) => {
      cable.#server.once('error', reject);
      cable.#server.listen(0, '127.0.0.1', resolve);
    });
    return cable;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get isCut(): boolean {
    return this.#cut;
  }

  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  heal(): void {
    this.#cut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    if (this.#server.listening) await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }

  #relay(near: Socket): void {
    const port = this.#target();
    if (this.#cut || port === undefined) {
      near.destroy();
      return;
    }
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined); // the close that follows is what counts
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  }
}
