/**
 * Who may connect, and who may publish and read what. A gateway's client id is its name; it may publish only under
 * its own name and read only its own receipts, desired state and models.
 */
import { timingSafeEqual } from 'node:crypto';
import { namePattern, parseTopic, type TopicKind, topicOf } from '@edgeward/shared/topics';
import type { Identities, Identity } from '../identity.js';
import { parseState } from '../messages.js';
import type { RefusalReason } from './refusals.js';

export interface Login {
  readonly name: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly will: { readonly topic: string; readonly payload: Uint8Array } | undefined;
  /** True while another connection has this name. */
  readonly connected: boolean;
}

export interface Refusal {
  readonly reason: RefusalReason;
  readonly detail: string;
  /** Of CONNACK: 2 = identifier rejected, 4 = bad user name or password, 5 = not authorized. */
  readonly returnCode?: 2 | 4 | 5;
}

/** What a client may do once it is in. */
export interface Grant {
  /** Undefined = it may. The same answer as long as the connection lasts. */
  refusePublish(topic: string, retain: boolean): Refusal | undefined;
  mayRead(topic: string): boolean;
}

export interface Welcome {
  readonly grant: Grant;
  /** The outbox that had this name until now. */
  readonly tookOver?: string | undefined;
}

export interface Policy {
  /** What clients publish is for nobody but the collector. */
  readonly uplinkIsOurs?: boolean;
  admit(login: Login): Welcome | Refusal;
  /** Told when a connection of this name ends. */
  left(name: string): void;
}

export interface GatewayPolicyOptions {
  /** Gateway name → password; undefined = nobody needs one. */
  readonly users: ReadonlyMap<string, string> | undefined;
  readonly identities: Identities;
  /** Of the clock that `identities` goes by. */
  readonly now: () => number;
}

/** What a gateway with an outbox says. */
const gatewayKinds: readonly TopicKind[] = ['block', 'state', 'reported', 'events', 'json', 'fetch'];
/** What a simple publisher says: it has no outbox, so no block of it could be told from a copy's. */
const simpleKinds: readonly TopicKind[] = ['json'];
const downlinkKinds: readonly TopicKind[] = ['receipt', 'desired', 'models', 'part'];

export class GatewayPolicy implements Policy {
  readonly uplinkIsOurs = true;
  readonly #options: GatewayPolicyOptions;

  constructor(options: GatewayPolicyOptions) {
    this.#options = options;
  }

  admit(login: Login): Welcome | Refusal {
    const { identities, now } = this.#options;
    const refusal = this.#refuseLogin(login);
    if (refusal) return refusal;
    const identity = login.will && identityOf(login.will.payload);
    const verdict = identities.judge(login.name, identity, now(), login.connected);
    if (!verdict.ok) return { reason: 'identity', detail: verdict.reason, returnCode: 2 };
    const grant = new GatewayGrant(login.name, identity ? gatewayKinds : simpleKinds);
    return { grant, tookOver: verdict.tookOver };
  }

  left(name: string): void {
    this.#options.identities.heard(name, this.#options.now());
  }

  #refuseLogin({ name, username, password, will }: Login): Refusal | undefined {
    if (!namePattern.test(name))
      return { reason: 'client-id', detail: 'its client id is no gateway name', returnCode: 2 };
    const { users } = this.#options;
    // One name per gateway: whoever knows one gateway's password cannot speak as another.
    if (users && !(username === name && sameSecret(users.get(name), password)))
      return { reason: 'password', detail: 'wrong user or password', returnCode: 4 };
    if (will && will.topic !== topicOf(name, 'state'))
      return {
        reason: 'will',
        detail: `its last will may only be for ${topicOf(name, 'state')}`,
        returnCode: 5,
      };
    return undefined;
  }
}

class GatewayGrant implements Grant {
  constructor(
    private readonly name: string,
    private readonly kinds: readonly TopicKind[],
  ) {}

  refusePublish(topic: string, retain: boolean): Refusal | undefined {
    const parsed = parseTopic(topic);
    if (parsed?.gateway !== this.name || !this.kinds.includes(parsed.kind))
      return { reason: 'topic', detail: `it may not publish to ${topic}; it may to ${this.#allowed()}` };
    if (retain && parsed.kind !== 'state')
      return { reason: 'retain', detail: `only state may be retained, not ${parsed.kind}` };
    return undefined;
  }

  mayRead(topic: string): boolean {
    const parsed = parseTopic(topic);
    return parsed?.gateway === this.name && downlinkKinds.includes(parsed.kind);
  }

  #allowed(): string {
    const topics = this.kinds.map(kind => topicOf(this.name, kind)).join(', ');
    return this.kinds === simpleKinds
      ? `${topics}, since it has not given its outbox in its last will`
      : topics;
  }
}

/** Our agents' last will is their `state` message, so that the broker knows at CONNECT whose outbox comes. */
function identityOf(payload: Uint8Array): Identity | undefined {
  return parseState(payload);
}

function sameSecret(wanted: string | undefined, given: Uint8Array | undefined): boolean {
  if (wanted === undefined || given === undefined) return false;
  const secret = Buffer.from(wanted);
  return secret.length === given.length && timingSafeEqual(secret, given);
}
