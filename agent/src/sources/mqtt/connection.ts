/** One MQTT 3.1.1 connection over our own socket. It never reconnects: a broken one is an error, the next a new object. */
import type { Socket } from 'node:net';
import type { Clock } from '@edgeward/shared/contracts';
import { type EdgewardError, messageOf } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import { generate, type Packet, parser } from 'mqtt-packet';
import '../../uplinks/mqtt-numbers.js';
import { type DialOptions, openSocket, unavailable } from './dial.js';
import { FrameError, FrameReader, type Message, pubacks } from './frames.js';
import { KeepAlive } from './keep-alive.js';
import { Linger } from './linger.js';

export interface ConnectionOptions extends DialOptions {
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly keepAliveS: number;
  readonly maxPacketBytes: number;
  readonly maxWaitingBytes: number;
  readonly clock: Clock;
  /** The broker has read all acknowledgements up to the `mark`-th. */
  readonly onFlushed: (mark: number) => void;
}

export interface Filter {
  readonly topic: string;
  readonly qos: 0 | 1;
}

/** How long a broker may take to end the connection after our goodbye. */
const goodbyeMs = 500;
const subscribeId = 1;

const refusals: Readonly<Record<number, string>> = {
  1: 'it does not speak MQTT 3.1.1',
  2: 'it refuses the client id; set clientId',
  3: 'it is not available',
  4: 'it refuses user name or password',
  5: 'it refuses this user; check username, password and the rights at the broker',
};

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #frames: FrameReader;
  readonly #control = parser({ protocolVersion: 4 });
  /** Opens when something came or the connection ended. */
  readonly #changed = new Gate();
  readonly #linger = new Linger();
  readonly #ended: Promise<void>;
  #waiting: Message[] = [];
  /** Of messages received and not yet acknowledged. */
  #waitingBytes = 0;
  #firstMs = 0;
  #hurry: () => void = () => undefined;
  #answers: Packet[] = [];
  #fault: Error | undefined;
  #closing = false;
  #paused = false;
  /** Acknowledgements written so far. */
  #marks = 0;
  #keepAlive: KeepAlive | undefined;
  /** The broker had our session: it knows our subscriptions and what we have not acknowledged. */
  sessionPresent = false;

  private constructor(options: ConnectionOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    this.#frames = new FrameReader(options.maxPacketBytes, {
      message: message => this.#received(message),
      packet: frame => this.#control.parse(frame),
    });
    this.#control.on('packet', packet => this.#packet(packet));
    this.#control.on('error', (error: unknown) => this.#fail(new FrameError(messageOf(error))));
    socket.setNoDelay(true);
    socket.on('data', chunk => this.#data(chunk));
    socket.on('error', error => this.#fail(error));
    this.#ended = new Promise(resolve => {
      socket.once('close', () => {
        this.#fail(new Error('it closed the connection'));
        resolve();
      });
    });
  }

  /**
   * Connects, with a session that outlives the connection.
   * @returns undefined if `stop` fired
   * @throws EW_SOURCE_UNAVAILABLE, EW_CONFIG_FILE for a `ca` that cannot be read
   */
  static async open(options: ConnectionOptions, stop: AbortSignal): Promise<Connection | undefined> {
    const socket = await openSocket(options, stop);
    if (!socket) return undefined;
    const connection = new Connection(options, socket);
    const timer = setTimeout(
      () => connection.#fail(new Error(`no answer within ${options.connectTimeoutMs} ms`)),
      options.connectTimeoutMs,
    );
    const give = () => connection.#fail(new Error('stopped'));
    stop.addEventListener('abort', give, { once: true });
    try {
      if (stop.aborted) give();
      connection.#send(connectPacket(options));
      const answer = await connection.#answer('connack');
      if (answer.cmd === 'connack' && answer.returnCode !== 0) {
        const reason = refusals[answer.returnCode ?? -1] ?? `it answers with code ${answer.returnCode}`;
        throw connection.#unavailable(new Error(reason));
      }
      connection.sessionPresent = answer.cmd === 'connack' && answer.sessionPresent;
      connection.#watch();
      return connection;
    } catch (error) {
      connection.#socket.destroy();
      if (stop.aborted) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', give);
    }
  }

  /**
   * Resolves once the broker has answered.
   * @returns indexes of the filters it refused
   * @throws EW_SOURCE_UNAVAILABLE
   */
  async subscribe(filters: readonly Filter[]): Promise<number[]> {
    this.#send(
      generate({
        cmd: 'subscribe',
        messageId: subscribeId,
        subscriptions: filters.map(({ topic, qos }) => ({ topic, qos })),
      }),
    );
    const timer = setTimeout(
      () => this.#fail(new Error('no answer to SUBSCRIBE')),
      this.#options.connectTimeoutMs,
    );
    try {
      const answer = await this.#answer('suback');
      const granted = answer.cmd === 'suback' ? (answer.granted as number[]) : [];
      return filters.flatMap((_, i) => (granted[i] === 0 || granted[i] === 1 ? [] : [i]));
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Messages that wait, oldest first, at most `limit`; waits for the first one, and then up to `lingerMs` for more.
   * @returns none when `stop` fired
   * @throws EW_SOURCE_UNAVAILABLE if the connection broke and nothing waits any more
   */
  async take(limit: number, lingerMs: number, stop: AbortSignal): Promise<Message[]> {
    while (this.#waiting.length === 0 && !this.#fault && !stop.aborted) await this.#changed.wait(stop);
    if (this.#waiting.length === 0 && this.#fault && !stop.aborted) throw this.#unavailable(this.#fault);
    const { clock } = this.#options;
    const leftMs = this.#firstMs + lingerMs - clock.monotonic();
    if (leftMs > 0 && !this.#isEnough(limit) && !this.#fault && !stop.aborted)
      await this.#more(leftMs, limit, stop);
    return stop.aborted ? [] : this.takeNow(limit);
  }

  /** What stays behind has waited long enough and goes with the next. */
  takeNow(limit: number): Message[] {
    if (this.#waiting.length > limit) return this.#waiting.splice(0, limit);
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }

  /** Nothing is read any more; what waits can still be taken. */
  pause(): void {
    this.#setPaused(true);
  }

  /**
   * These are stored: in one piece, in the order they came [MQTT-4.6.0-2], and behind them a ping, whose answer
   * tells that the broker has them.
   * @returns the mark that `onFlushed` will tell
   */
  acknowledge(messages: readonly Message[], ids: readonly number[]): number {
    for (const message of messages) this.#waitingBytes -= sizeOf(message);
    this.#marks += 1;
    if (this.#fault) return this.#marks;
    if (ids.length > 0) {
      this.#socket.cork();
      this.#send(pubacks(ids));
      this.#keepAlive?.flush(this.#marks);
      this.#socket.uncork();
    }
    this.#linger.acknowledged(performance.now());
    if (this.#paused && this.#waitingBytes <= this.#options.maxWaitingBytes / 2) this.#setPaused(false);
    return this.#marks;
  }

  /** Says goodbye; the session stays. Safe to call twice. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#keepAlive?.[Symbol.dispose]();
      if (this.#fault) this.#socket.destroy();
      else this.#socket.end(generate({ cmd: 'disconnect' }));
      this.#socket.resume(); // the end of the other side is behind what it sent
    }
    const forced = setTimeout(() => this.#socket.destroy(), goodbyeMs);
    await this.#ended;
    clearTimeout(forced);
  }

  #isEnough(limit: number): boolean {
    return this.#waiting.length >= limit || this.#linger.enough(this.#waiting.length) || this.#paused;
  }

  async #more(leftMs: number, limit: number, stop: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const enough = new AbortController();
    const hurry = () => enough.abort();
    this.#hurry = () => {
      if (this.#fault || this.#isEnough(limit)) hurry();
    };
    stop.addEventListener('abort', hurry, { once: true });
    await clock.sleep(leftMs, enough.signal);
    stop.removeEventListener('abort', hurry);
    this.#hurry = () => undefined;
    if (!enough.signal.aborted) this.#linger.expired(this.#waiting.length, leftMs, performance.now());
  }

  #data(chunk: Buffer): void {
    if (this.#closing || this.#fault) return;
    const nowMs = performance.now();
    this.#keepAlive?.heard(nowMs);
    const before = this.#waiting.length;
    try {
      this.#frames.push(chunk, this.#options.clock.now());
    } catch (error) {
      this.#fail(error instanceof Error ? error : new FrameError(messageOf(error)));
    }
    if (this.#waiting.length > before) {
      if (before === 0) this.#firstMs = this.#options.clock.monotonic();
      this.#linger.arrived(this.#waiting.length, nowMs);
    }
    if (this.#waitingBytes > this.#options.maxWaitingBytes) this.pause();
    this.#hurry();
    this.#changed.open();
  }

  #received(message: Message): void {
    this.#waiting.push(message);
    this.#waitingBytes += sizeOf(message);
  }

  #packet(packet: Packet): void {
    const isAnswer = packet.cmd === 'connack' || packet.cmd === 'suback';
    if (isAnswer && this.#answers.length === 0) this.#answers.push(packet);
    else if (packet.cmd === 'pingresp') this.#keepAlive?.answered();
    else this.#fail(new FrameError(`an unexpected packet (${packet.cmd})`));
  }

  async #answer(cmd: 'connack' | 'suback'): Promise<Packet> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer?.cmd === cmd) return answer;
      if (answer) this.#fail(new FrameError(`an unexpected packet (${answer.cmd})`));
      if (this.#fault) throw this.#unavailable(this.#fault);
      await this.#changed.wait();
    }
  }

  #watch(): void {
    this.#keepAlive = new KeepAlive({
      intervalMs: this.#options.keepAliveS * 1000,
      ping: () => this.#send(ping),
      onFlushed: this.#options.onFlushed,
      onDead: reason => this.#fail(new Error(reason)),
    });
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    if (this.#keepAlive) this.#keepAlive.deaf = paused;
    if (paused) this.#socket.pause();
    else this.#socket.resume();
  }

  #send(bytes: Buffer): void {
    if (!this.#fault && !this.#closing) this.#socket.write(bytes);
  }

  #fail(error: Error): void {
    if (this.#fault) return;
    this.#fault = error;
    this.#keepAlive?.[Symbol.dispose]();
    this.#socket.destroy();
    this.#hurry();
    this.#changed.open();
  }

  #unavailable(cause: Error): EdgewardError {
    return unavailable(this.#options.url, cause);
  }
}

const ping = generate({ cmd: 'pingreq' });

function sizeOf({ from, end }: Message): number {
  return end - from + messageOverhead;
}

/** What a waiting message costs besides its bytes, about. */
const messageOverhead = 100;

function connectPacket({ clientId, username, password, keepAliveS }: ConnectionOptions): Buffer {
  return generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: false,
    clientId,
    keepalive: keepAliveS,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: Buffer.from(password) }),
  });
}
