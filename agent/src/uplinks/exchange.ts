/** What goes on over one link, whatever carries it: blocks out as the window allows, receipts back. */
import type { Clock, Entry, Receipt } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import type { Gate } from '@edgeward/shared/gate';
import { Flight } from './flight.js';
import type { RoundTrips } from './round-trips.js';
import type { Window } from './window.js';

export interface ExchangeOptions {
  readonly window: Window;
  readonly roundTrips: RoundTrips;
  readonly clock: Clock;
  /** Opens when the link changes; the exchange opens it for what it does itself. */
  readonly changed: Gate;
}

export interface ExchangeLink {
  readonly closed: () => boolean;
  /** Sends a block, and before it what is needed to read it. */
  readonly send: (entry: Entry) => void;
}

/** Made before its link, which may bring receipts as soon as it is there. */
export class Exchange {
  readonly #changed: Gate;
  readonly #flight: Flight;
  readonly #inbox: Receipt[] = [];

  constructor({ window, roundTrips, clock, changed }: ExchangeOptions) {
    window.begin();
    this.#changed = changed;
    this.#flight = new Flight(window, clock, roundTrips);
  }

  /** Blocks wait for room: the way is as full as it should be. */
  get limited(): boolean {
    return this.#flight.limited;
  }

  /** Sent, no receipt yet. */
  get underWay(): { readonly blocks: number; readonly bytes: number } {
    return { blocks: this.#flight.size, bytes: this.#flight.bytes };
  }

  received(receipts: readonly Receipt[]): void {
    this.#inbox.push(...receipts);
    this.#changed.open();
  }

  /**
   * Until all entries are sent and received.
   * @throws EW_LINK_LOST, EW_RECEIPT_LATE; EW_STOPPED at the deadline; what `entries` throws
   */
  async *run(
    link: ExchangeLink,
    entries: AsyncIterable<Entry>,
    deadline: AbortSignal,
  ): AsyncGenerator<Receipt, void, void> {
    const flight = this.#flight;
    using _ = this.#changed.openOn(deadline);
    const leave = new AbortController();
    const sending = this.#send(link, entries, leave.signal);
    try {
      for (;;) {
        const receipt = this.#inbox.shift();
        if (receipt) {
          flight.settle(receipt);
          this.#changed.open();
          yield receipt;
          continue;
        }
        if (link.closed()) throw new EdgewardError('EW_LINK_LOST');
        if (sending.done && flight.size === 0) break;
        if (deadline.aborted)
          throw new EdgewardError('EW_STOPPED', `${flight.size} receipts were still due.`);
        flight.check();
        await this.#changed.wait(undefined, flight.untilLateMs());
      }
      await sending.finished; // throws what kept it from sending
    } finally {
      leave.abort();
      this.#changed.open();
    }
  }

  /** Runs beside the receipts; `done` and `finished` say how it went. */
  #send(link: ExchangeLink, entries: AsyncIterable<Entry>, leave: AbortSignal) {
    const state = { done: false, finished: Promise.resolve() };
    state.finished = this.#sendAll(link, entries, leave).finally(() => {
      state.done = true;
      this.#changed.open();
    });
    state.finished.catch(() => undefined);
    return state;
  }

  async #sendAll(link: ExchangeLink, entries: AsyncIterable<Entry>, leave: AbortSignal): Promise<void> {
    const over = () => link.closed() || leave.aborted;
    const walk = entries[Symbol.asyncIterator]();
    for (;;) {
      // The outbox may have nothing for hours; a link that ends must not wait for it.
      const pull = this.#pull(walk);
      while (!pull.settled && !over()) await this.#changed.wait();
      if (over()) return;
      const next = await pull.result;
      if (next.done) return;
      while (!this.#flight.hasRoom(next.value) && !over()) await this.#changed.wait();
      if (over()) return;
      this.#flight.add(next.value);
      link.send(next.value);
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
