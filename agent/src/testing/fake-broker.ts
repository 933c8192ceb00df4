/** A small MQTT 3.1.1 broker that keeps sessions, does what it is told, and writes down what it sees. Not for real use. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Gate } from '@edgeward/shared/gate';
import { generate, type Packet, parser } from 'mqtt-packet';

export interface FakeMessage {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos?: 0 | 1;
  readonly retain?: boolean;
}

/** A message that is with the client and not acknowledged. */
interface InFlight {
  readonly id: number;
  readonly message: FakeMessage;
}

export interface FakeBrokerOptions {
  /** Messages without an acknowledgement at a time. */
  readonly window?: number;
  /** How packet identifiers are given: counted up, or the lowest that is free. */
  readonly ids?: 'up' | 'lowest';
  /** What of a session is left when another client with the same name connects; by default it goes on. */
  readonly sessionKey?: (username: string | undefined, clientId: string) => string;
}

export class FakeSession {
  readonly queue: FakeMessage[] = [];
  inFlight: InFlight[] = [];
  /** Packet identifiers in the order their PUBACKs came. */
  readonly acknowledged: number[] = [];
  /** How many SUBSCRIBEs came. */
  subscribes = 0;
  lastId = 0;
  socket: Socket | undefined;
}

export class FakeBroker implements AsyncDisposable {
  readonly #options: FakeBrokerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #changed = new Gate();
  readonly sessions = new Map<string, FakeSession>();
  /** CONNECTs, oldest first. */
  readonly connects: Extract<Packet, { cmd: 'connect' }>[] = [];
  readonly retained: FakeMessage[] = [];
  /** Nothing that a client says after its CONNECT arrives: lost on the way. */
  deaf = false;
  answersPings = true;
  /** Answer to CONNECT. */
  returnCode = 0;
  /** Filters that are refused. */
  readonly refuses = new Set<string>();

  private constructor(options: FakeBrokerOptions) {
    this.#options = options;
    this.#server = createServer(socket => this.#accept(socket));
  }

  static async open(options: FakeBrokerOptions = {}): Promise<FakeBroker> {
    const broker = new FakeBroker(options);
    broker.#server.listen(0, '127.0.0.1');
    await once(broker.#server, 'listening');
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The only session, once there is one. */
  get session(): FakeSession {
    const [session] = this.sessions.values();
    if (!session) throw new Error('no client has connected');
    return session;
  }

  publish(...messages: FakeMessage[]): void {
    for (const session of this.sessions.values()) {
      session.queue.push(...messages);
      this.#pump(session);
    }
  }

  /** To every client that is connected, as it is. */
  raw(bytes: Buffer): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async until(what: string, ready: () => boolean, withinMs = 10_000): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (!ready()) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw new Error(`not within ${withinMs} ms: ${what}`);
      await this.#changed.wait(undefined, Math.min(leftMs, 50));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const packets = parser({ protocolVersion: 4 });
    let session: FakeSession | undefined;
    packets.on('packet', packet => {
      if (packet.cmd === 'connect') session = this.#connect(socket, packet);
      else if (session) this.#packet(session, socket, packet);
      this.#changed.open();
    });
    packets.on('error', () => socket.destroy()); // somebody else's client, once, that polled a port it had before
    socket.on('data', chunk => packets.parse(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (session?.socket === socket) session.socket = undefined;
      this.#changed.open();
    });
  }

  #connect(socket: Socket, packet: Extract<Packet, { cmd: 'connect' }>): FakeSession | undefined {
    this.connects.push(packet);
    if (this.returnCode !== 0) {
      socket.end(generate({ cmd: 'connack', returnCode: this.returnCode, sessionPresent: false }));
      return undefined;
    }
    const keyOf = this.#options.sessionKey ?? ((_, clientId) => clientId);
    const key = keyOf(packet.username, packet.clientId);
    const known = this.sessions.get(key);
    const session = known ?? new FakeSession();
    this.sessions.set(key, session);
    session.socket = socket;
    socket.write(generate({ cmd: 'connack', returnCode: 0, sessionPresent: known !== undefined }));
    for (const { id, message } of session.inFlight) this.#send(session, message, id, true);
    this.#pump(session);
    return session;
  }

  #packet(session: FakeSession, socket: Socket, packet: Packet): void {
    if (this.deaf) return;
    if (packet.cmd === 'pingreq' && this.answersPings) socket.write(generate({ cmd: 'pingresp' }));
    if (packet.cmd === 'puback') {
      session.acknowledged.push(packet.messageId ?? 0);
      session.inFlight = session.inFlight.filter(({ id }) => id !== packet.messageId);
      this.#pump(session);
    }
    if (packet.cmd === 'subscribe') {
      session.subscribes += 1;
      const granted = packet.subscriptions.map(({ topic, qos }) => (this.refuses.has(topic) ? 128 : qos));
      socket.write(generate({ cmd: 'suback', messageId: packet.messageId ?? 0, granted }));
      for (const message of this.retained) session.queue.push({ ...message, retain: true });
      this.#pump(session);
    }
    if (packet.cmd === 'disconnect') socket.end();
  }

  #pump(session: FakeSession): void {
    const { window = 1000 } = this.#options;
    while (session.socket && session.queue.length > 0 && session.inFlight.length < window) {
      const message = session.queue.shift()!;
      const id = message.qos === 0 ? 0 : this.#nextId(session);
      if (id > 0) session.inFlight.push({ id, message });
      this.#send(session, message, id, false);
    }
  }

  #nextId(session: FakeSession): number {
    if (this.#options.ids === 'lowest') {
      const used = new Set(session.inFlight.map(({ id }) => id));
      for (let id = 1; ; id++) if (!used.has(id)) return id;
    }
    session.lastId = (session.lastId % 65_535) + 1;
    return session.lastId;
  }

  #send(session: FakeSession, message: FakeMessage, id: number, dup: boolean): void {
    const { topic, payload, qos = 1, retain = false } = message;
    session.socket?.write(generate({ cmd: 'publish', topic, payload, qos, retain, dup, messageId: id }));
  }
}
