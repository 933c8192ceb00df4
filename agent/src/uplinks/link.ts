import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Gate } from '@edgeward/shared/gate';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';

/**
 * One MQTT connection. It never reconnects and stores nothing: a broken link is an error, and the next one is
 * a new object.
 */
export class Link {
  readonly #client: MqttClient;
  #closed = false;

  private constructor(client: MqttClient, gate: Gate, onMessage: (topic: string, payload: Buffer) => void) {
    this.#client = client;
    client.on('message', onMessage);
    client.on('error', () => undefined); // what matters is the close that follows
    client.on('close', () => {
      this.#closed = true;
      gate.open();
    });
  }

  /** @throws EW_LINK_LOST */
  static async open(
    url: string,
    options: IClientOptions,
    subscribe: readonly string[],
    gate: Gate,
    onMessage: (topic: string, payload: Buffer) => void,
  ): Promise<Link> {
    const client = connect(url, {
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      ...options,
    });
    try {
      await connected(client);
      const link = new Link(client, gate, onMessage);
      const granted = await client.subscribeAsync([...subscribe], { qos: 1 });
      if (granted.some(({ qos }) => qos > 2)) throw new Error('the broker refused a subscription');
      return link;
    } catch (error) {
      client.end(true);
      const where = withoutCredentials(url);
      throw new EdgewardError('EW_LINK_LOST', `Cannot connect to ${where}: ${messageOf(error)}.`, {
        cause: error,
      });
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  publish(topic: string, payload: string | Uint8Array, retain = false): void {
    if (this.#closed) return;
    const bytes =
      typeof payload === 'string'
        ? payload
        : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#client.publish(topic, bytes, { qos: 1, retain });
  }

  /** Safe to call twice; a client that does not say goodbye in time is cut off. */
  async end(): Promise<void> {
    if (this.#closed) return this.#client.endAsync(true).catch(() => undefined);
    const forced = setTimeout(() => this.#client.end(true), 1000);
    await this.#client.endAsync(false).catch(() => undefined);
    clearTimeout(forced);
    this.#closed = true;
  }
}

/** A connection that closes before the broker's answer raises no error of its own. */
function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
    client.once('close', () => reject(new Error('it closed the connection')));
  });
}

export function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}
