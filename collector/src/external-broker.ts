/**
 * The collector as a client of a broker that somebody else runs. That broker answers publishers by itself and
 * promises nothing about our journal, so the only answer that counts is our receipt; sessions are clean, since
 * whatever has no receipt is sent again. Who may use which name is that broker's business (deploy/mosquitto.conf),
 * and `ingest` looks again.
 */
import { Backoff, systemClock } from '@edgeward/shared/clock';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { namePattern, parseTopic, type TopicKind, topicRoot } from '@edgeward/shared/topics';
import { connect, type IPublishPacket, type MqttClient } from 'mqtt';
import './broker/mqtt-numbers.js';
import { defaultLimits } from './broker/limits.js';
import { asPayload } from './broker/payload.js';
import { Refusals } from './broker/refusals.js';
import { Slots } from './broker/slots.js';
import type { Link, LinkOptions } from './link.js';

export interface ExternalBrokerOptions extends LinkOptions {
  /** Without user or password. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly clientId: string;
  readonly keepAliveS: number;
  /** Waits between tries to connect: first and longest. */
  readonly backoffMs?: readonly [number, number];
}

/** Not `+`: our own receipts would come back to us. */
const uplinkKinds: readonly TopicKind[] = ['block', 'state', 'reported', 'events', 'json', 'fetch'];
const filters = uplinkKinds.map(kind => `${topicRoot}/+/${kind}`);
/** What may wait for that broker's PUBACK; a receipt more is not sent, and its blocks come again. */
const maxUnacknowledged = 10_000;
const connectTimeoutMs = 10_000;

interface Connected {
  readonly client: MqttClient;
  unacknowledged: number;
}

export class ExternalBroker implements Link {
  readonly #options: ExternalBrokerOptions;
  readonly #refusals: Refusals;
  readonly #json = new Slots(defaultLimits.maxHeldJson);
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #connected: Connected | undefined;
  #failure = 'connecting';

  private constructor(options: ExternalBrokerOptions) {
    this.#options = options;
    this.#refusals = new Refusals(options.log);
    this.#running = this.#run();
  }

  /** Returns at once; it connects, and connects again, until it is disposed. */
  static open(options: ExternalBrokerOptions): ExternalBroker {
    return new ExternalBroker(options);
  }

  get port(): number {
    const { port, protocol } = new URL(this.#options.url);
    return port ? Number(port) : protocol === 'mqtts:' ? 8883 : 1883;
  }

  get connections(): number {
    return this.#connected ? 1 : 0;
  }

  get status(): { readonly ok: boolean; readonly detail: string } {
    const { url } = this.#options;
    return this.#connected
      ? { ok: true, detail: `connected to ${url}` }
      : { ok: false, detail: `${url}: ${this.#failure}` };
  }

  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals.counts;
  }

  async publish(topic: string, payload: string | Uint8Array, retain = false): Promise<void> {
    const connected = this.#connected;
    if (!connected) throw new EdgewardError('EW_LINK_LOST', this.#failure);
    if (connected.unacknowledged >= maxUnacknowledged)
      throw new EdgewardError('EW_LINK_LOST', `${maxUnacknowledged} messages wait for the broker's answer.`);
    connected.unacknowledged += 1;
    // Whoever waited for its PUBACK here would wait for what comes before it, and that waits for room.
    connected.client.publish(topic, asPayload(payload), { qos: 1, retain }, () => {
      connected.unacknowledged -= 1;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const backoff = new Backoff(...(this.#options.backoffMs ?? [500, 30_000]));
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const reason = await this.#session(() => backoff.reset());
      if (signal.aborted) return;
      this.#tell(reason);
      await systemClock.sleep(backoff.next(), signal);
    }
  }

  /** One connection. @returns why it ended */
  async #session(onConnected: () => void): Promise<string> {
    const client = this.#connect();
    const cut = () => client.stream?.destroy();
    this.#ending.signal.addEventListener('abort', cut);
    const ended = endOf(client);
    try {
      await Promise.race([subscribed(client), ended]);
      if (client.connected) {
        this.#connected = { client, unacknowledged: 0 };
        onConnected();
        this.#options.onLinked?.();
        this.#options.log.info({ url: this.#options.url }, 'connected to the external broker');
      }
      return await ended;
    } catch (error) {
      return messageOf(error);
    } finally {
      this.#connected = undefined;
      this.#ending.signal.removeEventListener('abort', cut);
      client.end(true);
      client.stream?.destroy();
    }
  }

  #connect(): MqttClient {
    const { url, username, password, clientId, keepAliveS } = this.#options;
    const client = connect(url, {
      protocolVersion: 4,
      clean: true,
      clientId,
      keepalive: keepAliveS,
      connectTimeout: connectTimeoutMs,
      reconnectPeriod: 0,
      resubscribe: false,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
    });
    let waiting = 0;
    // mqtt.js takes the next packet, and sends PUBACK, once this one is done: so we are not read while there is no room.
    client.handleMessage = (packet, done) => {
      waiting += 1;
      this.#take(packet)
        .catch((error: unknown) =>
          this.#options.log.warn({ error: messageOf(error) }, 'a message was not taken'),
        )
        .finally(() => {
          waiting -= 1;
          done();
        });
    };
    // The broker's pongs wait behind the message that waits for room, and mqtt.js would take it for dead.
    const beat = setInterval(() => waiting > 0 && client.connected && stayAlive(client), keepAliveS * 400);
    client.once('close', () => clearInterval(beat));
    return client;
  }

  async #take({ topic, payload }: IPublishPacket): Promise<void> {
    const parsed = parseTopic(topic);
    if (!parsed || !namePattern.test(parsed.gateway) || !uplinkKinds.includes(parsed.kind)) {
      this.#refusals.note('topic', undefined, `${topic.slice(0, 256)} is no topic of a gateway`);
      return;
    }
    await this.#options.room(this.#ending.signal);
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    if (parsed.kind === 'json') await this.#takeJson(parsed.gateway, bytes);
    else this.#options.onMessage({ ...parsed, payload: bytes });
  }

  /** Waits for a turn only: the publisher's answer is the receipt, and the next message need not wait for it. */
  async #takeJson(gateway: string, payload: Uint8Array): Promise<void> {
    const { onJson, log } = this.#options;
    if (!onJson) return;
    await this.#json.acquire();
    onJson(gateway, payload)
      .catch((error: unknown) =>
        log.warn({ gateway, error: messageOf(error) }, 'a json message was not taken'),
      )
      .finally(() => this.#json.release());
  }

  #tell(reason: string): void {
    const { log, url } = this.#options;
    const level = reason === this.#failure ? 'debug' : 'warn';
    this.#failure = reason;
    log[level]({ url, reason }, 'no connection to the external broker; trying again');
  }
}

function stayAlive(client: MqttClient): void {
  client.sendPing();
  client.reschedulePing(true);
}

/** Never rejects: resolves with the reason once the connection is closed, or cannot be made. */
function endOf(client: MqttClient): Promise<string> {
  return new Promise(resolve => {
    let reason = 'it closed the connection';
    client.on('error', error => {
      reason = messageOf(error) || reason;
    });
    client.once('close', () => resolve(reason));
  });
}

function isNeeded(topic: string): boolean {
  return topic !== '' && !topic.endsWith('/fetch');
}

async function subscribed(client: MqttClient): Promise<void> {
  await new Promise<void>(resolve => client.once('connect', () => resolve()));
  const granted = await client.subscribeAsync(filters, { qos: 1 });
  // Without `fetch` only models do not travel: its access list may be older than they are.
  const refused = granted.map(({ topic, qos }) => (qos > 2 ? topic : '')).filter(isNeeded);
  if (refused.length) throw new Error(`it refused the subscription of ${refused.join(', ')}`);
}
