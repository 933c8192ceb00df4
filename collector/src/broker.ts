/**
 * The embedded MQTT broker: aedes, with a guard on every socket in front of it (`broker/socket-guard.ts`) and a
 * policy behind it (`broker/policy.ts`). It stores nothing and answers for nothing but a `json` message, whose
 * PUBACK waits until the journal has it.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { parseTopic, type TopicKind, topicRoot } from '@edgeward/shared/topics';
import { Aedes, type AedesPublishPacket, type AuthenticateError } from 'aedes';
import { Answers } from './broker/answers.js';
import { isTopicFilter, markRedelivery } from './broker/conformance.js';
import { Gatekeeper } from './broker/gatekeeper.js';
import { type BrokerLimits, defaultLimits } from './broker/limits.js';
import './broker/mqtt-numbers.js';
import { asPayload } from './broker/payload.js';
import { GatewayPolicy, type Policy, type Refusal } from './broker/policy.js';
import { Refusals } from './broker/refusals.js';
import { deliverDirectly, findRetainedByTopic } from './broker/shortcuts.js';
import { SocketGuard } from './broker/socket-guard.js';
import { Sockets } from './broker/sockets.js';
import { Identities } from './identity.js';
import type { Link, LinkOptions } from './link.js';

export interface BrokerOptions extends LinkOptions {
  readonly host: string;
  readonly port: number;
  /** Gateway or user name → password; undefined = nobody needs one (loopback only). */
  readonly users: ReadonlyMap<string, string> | undefined;
  readonly limits?: Partial<BrokerLimits>;
  /** Who has which name; by `performance.now`. Without it nobody is known at the start. */
  readonly identities?: Identities;
  /** A copy or a stranger was refused: at most once a minute for each gateway. */
  readonly onRefused?: (gateway: string, reason: string) => void;
  /** Another outbox has the gateway's name from now on. */
  readonly onTakenOver?: (gateway: string, formerOutbox: string) => void;
  /** In place of the gateways' own, to test the broker by itself. */
  readonly policy?: Policy;
}

export const defaultTakeoverAfterMs = 300_000;
/** There is one broker: aedes' talk between several, and its search for the wills of dead ones, has no use. */
const heartbeatMs = 24 * 3600 * 1000;

export class Broker implements Link {
  readonly #options: BrokerOptions;
  readonly #limits: BrokerLimits;
  readonly #refusals: Refusals;
  readonly #sockets: Sockets;
  readonly #answers = new Answers();
  readonly #gatekeeper: Gatekeeper;
  readonly #aedes: Aedes;
  readonly #uplinkIsOurs: boolean;
  readonly #server: Server;
  readonly #ending = new AbortController();
  #port = 0;

  private constructor(options: BrokerOptions) {
    const { log, room, onJson, onMessage, onRefused, onTakenOver } = options;
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#refusals = new Refusals(log);
    this.#sockets = new Sockets(this.#limits, this.#refusals);
    const policy = options.policy ?? gatewayPolicy(options);
    this.#uplinkIsOurs = policy.uplinkIsOurs ?? false;
    this.#gatekeeper = new Gatekeeper({
      limits: this.#limits,
      policy,
      refusals: this.#refusals,
      log,
      room,
      ...(onJson && { onJson }),
      ending: this.#ending.signal,
      ...(this.#uplinkIsOurs && {
        onBlock: (gateway, payload) => onMessage({ gateway, kind: 'block', payload }),
      }),
      onRefused,
      onTakenOver,
    });
    this.#aedes = createAedes(this.#gatekeeper, this.#limits);
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, socket =>
      this.#take(socket),
    );
  }

  /** @throws EW_LISTEN */
  static async open(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options);
    await broker.#aedes.listen();
    markRedelivery(broker.#aedes);
    findRetainedByTopic(broker.#aedes);
    broker.#logErrors();
    if (broker.#uplinkIsOurs)
      deliverDirectly(broker.#aedes, (packet, client) => {
        broker.#deliver(packet);
        broker.#gatekeeper.handedOn(client);
      });
    else await broker.#listenToGateways();
    try {
      await listen(broker.#server, options);
    } catch (error) {
      await broker.#closeAedes(); // its timers would keep the process
      throw error;
    }
    broker.#port = (broker.#server.address() as AddressInfo).port;
    return broker;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#aedes.connectedClients;
  }

  get status(): { readonly ok: boolean; readonly detail: string } {
    const ok = this.#server.listening;
    return { ok, detail: ok ? 'listening' : 'stopping' };
  }

  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals.counts;
  }

  publish(topic: string, content: string | Uint8Array, retain = false): Promise<void> {
    const payload = asPayload(content);
    return new Promise((resolve, reject) => {
      const packet = { cmd: 'publish' as const, topic, payload, qos: 1 as const, retain, dup: false };
      this.#aedes.publish(packet, error => (error ? reject(error) : resolve()));
    });
  }

  send(gateway: string, kind: TopicKind, payload: string): boolean {
    return this.#gatekeeper.send(gateway, kind, payload);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#server.close();
    await this.#closeAedes();
    // aedes knows only those that said who they are; any other would keep the process.
    this.#sockets.destroy();
  }

  #take(socket: Socket): void {
    if (!this.#sockets.take(socket)) return;
    const guard = new SocketGuard(socket, this.#limits, this.#answers, (reason, detail) =>
      this.#refusals.note(reason, client.id ?? undefined, detail),
    );
    const client = this.#aedes.handle(socket);
    this.#gatekeeper.enter(client, guard);
  }

  #logErrors(): void {
    const { log } = this.#options;
    this.#aedes.on('clientError', (client, error) =>
      log.debug({ client: client.id, error: messageOf(error) }, 'client error'),
    );
    this.#aedes.on('connectionError', (_client, error) => {
      if (messageOf(error) === connectTimeout)
        this.#refusals.note('connect-timeout', undefined, 'it did not say in time who it is');
      else log.debug({ error: messageOf(error) }, 'connection error');
    });
  }

  #listenToGateways(): Promise<void> {
    const deliver = (packet: AedesPublishPacket, done: () => void) => {
      this.#deliver(packet);
      done();
    };
    return new Promise(resolve => this.#aedes.subscribe(`${topicRoot}/+/+`, deliver, resolve));
  }

  #deliver({ topic, payload }: AedesPublishPacket): void {
    const parsed = parseTopic(topic);
    if (parsed && uplinkKinds.includes(parsed.kind))
      this.#options.onMessage({ ...parsed, payload: toBytes(payload) });
  }

  async #closeAedes(): Promise<void> {
    if (!this.#aedes.closed) await new Promise<void>(resolve => this.#aedes.close(resolve));
  }
}

/** What is handed on; `json` has gone its own way by then. */
const uplinkKinds: readonly TopicKind[] = ['block', 'state', 'reported', 'events', 'fetch'];
/** What aedes calls it. */
const connectTimeout = 'connect did not arrive in time';

function gatewayPolicy({ users, identities }: BrokerOptions): Policy {
  return new GatewayPolicy({
    users,
    identities: identities ?? new Identities(defaultTakeoverAfterMs),
    now: () => performance.now(),
  });
}

function createAedes(gatekeeper: Gatekeeper, limits: BrokerLimits): Aedes {
  const aedes = new Aedes({
    concurrency: 100,
    heartbeatInterval: heartbeatMs,
    connectTimeout: limits.connectTimeoutMs,
    drainTimeout: limits.drainTimeoutMs,
    maxTopicLevels: limits.maxTopicLevels,
    preConnect: (client, packet, done) => done(null, gatekeeper.connecting(client, packet)),
    authenticate: (client, _username, _password, done) => {
      const refusal = gatekeeper.admit(client);
      done(refusal ? asError(refusal) : null, refusal === undefined);
    },
    authorizePublish: (client, packet, done) => {
      if (client) whenTaken(() => gatekeeper.take(client, packet), done);
      else done(null); // ours
    },
    authorizeSubscribe: (client, subscription, done) => {
      const { topic } = subscription;
      if (!isTopicFilter(topic)) done(new Error('no topic filter'));
      else done(null, gatekeeper.maySubscribe(client, topic) ? subscription : null);
    },
  });
  aedes.on('client', client => gatekeeper.registered(client));
  aedes.on('clientReady', client => gatekeeper.ready(client));
  aedes.on('clientDisconnect', client => gatekeeper.gone(client));
  aedes.on('unsubscribe', (topics, client) => gatekeeper.unsubscribed(client, topics));
  return aedes;
}

function whenTaken(take: () => Promise<void> | undefined, done: (error?: Error | null) => void): void {
  const waiting = settled(take);
  if (!waiting || waiting instanceof Error) done(waiting ?? null);
  else waiting.then(() => done(null), done);
}

function settled(take: () => Promise<void> | undefined): Promise<void> | Error | undefined {
  try {
    return take();
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error));
  }
}

function asError({ detail, returnCode = 5 }: Refusal): AuthenticateError {
  return Object.assign(new Error(detail), { returnCode }); // [MQTT-3.2.2-3]
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

function toBytes(payload: string | Buffer): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}
