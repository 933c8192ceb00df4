/** MqttUplink without MQTT: the same window, time-outs and messages over a modelled network. */

import { parseDesired } from '@edgeward/agent/uplinks/desired';
import { Flight } from '@edgeward/agent/uplinks/flight';
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
  #inbox: Receipt[] = [];
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
    const link = this.#connect();
    const flight = new Flight(this.#window, this.#options.clock, this.#roundTrips);
    const leave = new AbortController();
    const sending = this.#send(link, entries, flight, leave.signal);
    let complete = false;
    try {
      for (;;) {
        const receipt = this.#inbox.shift();
        if (receipt) {
          flight.settle(receipt);
          this.#options.onReceipt(receipt);
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
      await sending.finished;
      this.report();
      link.send('state', this.#state(false));
      complete = true;
    } finally {
      leave.abort();
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
    this.#inbox = [];
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
    if (kind === 'receipt') this.#inbox.push(...(parseReceipts(payload) ?? []));
    const desired = kind === 'desired' ? parseDesired(payload) : undefined;
    if (desired?.ask) this.#link?.send('state', this.#state(true));
    if (desired?.journal !== undefined) this.#options.onJournal(desired.journal, this.#links);
    this.#changed.open();
  }

  #send(link: NetworkLink, entries: AsyncIterable<Entry>, flight: Flight, leave: AbortSignal) {
    const state = { done: false, finished: Promise.resolve() };
    state.finished = this.#sendAll(link, entries, flight, leave).finally(() => {
      state.done = true;
      this.#changed.open();
    });
    state.finished.catch(() => undefined);
    return state;
  }

  async #sendAll(link: NetworkLink, entries: AsyncIterable<Entry>, flight: Flight, leave: AbortSignal) {
    const over = () => link.closed || leave.aborted;
    const walk = entries[Symbol.asyncIterator]();
    for (;;) {
      const pull = this.#pull(walk);
      while (!pull.settled && !over()) await this.#changed.wait(leave);
      if (over()) return;
      const next = await pull.result;
      if (next.done) return;
      while (!flight.hasRoom(next.value) && !over()) await this.#changed.wait(leave);
      if (over()) return;
      if (this.#schemas.need(next.value.described)) link.send('state', this.#state(true));
      flight.add(next.value);
      this.#options.onSent(next.value, this.#links);
      link.send('block', next.value.bytes);
    }
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
