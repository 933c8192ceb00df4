import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Gate } from '@edgeward/shared/gate';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import './mqtt-numbers.js';

/**
 * One MQTT connection. It never reconnects and stores nothing: a broken link is an error, and the next one is
 * a new object.
 */
export class Link {
  readonly #client: MqttClient;
  readonly #gone: Promise<void>;
  #closed = false;

  private constructor(client: MqttClient, gate: Gate, onMessage: (topic: string, payload: Buffer) => void) {
    this.#client = client;
    client.on('message', onMessage);
    this.#gone = new Promise(resolve => {
      client.on('close', () => {
        this.#closed = true;
        resolve();
        gate.open();
      });
    });
  }

  /**
   * @param subscribe  what a link is of no use without; `optional`: what an older broker may refuse
   * @throws EW_LINK_LOST
   */
  static async open(
    url: string,
    options: IClientOptions,
    { subscribe, optional = [] }: { subscribe: readonly string[]; optional?: readonly string[] },
    gate: Gate,
    onMessage: (topic: string, payload: Buffer) => void,
  ): Promise<Link> {
    const client = connect(url, {
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      log: () => undefined, // a dozen lines a packet, which nobody reads
      ...options,
    });
    try {
      await connected(client);
      const link = new Link(client, gate, onMessage);
      const asked = client.subscribeAsync([...subscribe, ...optional], { qos: 1 });
      const granted = await inTime(asked, options.connectTimeout);
      if (granted.some(({ qos, topic }) => qos > 2 && subscribe.includes(topic)))
        throw new Error('the broker refused a subscription');
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

  /** @param onAcknowledged  the broker has it; never called if the link breaks before */
  publish(
    topic: string,
    payload: string | Uint8Array,
    { retain = false, onAcknowledged }: { retain?: boolean; onAcknowledged?: () => void } = {},
  ): void {
    if (this.#closed) return;
    const bytes =
      typeof payload === 'string'
        ? payload
        : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#client.publish(topic, bytes, { qos: 1, retain }, error => {
      if (!error) onAcknowledged?.();
    });
  }

  /** Says goodbye, so that no last will is sent; whoever does not answer in time is cut off. Safe to call twice. */
  async end(): Promise<void> {
    if (this.#closed) return;
    this.#client.end(false);
    // A second `end` of the client would do nothing while the first waits for acknowledgements.
    const forced = setTimeout(() => this.#client.stream.destroy(), goodbyeMs);
    await this.#gone;
    clearTimeout(forced);
  }

  /** Without a goodbye: the broker sends the last will. */
  async cut(): Promise<void> {
    if (this.#closed) return;
    this.#client.end(true);
    this.#client.stream.destroy();
    await this.#gone;
  }
}

/** How long a broker may take to acknowledge what was published last. */
const goodbyeMs = 1000;

/** A broker may accept a connection and never answer on it. */
async function inTime<T>(answer: Promise<T>, ms = 30_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not answer within ${ms} ms`)), ms);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

/** A connection that closes before the broker's answer raises no error of its own. */
function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve());
    client.on('error', reject); // for good: later ones change nothing, what matters is the close that follows
    client.once('close', () => reject(new Error('it closed the connection')));
  });
}

export function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}
