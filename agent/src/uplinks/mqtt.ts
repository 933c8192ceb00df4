/**
 * The way to the collector. MQTT carries the blocks; what counts is the collector's receipt, not MQTT's own
 * acknowledgement, so sessions are clean, the client stores nothing, and resending is the outbox's business.
 */
import type {
  AgentEvent,
  AgentReport,
  Clock,
  Described,
  Entry,
  Receipt,
  Uplink,
} from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { parseReceipts } from '@edgeward/shared/receipts';
import { topicOf } from '@edgeward/shared/topics';
import { describedToJson } from '@edgeward/shared/wire';
import { Flight, ReceiptTimeout } from './flight.js';
import { Link } from './link.js';

export interface MqttUplinkOptions {
  readonly url: string;
  readonly gateway: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly keepAliveS: number;
  readonly connectTimeoutMs: number;
  /** Bytes that may await receipts; a few blocks always may. */
  readonly windowBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Goes into the retained `state` message. */
  readonly birth: Readonly<Record<string, string | number | boolean>>;
  /** The agent's side of the ledger, as it is now. */
  readonly report: () => AgentReport;
}

const maxEvents = 1000;
/** Schemas that the retained `state` message carries: the newest of those that blocks needed. */
const maxSchemas = 256;

export class MqttUplink implements Uplink {
  readonly #options: MqttUplinkOptions;
  readonly #timeout = new ReceiptTimeout();
  /** Opens when anything about the link, the flight or the inbox changed. */
  readonly #changed = new Gate();
  readonly #topic;
  #link: Link | undefined;
  #inbox: Receipt[] = [];
  #events: AgentEvent[] = [];
  #links = 0;
  /** By id; insertion order is the order of last need. */
  readonly #schemas = new Map<string, Described>();

  constructor(options: MqttUplinkOptions) {
    this.#options = options;
    this.#topic = (kind: Parameters<typeof topicOf>[1]) => topicOf(options.gateway, kind);
  }

  get connected(): boolean {
    return this.#link !== undefined && !this.#link.closed;
  }

  async *exchange(entries: AsyncIterable<Entry>, deadline: AbortSignal): AsyncGenerator<Receipt, void, void> {
    const link = await this.#connect();
    const flight = new Flight(this.#options.windowBytes, this.#options.clock, this.#timeout);
    const leave = new AbortController();
    const sending = this.#send(link, entries, flight, leave.signal);
    let complete = false;
    try {
      for (;;) {
        const receipt = this.#inbox.shift();
        if (receipt) {
          flight.settle(receipt);
          this.#changed.open();
          yield receipt;
          continue;
        }
        if (link.closed) throw new EdgewardError('EW_LINK_LOST');
        if (sending.done && flight.size === 0) break;
        if (deadline.aborted)
          throw new EdgewardError('EW_STOPPED', `${flight.size} receipts were still due.`);
        flight.check();
        await this.#changed.wait(deadline, flight.untilLateMs());
      }
      await sending.finished; // throws what kept it from sending
      // All is received: the last report is the one the ledger is held against while this gateway is away.
      this.report();
      link.publish(this.#topic('state'), this.#state(false), true);
      complete = true;
    } finally {
      leave.abort();
      this.#link = undefined;
      // A goodbye takes back the last will, and only a complete end has said by itself that it is one.
      await (complete ? link.end() : link.cut());
    }
  }

  /** Kept until a link is up: an event must not pass silently. */
  event(event: AgentEvent): void {
    this.#events.push(event);
    if (this.#events.length > maxEvents) this.#events.shift();
    this.#sendEvents();
  }

  /** Best effort: the next report says it all again. */
  report(): void {
    if (!this.connected) return;
    this.#link?.publish(this.#topic('reported'), JSON.stringify(this.#options.report()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link?.end();
  }

  async #connect(): Promise<Link> {
    const { url, gateway, username, password, keepAliveS, connectTimeoutMs } = this.#options;
    this.#links += 1;
    this.#inbox = [];
    const link = await Link.open(
      url,
      {
        clientId: gateway,
        keepalive: keepAliveS,
        connectTimeout: connectTimeoutMs,
        will: { topic: this.#topic('state'), payload: Buffer.from(this.#state(false)), qos: 1, retain: true },
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
      },
      [this.#topic('receipt')],
      this.#changed,
      (_topic, payload) => this.#received(payload),
    );
    this.#options.log.info('connected');
    this.#link = link;
    link.publish(this.#topic('state'), this.#state(true), true);
    this.#sendEvents();
    this.report();
    return link;
  }

  #state(online: boolean): string {
    const schemas = [...this.#schemas.values()].map(described => describedToJson(described));
    return JSON.stringify({ ...this.#options.birth, link: this.#links, online, schemas });
  }

  #received(payload: Buffer): void {
    const receipts = parseReceipts(payload);
    if (!receipts) {
      this.#options.log.warn({ bytes: payload.length }, 'ignored a message that is no receipt');
      return;
    }
    this.#inbox.push(...receipts);
    this.#changed.open();
  }

  #sendEvents(): void {
    if (!this.#link || this.#link.closed) return;
    for (const event of this.#events.splice(0))
      this.#link.publish(this.#topic('events'), JSON.stringify(event));
  }

  /** Runs beside the receipts; `done` and `finished` say how it went. */
  #send(link: Link, entries: AsyncIterable<Entry>, flight: Flight, leave: AbortSignal) {
    const state = { done: false, finished: Promise.resolve() };
    state.finished = this.#sendAll(link, entries, flight, leave).finally(() => {
      state.done = true;
      this.#changed.open();
    });
    state.finished.catch(() => undefined);
    return state;
  }

  async #sendAll(
    link: Link,
    entries: AsyncIterable<Entry>,
    flight: Flight,
    leave: AbortSignal,
  ): Promise<void> {
    const over = () => link.closed || leave.aborted;
    const walk = entries[Symbol.asyncIterator]();
    for (;;) {
      // The outbox may have nothing for hours; a link that ends must not wait for it.
      const pull = this.#pull(walk);
      while (!pull.settled && !over()) await this.#changed.wait(leave);
      if (over()) return;
      const next = await pull.result;
      if (next.done) return;
      while (!flight.hasRoom(next.value) && !over()) await this.#changed.wait(leave);
      if (over()) return;
      this.#tellSchema(link, next.value.described);
      flight.add(next.value);
      link.publish(this.#topic('block'), next.value.bytes);
    }
  }

  /** A block is of no use before its schema: the broker keeps the order of one connection. */
  #tellSchema(link: Link, described: Described): void {
    if (this.#schemas.has(described.id)) return;
    this.#schemas.set(described.id, described);
    for (const oldest of this.#schemas.keys()) {
      if (this.#schemas.size <= maxSchemas) break;
      this.#schemas.delete(oldest);
    }
    link.publish(this.#topic('state'), this.#state(true), true);
  }

  #pull(walk: AsyncIterator<Entry>) {
    const pull = { settled: false, result: walk.next() };
    const settle = () => {
      pull.settled = true;
      this.#changed.open();
    };
    pull.result.then(settle, settle);
    return pull;
  }
}
