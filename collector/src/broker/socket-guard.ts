/**
 * What stands between one socket and aedes. aedes takes bytes by `read` and sends them by `write`; both are replaced
 * on this one socket, which costs nothing per byte and no second buffer:
 * - nothing passes of a frame that is refused, and of a client that has sent CONNECT nothing until it is let in
 *   (aedes would handle a PUBLISH that comes while CONNECT is still being looked at);
 * - a client that is held or sends too fast is not read, so that TCP holds it back;
 * - `write` never asks aedes to wait: a client that does not read would keep one of its emitter's 100 slots per
 *   message, and a few such clients everybody else. What waits for it is bounded, and then it is cut off.
 */
import type { Socket } from 'node:net';
import type { Answers } from './answers.js';
import { protocolLevel, unacceptableLevel } from './conformance.js';
import { FrameRefused, FrameScanner } from './frames.js';
import type { BrokerLimits } from './limits.js';
import type { RefusalReason } from './refusals.js';
import { TokenBucket } from './token-bucket.js';

/** Frames given to aedes at once: that many messages of one client may be under way. */
const maxFramesAtOnce = 256;

export class SocketGuard {
  readonly #socket: Socket;
  readonly #limits: BrokerLimits;
  readonly #refused: (reason: RefusalReason, detail: string) => void;
  readonly #scanner: FrameScanner;
  readonly #messages: TokenBucket;
  readonly #bytes: TokenBucket;
  #open = false;
  #holds = 0;
  /** aedes wanted to read while it could not, and has to be woken. */
  #starved = false;
  #heardMs = performance.now();
  #idle: NodeJS.Timeout | undefined;
  #drain: NodeJS.Timeout | undefined;

  /** @param refused  told of what this client may not do; cutting it off is done here */
  constructor(
    socket: Socket,
    limits: BrokerLimits,
    refused: (reason: RefusalReason, detail: string) => void,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#refused = refused;
    this.#scanner = new FrameScanner(limits);
    this.#messages = new TokenBucket(limits.maxMessagesPerSecond, this.#heardMs);
    this.#bytes = new TokenBucket(limits.maxBytesPerSecond, this.#heardMs);
    this.#replaceRead();
    this.#replaceWrite();
    socket.once('close', () => this.#forgetTimers());
  }

  /** The client is let in: from now on it is read, and has to be heard. */
  open(keepAliveS: number): void {
    this.#open = true;
    const { maxIdleS } = this.#limits;
    // [MQTT-3.1.2-24]; a client that asks for none gets ours.
    this.#watchIdle(1000 * (keepAliveS > 0 ? Math.min(1.5 * keepAliveS, maxIdleS) : maxIdleS));
    this.#wake();
  }

  /** Until as many `release` the socket is not read, nor is silence held against it. */
  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    this.#heardMs = performance.now();
    if (this.#holds === 0) this.#wake();
  }

  /** What aedes answers waits for what we do. */
  holdAnswers(answers: Answers): void {
    answers.hold(this.#socket);
  }

  /** With all that was held back. */
  send(frame: Buffer, answers: Answers): void {
    if (this.#socket.writable) this.#socket.write(frame);
    answers.send(this.#socket);
  }

  #replaceRead(): void {
    const read = this.#socket.read.bind(this.#socket);
    this.#socket.read = size => (size === 0 ? read(0) : this.#read(read));
  }

  #replaceWrite(): void {
    const write = this.#socket.write.bind(this.#socket) as (...args: unknown[]) => boolean;
    this.#socket.write = (...args: unknown[]) => this.#written(write(...args));
  }

  #read(read: () => Buffer | null): Buffer | null {
    const waiting = !this.#open && this.#scanner.frames > 0;
    this.#starved = this.#holds > 0 || waiting;
    if (this.#starved || this.#socket.destroyed) return null;
    const chunk = read();
    if (chunk === null) return null;
    this.#heardMs = performance.now();
    return this.#pass(chunk);
  }

  #pass(chunk: Buffer): Buffer | null {
    const before = this.#scanner.frames;
    try {
      if (before === 0 && !speaksOurs(chunk)) return this.#turnAway();
      const passing = this.#scanner.scan(chunk, this.#open ? maxFramesAtOnce : 1);
      this.#charge(this.#scanner.frames - before, passing);
      if (passing === chunk.length) return chunk;
      this.#socket.unshift(chunk.subarray(passing));
      return chunk.subarray(0, passing);
    } catch (error) {
      if (!(error instanceof FrameRefused)) throw error;
      this.#cut(error.reason, error.message);
      return null;
    }
  }

  #turnAway(): null {
    this.#refused('protocol-level', 'it speaks another version of MQTT than 3.1.1');
    this.#socket.end(unacceptableLevel, () => this.#socket.destroy());
    return null;
  }

  #charge(frames: number, bytes: number): void {
    const waitMs = Math.max(
      this.#messages.take(frames, this.#heardMs),
      this.#bytes.take(bytes, this.#heardMs),
    );
    if (waitMs <= 0) return;
    this.#refused('rate', 'it sends faster than it may, and is read more slowly');
    this.hold();
    setTimeout(() => this.release(), waitMs).unref();
  }

  #written(flushed: boolean): boolean {
    // While a kept session's queue is sent, before `open`, aedes waits by itself and holds up nobody.
    if (!this.#open) return flushed;
    const { maxUnreadBytes, drainTimeoutMs } = this.#limits;
    const waiting = this.#socket.writableLength;
    if (waiting > maxUnreadBytes)
      this.#cut('slow-consumer', `${waiting} bytes wait for it, and it does not read`);
    else if (!flushed && !this.#drain) this.#watchDrain(drainTimeoutMs);
    return true;
  }

  #watchDrain(timeoutMs: number): void {
    this.#drain = setTimeout(
      () => this.#cut('slow-consumer', `it has not read for ${timeoutMs} ms what waits for it`),
      timeoutMs,
    ).unref();
    this.#socket.once('drain', () => {
      clearTimeout(this.#drain);
      this.#drain = undefined;
    });
  }

  #watchIdle(idleMs: number, inMs = idleMs): void {
    // What came while this process stood still is read only after timers: look again then.
    const look = () => setImmediate(() => this.#checkIdle(idleMs));
    this.#idle = setTimeout(look, inMs).unref();
  }

  #checkIdle(idleMs: number): void {
    if (this.#socket.destroyed) return;
    const silentMs = this.#holds > 0 ? 0 : performance.now() - this.#heardMs;
    if (silentMs < idleMs) this.#watchIdle(idleMs, idleMs - silentMs);
    else this.#cut('idle', `nothing came from it for ${Math.round(silentMs / 1000)} s`);
  }

  #wake(): void {
    if (!this.#starved) return;
    this.#starved = false;
    setImmediate(() => this.#socket.emit('readable'));
  }

  #cut(reason: RefusalReason, detail: string): void {
    if (this.#socket.destroyed) return;
    this.#refused(reason, detail);
    this.#socket.destroy();
  }

  #forgetTimers(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#drain);
  }
}

/** True also for what is no CONNECT, or not enough of one: aedes and the scanner see to that. */
function speaksOurs(chunk: Buffer): boolean {
  const level = chunk[0] === 0x10 ? protocolLevel(chunk) : undefined;
  return level === undefined || level === 3 || level === 4;
}
