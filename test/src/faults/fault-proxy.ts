/**
 * A bad network between one agent and the broker, as a TCP relay: slow, late, silent or cut. Bytes are never changed
 * or reordered, because TCP does not.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';

export interface Weather {
  /** Each way. */
  readonly latencyMs?: number;
  /** Each way. */
  readonly bytesPerSecond?: number;
  /** Half-open: connections stay, new ones are taken, and nothing goes through any more. */
  readonly silent?: boolean;
  /** Silent, and neither side learns that the other has closed: packets are lost on the way. */
  readonly lost?: boolean;
  /** Refuses and breaks. */
  readonly cut?: boolean;
  /** Breaks each connection once so many bytes of the agent have passed. */
  readonly cutAfterBytes?: number;
}

export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: number;
  #weather: Weather = {};
  /** Connections taken so far. */
  connections = 0;
  /** With `record`: what the agent sent on each connection. */
  readonly recorded: Buffer[][] = [];
  #recording = false;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer({ noDelay: true }, near => this.#relay(near));
  }

  static async open(target: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on, for open connections too. */
  set(weather: Weather): void {
    this.#weather = weather;
    if (weather.cut) this.breakAll();
  }

  /** From the next connection on. */
  record(): void {
    this.#recording = true;
  }

  breakAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.breakAll();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }

  #relay(near: Socket): void {
    this.connections += 1;
    if (this.#weather.cut) {
      near.destroy();
      return;
    }
    const far = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined); // the close that follows is what counts
      socket.on('close', () => {
        this.#sockets.delete(socket);
        if (this.#weather.lost) return;
        near.destroy();
        far.destroy();
      });
    }
    if (this.#recording) this.#tap(near);
    const weather = () => this.#weather;
    near.pipe(new Delay(weather, bytes => this.#cutAfter(near, bytes))).pipe(far);
    far.pipe(new Delay(weather)).pipe(near);
  }

  #tap(near: Socket): void {
    const pieces: Buffer[] = [];
    this.recorded.push(pieces);
    near.on('data', (piece: Buffer) => pieces.push(piece));
  }

  #cutAfter(near: Socket, bytes: number): void {
    const { cutAfterBytes } = this.#weather;
    if (cutAfterBytes !== undefined && bytes >= cutAfterBytes) near.destroy();
  }
}

const lookAgainMs = 50;

/** Holds each piece as long as the weather says; what is under way when it goes silent comes once it speaks again. */
class Delay extends Transform {
  readonly #weather: () => Weather;
  readonly #passed: (bytes: number) => void;
  #bytes = 0;

  constructor(weather: () => Weather, passed: (bytes: number) => void = () => undefined) {
    super({ highWaterMark: 16 * 1024 });
    this.#weather = weather;
    this.#passed = passed;
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const { latencyMs = 0, bytesPerSecond = Number.POSITIVE_INFINITY } = this.#weather();
    const waitMs = latencyMs + (piece.length / bytesPerSecond) * 1000;
    const pass = () => {
      if (isSilent(this.#weather()) && !this.destroyed) {
        setTimeout(pass, lookAgainMs).unref();
        return;
      }
      this.#bytes += piece.length;
      done(null, piece);
      this.#passed(this.#bytes);
    };
    if (waitMs > 0 || isSilent(this.#weather())) setTimeout(pass, waitMs);
    else pass();
  }
}

function isSilent({ silent = false, lost = false }: Weather): boolean {
  return silent || lost;
}
