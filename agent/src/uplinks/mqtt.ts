/**
 * The way to the collector. MQTT carries the blocks; what counts is the collector's receipt, not MQTT's own
 * acknowledgement, so sessions are clean, the client stores nothing, and resending is the outbox's business.
 */
import type {
  AgentEvent,
  AgentReport,
  Clock,
  Entry,
  Mark,
  Receipt,
  Uplink,
} from '@edgeward/shared/contracts';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import type { Histogram } from '@edgeward/shared/metrics/histogram';
import { parseReceipts } from '@edgeward/shared/receipts';
import { topicOf } from '@edgeward/shared/topics';
import { tracedWireVersion, withTrace } from '@edgeward/shared/wire';
import type { ModelChannel, ModelLink } from '../models/channel.js';
import type { PublishSpans } from '../trace/publish-spans.js';
import { parseDesired } from './desired.js';
import { EventBox } from './event-box.js';
import { Exchange } from './exchange.js';
import { Link } from './link.js';
import { RoundTrips } from './round-trips.js';
import { ToldSchemas } from './told-schemas.js';
import { Window } from './window.js';

/** The collector hears of a gateway this often, ms, even where blocks need all of the way. */
const reportAtLeastMs = 60_000;
/** What the first blocks wait for a collector's first word, where they are traced. */
const toldWithinMs = 1000;

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
  /** The collector has answered on a new link. */
  readonly onHello?: (hello: Hello) => void;
  /** Only where blocks are traced. */
  readonly spans?: PublishSpans | undefined;
  /** Where models come in. */
  readonly models?: Pick<ModelChannel, 'linked' | 'announced' | 'answered'>;
}

/** What the collector says of itself when a link is up. */
export interface Hello {
  /** Id of its journal: another one than before may have forgotten what was received. */
  readonly journal: string | undefined;
  /** Its time, ms since Unix epoch, and how long after our question it came, ms. */
  readonly timeMs: number | undefined;
  readonly roundTripMs: number;
}

/** Since the start. */
interface UplinkCounts {
  links: number;
  blocks: number;
  bytes: number;
  /** Were under way when a link broke. */
  resent: number;
  readonly receipts: Record<Mark, number>;
}

export interface UplinkNumbers {
  readonly up: boolean;
  readonly counts: Readonly<UplinkCounts>;
  readonly windowBytes: number;
  readonly underWay: { readonly blocks: number; readonly bytes: number };
  readonly roundTripSeconds: Histogram;
}

const nothing = { blocks: 0, bytes: 0 };

export class MqttUplink implements Uplink {
  readonly #options: MqttUplinkOptions;
  readonly #roundTrips = new RoundTrips();
  readonly #window: Window;
  readonly #schemas = new ToldSchemas();
  readonly #events = new EventBox();
  /** Opens when anything about the link, the flight or the inbox changed. */
  readonly #changed = new Gate();
  readonly #topic;
  #link: Link | undefined;
  #exchange: Exchange | undefined;
  readonly #counts: UplinkCounts = {
    links: 0,
    blocks: 0,
    bytes: 0,
    resent: 0,
    receipts: { journaled: 0, released: 0 },
  };
  #bornAtMs = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  /** Whether the collector takes traces: one that does not say so might not even read such a block. Until it has spoken, undefined. */
  #takesTraces: boolean | undefined;

  constructor(options: MqttUplinkOptions) {
    this.#options = options;
    this.#window = new Window(options.windowBytes);
    this.#topic = (kind: Parameters<typeof topicOf>[1]) => topicOf(options.gateway, kind);
  }

  get connected(): boolean {
    return this.#link !== undefined && !this.#link.closed;
  }

  get numbers(): UplinkNumbers {
    return {
      up: this.connected,
      counts: this.#counts,
      windowBytes: this.#window.bytes,
      underWay: this.connected ? (this.#exchange?.underWay ?? nothing) : nothing,
      roundTripSeconds: this.#roundTrips.seconds,
    };
  }

  /** 99th percentile of the last times from sending a block to its receipt, ms; undefined before the first. */
  get roundTripP99Ms(): number | undefined {
    return this.#roundTrips.p99Ms;
  }

  async *exchange(entries: AsyncIterable<Entry>, deadline: AbortSignal): AsyncGenerator<Receipt, void, void> {
    const exchange = new Exchange({
      window: this.#window,
      roundTrips: this.#roundTrips,
      clock: this.#options.clock,
      changed: this.#changed,
    });
    this.#exchange = exchange;
    const link = await this.#connect();
    const way = { closed: () => link.closed, send: (entry: Entry) => this.#sendBlock(link, entry) };
    let complete = false;
    try {
      if (this.#options.spans) await this.#untilTold(link, deadline);
      yield* exchange.run(way, entries, deadline);
      // All is received: the last report is the one the ledger is held against while this gateway is away.
      this.report();
      link.publish(this.#topic('state'), this.#state(false), { retain: true });
      complete = true;
    } finally {
      this.#link = undefined;
      this.#options.models?.linked(undefined);
      this.#counts.resent += exchange.underWay.blocks;
      // A goodbye takes back the last will, and only a complete end has said by itself that it is one.
      await (complete ? link.end() : link.cut());
    }
  }

  /** Kept until the broker has it: an event must not pass silently. */
  event(event: AgentEvent): void {
    this.#events.add(event);
    this.#sendEvents();
  }

  /** Best effort: the next report says it all again. Blocks that wait for room on the way go first. */
  report(): void {
    if (!this.connected) return;
    const nowMs = this.#options.clock.monotonic();
    if (this.#exchange?.limited && nowMs - this.#reportedAtMs < reportAtLeastMs) return;
    this.#reportedAtMs = nowMs;
    this.#link?.publish(this.#topic('reported'), JSON.stringify(this.#options.report()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link?.end();
  }

  async #connect(): Promise<Link> {
    const { url, gateway, username, password, keepAliveS, connectTimeoutMs } = this.#options;
    this.#counts.links += 1;
    this.#takesTraces = undefined; // it may be another collector, or an older one
    const link = await Link.open(
      url,
      {
        clientId: gateway,
        keepalive: keepAliveS,
        connectTimeout: connectTimeoutMs,
        will: { topic: this.#topic('state'), payload: Buffer.from(this.#lastWill()), qos: 1, retain: true },
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
      },
      {
        subscribe: [this.#topic('receipt'), this.#topic('desired')],
        optional: this.#options.models ? [this.#topic('models'), this.#topic('part')] : [],
      },
      this.#changed,
      (topic, payload) => this.#arrived(topic, payload),
    );
    this.#options.log.info('connected');
    this.#link = link;
    this.#bear(link);
    this.#options.models?.linked(this.#modelLink(link));
    this.#sendEvents();
    this.report();
    return link;
  }

  /** A backlog would be gone without its traces before the collector has said that it takes them. */
  async #untilTold(link: Link, deadline: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const untilMs = clock.monotonic() + toldWithinMs;
    while (this.#takesTraces === undefined && !link.closed && !deadline.aborted) {
      const leftMs = untilMs - clock.monotonic();
      if (leftMs <= 0) return;
      await this.#changed.wait(deadline, leftMs);
    }
  }

  #state(online: boolean): string {
    const { birth } = this.#options;
    const link = this.#counts.links;
    // What only a last will says is no end that was asked for.
    return JSON.stringify({
      ...birth,
      link,
      online,
      ...(!online && { stopped: true }),
      schemas: this.#schemas,
    });
  }

  /** Without the schemas: MQTT gives a last will 65,535 bytes (3.1.1, section 3.1.3.3). */
  #lastWill(): string {
    return JSON.stringify({ ...this.#options.birth, link: this.#counts.links, online: false });
  }

  #bear(link: Link): void {
    this.#bornAtMs = this.#options.clock.monotonic();
    link.publish(this.#topic('state'), this.#state(true), { retain: true });
  }

  #arrived(topic: string, payload: Buffer): void {
    if (topic === this.#topic('receipt')) this.#received(payload);
    else if (topic === this.#topic('desired')) this.#told(payload);
    else if (topic === this.#topic('models')) this.#options.models?.announced(payload);
    else if (topic === this.#topic('part')) this.#options.models?.answered(payload);
  }

  #modelLink(link: Link): ModelLink {
    const crowded = () => this.#exchange?.limited ?? false;
    return {
      ask: payload => link.publish(this.#topic('fetch'), payload),
      get crowded() {
        return crowded();
      },
    };
  }

  #told(payload: Buffer): void {
    const { log, clock, onHello } = this.#options;
    const desired = parseDesired(payload);
    if (!desired) {
      log.warn({ bytes: payload.length }, 'ignored a message from the collector');
      return;
    }
    const { journal, timeMs, ask, refused, wire = 1 } = desired;
    if (ask && this.#link) this.#bear(this.#link);
    if (refused !== undefined) log.error({ reason: refused }, 'the collector refuses this gateway');
    if (journal === undefined && timeMs === undefined) return;
    this.#takesTraces = wire >= tracedWireVersion;
    this.#changed.open();
    onHello?.({ journal, timeMs, roundTripMs: clock.monotonic() - this.#bornAtMs });
  }

  #received(payload: Buffer): void {
    const receipts = parseReceipts(payload);
    if (!receipts) {
      this.#options.log.warn({ bytes: payload.length }, 'ignored a message that is no receipt');
      return;
    }
    for (const { mark } of receipts) this.#counts.receipts[mark] += 1;
    const { spans } = this.#options;
    if (spans) for (const receipt of receipts) spans.received(receipt);
    this.#exchange?.received(receipts);
  }

  #sendEvents(): void {
    const link = this.#link;
    if (!link || link.closed) return;
    for (const event of this.#events.unsent(link)) {
      const onAcknowledged = () => this.#events.told(event);
      link.publish(this.#topic('events'), JSON.stringify(event), { onAcknowledged });
    }
  }

  /** It is of no use before its schema, and the broker keeps the order of one connection. */
  #sendBlock(link: Link, entry: Entry): void {
    const { described, bytes, trace } = entry;
    if (this.#schemas.need(described)) this.#bear(link);
    this.#counts.blocks += 1;
    this.#counts.bytes += bytes.length;
    const carried = trace !== undefined && this.#takesTraces === true;
    link.publish(this.#topic('block'), carried ? withTrace(bytes, trace) : bytes);
    this.#options.spans?.sent(entry, carried);
  }
}
