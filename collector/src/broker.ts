/**
 * The embedded MQTT broker: who may connect, and who may publish what where. A gateway's client id is its name;
 * it may publish only under its own name and read only its own receipts and desired state.
 */
import { timingSafeEqual } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { namePattern, parseTopic, type TopicKind, topicRoot } from '@edgeward/shared/topics';
import { Aedes, type AedesPublishPacket, type AuthenticateError, type Client } from 'aedes';
import type { Message } from './ingest.js';

export interface BrokerOptions {
  readonly host: string;
  readonly port: number;
  /** Gateway or user name → password; undefined = nobody needs one (loopback only). */
  readonly users: ReadonlyMap<string, string> | undefined;
  readonly log: Logger;
  /** Waits while there is no room for more. */
  readonly room: (signal: AbortSignal) => Promise<void>;
  readonly onMessage: (message: Message) => void;
  /** Whoever has not said by then who it is is hung up on. */
  readonly connectTimeoutMs?: number;
}

const uplinkKinds: readonly TopicKind[] = ['block', 'state', 'reported', 'events'];
const downlinkKinds: readonly TopicKind[] = ['receipt', 'desired'];

export class Broker implements AsyncDisposable {
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #ending: AbortController;
  readonly #sockets: ReadonlySet<Socket>;
  readonly port: number;

  private constructor(aedes: Aedes, server: Server, sockets: ReadonlySet<Socket>, ending: AbortController) {
    this.#aedes = aedes;
    this.#sockets = sockets;
    this.#server = server;
    this.#ending = ending;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @throws EW_LISTEN */
  static async open(options: BrokerOptions): Promise<Broker> {
    const ending = new AbortController();
    const aedes = await Aedes.createBroker({
      concurrency: 100,
      connectTimeout: options.connectTimeoutMs ?? 10_000,
      preConnect: (_client, packet, done) => {
        const ok = namePattern.test(packet.clientId);
        // Without an error the connection would stay open, unanswered, for ever.
        done(ok ? null : new Error('its client id is no gateway name'), ok);
      },
      authenticate: (client, username, password, done) => {
        const ok = mayConnect(options.users, client, username, password);
        done(ok ? null : refusal(), ok);
      },
      authorizePublish: (client, packet, done) => {
        if (!mayPublish(client, packet.topic))
          return done(new Error(`${client?.id} may not publish to ${packet.topic}`));
        options.room(ending.signal).then(() => done(null), done);
      },
      authorizeSubscribe: (client, subscription, done) =>
        done(null, mayRead(client, subscription.topic) ? subscription : null),
    });
    await listenToGateways(aedes, options);
    aedes.on('clientError', (client, error) =>
      options.log.debug({ client: client.id, error: messageOf(error) }, 'client error'),
    );
    aedes.on('connectionError', (_client, error) =>
      options.log.debug({ error: messageOf(error) }, 'connection error'),
    );
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, socket => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      aedes.handle(socket);
    });
    try {
      await listen(server, options);
    } catch (error) {
      await new Promise<void>(resolve => aedes.close(resolve)); // its timers would keep the process
      throw error;
    }
    return new Broker(aedes, server, sockets, ending);
  }

  get connections(): number {
    return this.#aedes.connectedClients;
  }

  publish(topic: string, payload: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const packet = { cmd: 'publish' as const, topic, payload, qos: 1 as const, retain: false, dup: false };
      this.#aedes.publish(packet, error => (error ? reject(error) : resolve()));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#server.close();
    if (!this.#aedes.closed) await new Promise<void>(resolve => this.#aedes.close(resolve));
    // aedes knows only those that said who they are; any other would keep the process.
    for (const socket of this.#sockets) socket.destroy();
  }
}

function listenToGateways(aedes: Aedes, options: BrokerOptions): Promise<void> {
  const deliver = (packet: AedesPublishPacket, done: () => void) => {
    const topic = parseTopic(packet.topic);
    if (topic && uplinkKinds.includes(topic.kind)) {
      options.onMessage({ ...topic, payload: toBytes(packet.payload) });
    }
    done();
  };
  return new Promise(resolve => aedes.subscribe(`${topicRoot}/+/+`, deliver, resolve));
}

function listen(server: Server, { host, port }: BrokerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error => {
      reject(
        new EdgewardError(
          'EW_LISTEN',
          `broker ${host}:${port}: ${messageOf(error)}. Choose another broker.port.`,
          { cause: error },
        ),
      );
    });
    server.listen(port, host, resolve);
  });
}

function mayConnect(
  users: ReadonlyMap<string, string> | undefined,
  client: Client,
  username: string | undefined,
  password: Buffer | undefined,
): boolean {
  if (!users) return true;
  // One name per gateway: whoever knows one gateway's password cannot speak as another.
  const wanted = username === client.id ? users.get(username) : undefined;
  return wanted !== undefined && password !== undefined && sameSecret(Buffer.from(wanted), password);
}

function sameSecret(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function refusal(): AuthenticateError {
  const error = new Error('wrong user or password') as AuthenticateError;
  error.returnCode = 4; // [MQTT-3.2.2-3], bad user name or password
  return error;
}

function mayPublish(client: Client | null, topic: string): boolean {
  if (client === null) return true; // ours
  const parsed = parseTopic(topic);
  return parsed !== undefined && parsed.gateway === client.id && uplinkKinds.includes(parsed.kind);
}

function mayRead(client: Client, topic: string): boolean {
  const parsed = parseTopic(topic);
  return parsed !== undefined && parsed.gateway === client.id && downlinkKinds.includes(parsed.kind);
}

function toBytes(payload: string | Buffer): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}
