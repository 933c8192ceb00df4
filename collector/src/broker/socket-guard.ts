/**
 * What stands between one socket and aedes. aedes takes bytes by `read` and sends them by `write`, and the stream
 * that it reads gets them by `push`; all three are replaced on this one socket, which costs nothing per byte and no
 * second buffer:
 * - nothing passes of a frame that is refused, and of a client that has sent CONNECT nothing until it is let in
 *   (aedes would handle a PUBLISH that comes while CONNECT is still being looked at);
 * - a gateway's blocks do not get there at all (`short-way.ts`); their PUBACKs are written here;
 * - a client that is held or sends too fast is not read, so that TCP holds it back;
 * - `write` never asks aedes to wait: a client that does not read would keep one of its emitter's 100 slots per
 *   message, and a few such clients everybody else. What waits for it is bounded, and then it is cut off.
 */
import type { Socket } from 'node:net';
import type { Answering, Answers } from './answers.js';
import { protocolLevel, unacceptableLevel } from './conformance.js';
import { FrameRefused, FrameScanner } from './frames.js';
import type { BrokerLimits } from './limits.js';
import type { RefusalReason } from './refusals.js';
import { ShortWay } from './short-way.js';
import { pubackFrames, publishFrame } from './shortcuts.js';
import { TokenBucket } from './token-bucket.js';

/** Frames given to aedes at once: that many messages of one client may be under way. */
const maxFramesAtOnce = 256;

export class SocketGuard implements Answering {
  readonly #socket: Socket;
  readonly #limits: BrokerLimits;
  readonly #answers: Answers;
  readonly #refused: (reason: RefusalReason, detail: string) => void;
  readonly #scanner: FrameScanner;
  readonly #messages: TokenBucket;
  readonly #bytes: TokenBucket;
  readonly #write: (bytes: Buffer) => boolean;
  #shortWay: ShortWay | undefined;
  #open = false;
  #holds = 0;
  /** Of the PUBLISH packets that went to aedes, those that it handed on. */
  #handedOn = 0;
  /** Packet ids of blocks, in the order in which they came. */
  readonly #unanswered: number[] = [];
  /** aedes wanted to read while it could not, and has to be woken. */
  #starved = false;
  #heardMs = performance.now();
  #idle: NodeJS.Timeout | undefined;
  #drain: NodeJS.Timeout | undefined;

  /** @param refused  told of what this client may not do; cutting it off is done here */
  constructor(
    socket: Socket,
    limits: BrokerLimits,
    answers: Answers,
    refused: (reason: RefusalReason, detail: string) => void,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#answers = answers;
    this.#refused = refused;
    this.#scanner = new FrameScanner(limits);
    this.#messages = new TokenBucket(limits.maxMessagesPerSecond, this.#heardMs);
    this.#bytes = new TokenBucket(limits.maxBytesPerSecond, this.#heardMs);
    this.#replacePush();
    this.#replaceRead();
    this.#write = this.#replaceWrite();
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

  /**
   * From now on blocks of that topic go to `take`, wherever they can be taken in their order, and not to aedes.
   * @param take  returns false if there is no room: aedes will ask for it again, and the client be held
   */
  takeBlocks(topic: string, take: (payload: Buffer) => boolean): void {
    this.#shortWay = new ShortWay(topic, this.#limits.maxPacketBytes, {
      isFree: () => this.#isFree(),
      take: (id, payload, frameBytes) => {
        if (!take(payload)) return false;
        this.#unanswered.push(id);
        this.#answers.hold(this);
        this.#charge(1, frameBytes);
        return true;
      },
    });
  }

  /** aedes has handed on what the client published. */
  handedOn(): void {
    this.#handedOn += 1;
  }

  /** QoS 0, with the PUBACKs that were held back. */
  send(topic: string, payload: string): void {
    if (this.#socket.writable) this.#write(publishFrame(topic, payload, this.#takeUnanswered()));
  }

  acknowledge(): void {
    if (this.#unanswered.length > 0 && this.#socket.writable)
      this.#write(pubackFrames(this.#takeUnanswered()));
  }

  /** A PUBLISH that aedes has handed on it has acknowledged before, so a PUBACK from here comes after that one. */
  #isFree(): boolean {
    const { destroyed, readableLength } = this.#socket;
    const { isBetween, publishes } = this.#scanner;
    const ahead = readableLength > 0 || !isBetween || publishes !== this.#handedOn;
    return !ahead && this.#holds === 0 && !destroyed;
  }

  #takeUnanswered(): number[] {
    this.#answers.forget(this);
    return this.#unanswered.splice(0);
  }

  #replacePush(): void {
    const push = this.#socket.push.bind(this.#socket);
    this.#socket.push = (chunk: Buffer | null) => {
      const rest = chunk && this.#shortWay ? this.#pushed(chunk, this.#shortWay) : chunk;
      return rest?.length === 0 || push(rest);
    };
  }

  /** @returns what the stream gets of it */
  #pushed(chunk: Buffer, shortWay: ShortWay): Buffer {
    this.#heardMs = performance.now();
    return shortWay.pass(chunk);
  }

  #replaceRead(): void {
    const read = this.#socket.read.bind(this.#socket);
    this.#socket.read = size => (size === 0 ? read(0) : this.#read(read));
  }

  /** @returns what writes past it */
  #replaceWrite(): (...args: unknown[]) => boolean {
    const write = this.#socket.write.bind(this.#socket) as (...args: unknown[]) => boolean;
    this.#socket.write = (...args: unknown[]) => {
      this.acknowledge(); // [MQTT-4.6.0-2]
      return this.#written(write(...args));
    };
    return (...args) => this.#written(write(...args));
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
