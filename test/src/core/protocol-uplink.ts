/** MqttUplink without MQTT: the same exchange over a modelled network. */
import { parseDesired } from '@edgeward/agent/uplinks/desired';
import { Exchange } from '@edgeward/agent/uplinks/exchange';
import { RoundTrips } from '@edgeward/agent/uplinks/round-trips';
import { ToldSchemas } from '@edgeward/agent/uplinks/told-schemas';
import { Window } from '@edgeward/agent/uplinks/window';
import type { AgentReport, Clock, Entry, Receipt, Uplink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import { parseReceipts } from '@edgeward/shared/receipts';
import type { TopicKind } from '@edgeward/shared/topics';
import type { Network, NetworkLink } from './protocol-network.js';

export interface ModelUplinkOptions {
  readonly network: Network;
  readonly gateway: string;
  readonly clock: Clock;
  readonly birth: { readonly epoch: string; readonly outbox: string; readonly version: string };
  readonly report: () => AgentReport;
  readonly onJournal: (journal: string, link: number) => void;
  readonly onReceipt: (receipt: Receipt) => void;
  /** @param link  number of the link since the start */
  readonly onSent: (entry: Entry, link: number) => void;
}

export class ModelUplink implements Uplink {
  readonly #options: ModelUplinkOptions;
  readonly #roundTrips = new RoundTrips();
  readonly #window = new Window(64 * 1024);
  readonly #schemas = new ToldSchemas();
  readonly #changed = new Gate();
  #link: NetworkLink | undefined;
  #exchange: Exchange | undefined;
  #links = 0;

  constructor(options: ModelUplinkOptions) {
    this.#options = options;
  }

  get roundTripP99Ms(): number | undefined {
    return this.#roundTrips.p99Ms;
  }

  get isLinked(): boolean {
    return this.#link !== undefined && !this.#link.closed;
  }

  async *exchange(entries: AsyncIterable<Entry>, deadline: AbortSignal): AsyncGenerator<Receipt, void, void> {
    const exchange = new Exchange({
      window: this.#window,
      roundTrips: this.#roundTrips,
      clock: this.#options.clock,
      changed: this.#changed,
    });
    this.#exchange = exchange;
    const link = this.#connect();
    const way = { closed: () => link.closed, send: (entry: Entry) => this.#sendBlock(link, entry) };
    let complete = false;
    try {
      for await (const receipt of exchange.run(way, entries, deadline)) {
        this.#options.onReceipt(receipt);
        yield receipt;
      }
      this.report();
      link.send('state', this.#state(false));
      complete = true;
    } finally {
      this.#link = undefined;
      if (complete) link.end();
      else link.cut();
    }
  }

  report(): void {
    this.#link?.send('reported', JSON.stringify(this.#options.report()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#link?.end();
  }

  #connect(): NetworkLink {
    const { network, gateway } = this.#options;
    this.#links += 1;
    const link = network.connect(gateway, {
      onMessage: (kind, payload) => this.#received(kind, payload),
      onClosed: () => this.#changed.open(),
      will: Buffer.from(this.#state(false)),
    });
    if (!link) throw new EdgewardError('EW_LINK_LOST');
    this.#link = link;
    link.send('state', this.#state(true));
    this.report();
    return link;
  }

  #state(online: boolean): string {
    const schemas = online ? this.#schemas : [];
    return JSON.stringify({ ...this.#options.birth, link: this.#links, online, schemas });
  }

  #received(kind: TopicKind, payload: Uint8Array): void {
    if (kind === 'receipt') this.#exchange?.received(parseReceipts(payload) ?? []);
    const desired = kind === 'desired' ? parseDesired(payload) : undefined;
    if (desired?.ask) this.#link?.send('state', this.#state(true));
    if (desired?.journal !== undefined) this.#options.onJournal(desired.journal, this.#links);
    this.#changed.open();
  }

  #sendBlock(link: NetworkLink, entry: Entry): void {
    if (this.#schemas.need(entry.described)) link.send('state', this.#state(true));
    this.#options.onSent(entry, this.#links);
    link.send('block', entry.bytes);
  }
}
