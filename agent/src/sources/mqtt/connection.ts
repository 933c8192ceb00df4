/** One MQTT 3.1.1 connection over our own socket. It never reconnects: a broken one is an error, the next a new object. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import type { Clock } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import { generate, type Packet, parser } from 'mqtt-packet';
import { FrameError, FrameReader, type Message, pubacks } from './frames.js';
import { Linger } from './linger.js';

export interface ConnectionOptions {
  /** `mqtt://host:port` or `mqtts://host:port`. */
  readonly url: string;
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Path of a PEM file. */
  readonly ca?: string | undefined;
  readonly keepAliveS: number;
  readonly connectTimeoutMs: number;
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
/** More pings than this are not under way at once. */
const mostPings = 8;
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
  /** Acknowledgements written so far, and how many when each ping under way was. */
  #marks = 0;
  #pings: { readonly mark: number; readonly sentMs: number }[] = [];
  #heardMs = performance.now();
  #pingedMs = performance.now();
  #keepAlive: NodeJS.Timeout | undefined;
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
    this.#paused = true;
    this.#socket.pause();
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
      if (this.#pings.length < mostPings) this.#ping();
      this.#socket.uncork();
    }
    this.#linger.acknowledged(performance.now());
    if (this.#paused && this.#waitingBytes <= this.#options.maxWaitingBytes / 2) this.#resume();
    return this.#marks;
  }

  /** Says goodbye; the session stays. Safe to call twice. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      clearInterval(this.#keepAlive);
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
    this.#heardMs = performance.now();
    const before = this.#waiting.length;
    try {
      this.#frames.push(chunk, this.#options.clock.now());
    } catch (error) {
      this.#fail(error instanceof Error ? error : new FrameError(messageOf(error)));
    }
    if (this.#waiting.length > before) {
      if (before === 0) this.#firstMs = this.#options.clock.monotonic();
      this.#linger.arrived(this.#waiting.length, this.#heardMs);
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
    if (packet.cmd === 'connack' || packet.cmd === 'suback') this.#answers.push(packet);
    else if (packet.cmd === 'pingresp') {
      const ping = this.#pings.shift();
      if (ping) this.#options.onFlushed(ping.mark);
    } else this.#fail(new FrameError(`an unexpected packet (${packet.cmd})`));
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

  /** Pings twice a keep-alive interval; silence for longer than three quarters of one behind a ping is the end. */
  #watch(): void {
    const intervalMs = this.#options.keepAliveS * 1000;
    this.#keepAlive = setInterval(() => {
      const nowMs = performance.now();
      if (this.#paused || this.#closing) {
        this.#heardMs = nowMs;
        if (nowMs - this.#pingedMs >= intervalMs / 2 && this.#pings.length < mostPings) this.#ping();
        return;
      }
      const asked = this.#pings[0];
      const silentMs = asked ? nowMs - Math.max(asked.sentMs, this.#heardMs) : 0;
      if (silentMs >= intervalMs * 0.75)
        this.#fail(new Error(`it has been silent for ${Math.round(silentMs)} ms`));
      else if (nowMs - this.#pingedMs >= intervalMs / 2) this.#ping();
    }, intervalMs / 4);
  }

  #ping(): void {
    this.#pingedMs = performance.now();
    this.#pings.push({ mark: this.#marks, sentMs: this.#pingedMs });
    this.#send(ping);
  }

  #resume(): void {
    this.#paused = false;
    this.#heardMs = performance.now();
    this.#socket.resume();
  }

  #send(bytes: Buffer): void {
    if (!this.#fault && !this.#closing) this.#socket.write(bytes);
  }

  #fail(error: Error): void {
    if (this.#fault) return;
    this.#fault = error;
    clearInterval(this.#keepAlive);
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

function unavailable(url: string, cause: Error): EdgewardError {
  const detail =
    cause instanceof FrameError ? `it sent what cannot be read: ${cause.message}` : cause.message;
  return new EdgewardError('EW_SOURCE_UNAVAILABLE', `The broker ${url}: ${detail}.`, { cause });
}

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

/** @returns undefined if `stop` fired */
async function openSocket(options: ConnectionOptions, stop: AbortSignal): Promise<Socket | undefined> {
  const { url, connectTimeoutMs } = options;
  const socket = await dial(options);
  const late = () => socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`));
  const timer = setTimeout(late, connectTimeoutMs);
  try {
    await once(socket, socket instanceof TLSSocket ? 'secureConnect' : 'connect', { signal: stop });
    return socket;
  } catch (error) {
    socket.destroy();
    if (stop.aborted) return undefined;
    throw unavailable(url, error instanceof Error ? error : new Error(messageOf(error)));
  } finally {
    clearTimeout(timer);
  }
}

async function dial({ url, ca }: ConnectionOptions): Promise<Socket> {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (protocol !== 'mqtts:') return connectTcp({ host, port: Number(port || 1883) });
  const pem = ca === undefined ? undefined : await readPem(ca);
  return connectTls({
    host,
    port: Number(port || 8883),
    ...(isIP(host) === 0 && { servername: host }),
    ...(pem !== undefined && { ca: pem }),
  });
}

async function readPem(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new EdgewardError('EW_CONFIG_FILE', `The file ${file} (ca): ${messageOf(error)}`, { cause: error });
  }
}
