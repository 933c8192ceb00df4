import type { Logger } from '@edgeward/shared/log';
import { parseTopic, type TopicKind, topicOf } from '@edgeward/shared/topics';
import type { Client, ConnectPacket, PublishPacket } from 'aedes';
import type { LinkOptions } from '../link.js';
import type { BrokerLimits } from './limits.js';
import type { Grant, Policy, Refusal } from './policy.js';
import type { Refusals } from './refusals.js';
import { Slots } from './slots.js';
import type { SocketGuard } from './socket-guard.js';

export interface GatekeeperOptions extends Pick<LinkOptions, 'room' | 'onJson'> {
  readonly limits: BrokerLimits;
  readonly policy: Policy;
  readonly refusals: Refusals;
  readonly log: Logger;
  /** Nobody waits for room or the journal any more. */
  readonly ending: AbortSignal;
  /** Where blocks may go that need not go through aedes; without it all do. */
  readonly onBlock?: ((gateway: string, payload: Uint8Array) => void) | undefined;
  readonly onRefused?: ((gateway: string, reason: string) => void) | undefined;
  readonly onTakenOver?: ((gateway: string, formerOutbox: string) => void) | undefined;
}

/** One connection. */
interface Session {
  readonly client: Client;
  readonly guard: SocketGuard;
  readonly topics: Set<string>;
  /** Those of its own that it listens to: not put together anew for every receipt. */
  readonly own: Map<TopicKind, string>;
  keepAliveS: number;
  /** Until it is judged. */
  connect: ConnectPacket | undefined;
  grant: Grant | undefined;
}

/** Puts the policy's and the limits' questions to every CONNECT, PUBLISH and SUBSCRIBE, and counts what it refuses. */
export class Gatekeeper {
  readonly #options: GatekeeperOptions;
  readonly #json: Slots;
  readonly #sessions = new WeakMap<Client, Session>();
  readonly #connected = new Map<string, Session>();

  constructor(options: GatekeeperOptions) {
    this.#options = options;
    this.#json = new Slots(options.limits.maxHeldJson);
  }

  enter(client: Client, guard: SocketGuard): void {
    this.#sessions.set(client, {
      client,
      guard,
      topics: new Set(),
      own: new Map(),
      keepAliveS: 0,
      connect: undefined,
      grant: undefined,
    });
  }

  connecting(client: Client, packet: ConnectPacket): boolean {
    const session = this.#sessions.get(client);
    if (!session) return false;
    session.connect = { ...packet };
    session.keepAliveS = packet.keepalive ?? 0;
    // The guard sees to it: it does not hold a silence against a client that is not being read.
    packet.keepalive = 0;
    return true;
  }

  /** @returns why it is not let in */
  admit(client: Client): Refusal | undefined {
    const session = this.#sessions.get(client);
    const connect = session?.connect;
    if (!session || !connect) return { reason: 'client-id', detail: 'it sent no CONNECT' };
    session.connect = undefined; // its password is not kept
    const { clientId: name, clean, username, password, will } = connect;
    const answer =
      name === '' && !clean
        ? noClientId
        : this.#options.policy.admit({
            name,
            username,
            password,
            will: will && { topic: will.topic, payload: toBytes(will.payload) },
            connected: this.#connected.has(name),
          });
    if ('reason' in answer) {
      this.#note(name, answer);
      return answer;
    }
    session.grant = answer.grant;
    if (answer.tookOver !== undefined) this.#tellTakeover(name, answer.tookOver);
    return undefined;
  }

  registered(client: Client): void {
    const session = this.#sessions.get(client);
    if (session) this.#connected.set(client.id, session);
  }

  /** It got its CONNACK, and what waited for it. */
  ready(client: Client): void {
    const session = this.#sessions.get(client);
    if (!session) return;
    session.guard.open(session.keepAliveS);
    this.#shorten(client, session);
  }

  /** What the client published is where it should be. */
  handedOn(client: Client): void {
    this.#sessions.get(client)?.guard.handedOn();
  }

  gone(client: Client): void {
    if (this.#connected.get(client.id)?.client === client) this.#connected.delete(client.id);
    this.#options.policy.left(client.id);
  }

  /**
   * Resolves once there is room, with a `json` message once it is journaled: only then the client gets its PUBACK.
   * @returns undefined if it need not wait
   * @throws  if it may not, or it must be sent again; the connection is closed then, MQTT 3.1.1 has no other answer
   */
  take(client: Client, { topic, payload, retain }: PublishPacket): Promise<void> | undefined {
    const session = this.#sessions.get(client);
    const refusal = this.#refusePublish(session, topic, retain);
    if (refusal || !session) throw this.#note(client.id, refusal ?? notLetIn);
    const parsed = parseTopic(topic);
    const room = this.#options.room(this.#options.ending);
    if (parsed?.kind === 'json')
      return this.#whileHeld(session, room, () => this.#takeJson(parsed.gateway, toBytes(payload)));
    return room && this.#whileHeld(session, room);
  }

  /** Without a copy of it for when the connection breaks. @returns false if it is not connected, or does not listen */
  send(gateway: string, kind: TopicKind, payload: string): boolean {
    const session = this.#connected.get(gateway);
    const topic = session?.own.get(kind);
    if (!session || topic === undefined) return false;
    session.guard.send(topic, payload);
    return true;
  }

  maySubscribe(client: Client, topic: string): boolean {
    const session = this.#sessions.get(client);
    const detail = this.#refuseSubscription(session, topic);
    if (detail === undefined && session) subscribe(session, topic);
    else if (detail !== undefined) this.#note(client.id, { reason: 'subscription', detail });
    return detail === undefined;
  }

  unsubscribed(client: Client, topics: readonly string[]): void {
    const session = this.#sessions.get(client);
    if (session) for (const topic of topics) unsubscribe(session, topic);
  }

  /** It asks of a block what `take` asks of it. */
  #shorten(client: Client, session: Session): void {
    const { onBlock, room, ending } = this.#options;
    const gateway = client.id;
    const topic = topicOf(gateway, 'block');
    if (!onBlock || this.#refusePublish(session, topic, false)) return;
    session.guard.takeBlocks(topic, payload => {
      if (client.closed || room(ending)) return false;
      onBlock(gateway, payload);
      return true;
    });
  }

  #refusePublish(session: Session | undefined, topic: string, retain: boolean): Refusal | undefined {
    const { maxTopicBytes } = this.#options.limits;
    if (Buffer.byteLength(topic) > maxTopicBytes)
      return { reason: 'topic', detail: `a topic of more than ${maxTopicBytes} bytes` };
    return session?.grant ? session.grant.refusePublish(topic, retain) : notLetIn;
  }

  #refuseSubscription(session: Session | undefined, topic: string): string | undefined {
    const { maxSubscriptions, maxTopicBytes } = this.#options.limits;
    if (!session?.grant) return notLetIn.detail;
    if (!session.topics.has(topic) && session.topics.size >= maxSubscriptions)
      return `more than ${maxSubscriptions} subscriptions`;
    if (Buffer.byteLength(topic) > maxTopicBytes) return `a topic of more than ${maxTopicBytes} bytes`;
    return session.grant.mayRead(topic) ? undefined : `it may not read ${topic}`;
  }

  async #whileHeld(
    session: Session,
    room: Promise<void> | undefined,
    act?: () => Promise<void>,
  ): Promise<void> {
    session.guard.hold();
    try {
      await room;
      await act?.();
    } finally {
      session.guard.release();
    }
  }

  async #takeJson(gateway: string, payload: Uint8Array): Promise<void> {
    const { onJson, ending } = this.#options;
    if (!onJson) throw new Error('json messages are not taken here');
    await this.#json.acquire();
    try {
      if (ending.aborted) throw new Error('the broker is ending');
      await onJson(gateway, payload);
    } finally {
      this.#json.release();
    }
  }

  #tellTakeover(gateway: string, formerOutbox: string): void {
    this.#options.log.warn({ gateway, formerOutbox }, 'another outbox has this name from now on');
    this.#options.onTakenOver?.(gateway, formerOutbox);
  }

  #note(name: string, { reason, detail }: Refusal): Error {
    const gateway = name.slice(0, 64);
    const told = this.#options.refusals.note(reason, gateway, detail);
    if (told && reason === 'identity') this.#options.onRefused?.(gateway, detail);
    return new Error(detail);
  }
}

function subscribe({ client, topics, own }: Session, topic: string): void {
  topics.add(topic);
  const parsed = parseTopic(topic);
  if (parsed?.gateway === client.id) own.set(parsed.kind, topic);
}

function unsubscribe({ client, topics, own }: Session, topic: string): void {
  topics.delete(topic);
  const parsed = parseTopic(topic);
  if (parsed?.gateway === client.id) own.delete(parsed.kind);
}

/** [MQTT-3.1.3-8] */
const noClientId: Refusal = { reason: 'client-id', detail: 'it has no client id', returnCode: 2 };
const notLetIn: Refusal = { reason: 'topic', detail: 'it has not been let in' };

function toBytes(payload: string | Buffer): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}
