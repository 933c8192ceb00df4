import type { CollectorViews, StreamMessage } from '../views.js';

/** The writable half of one open page. */
export interface StreamClient {
  /** Bytes not yet taken by the network. */
  readonly pending: number;
  write(text: string): void;
  /** At once: whoever is too slow would only be told later. */
  drop(): void;
}

export interface HubLimits {
  readonly maxClients: number;
  readonly maxPendingBytes: number;
}

const snapshotItems = 50;

/** One subscription and one serialisation for all open pages. */
export class StreamHub {
  readonly #clients = new Set<StreamClient>();
  #unsubscribe: (() => void) | undefined;

  constructor(
    private readonly views: CollectorViews,
    private readonly limits: HubLimits,
  ) {}

  get full(): boolean {
    return this.#clients.size >= this.limits.maxClients;
  }

  add(client: StreamClient): void {
    // The snapshot and the subscription start in the same turn: nothing falls between them.
    client.write(
      this.#snapshot()
        .map(message => frame('snapshot', message))
        .join(''),
    );
    client.write(frame('ready', { demo: this.views.demo !== undefined }));
    this.#clients.add(client);
    this.#unsubscribe ??= this.views.subscribe(message => this.#send(frame('message', message)));
  }

  remove(client: StreamClient): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  /** A comment for proxies, an event for pages: EventSource hides comments from them. */
  heartbeat(): void {
    this.#send(`: heartbeat\n${frame('heartbeat', {})}`);
  }

  dropAll(): void {
    for (const client of [...this.#clients]) this.#drop(client);
  }

  #send(text: string): void {
    for (const client of this.#clients) {
      if (client.pending > this.limits.maxPendingBytes) this.#drop(client);
      else client.write(text);
    }
  }

  #drop(client: StreamClient): void {
    this.remove(client);
    client.drop();
  }

  /** Oldest first, so that a page ends up with the same order as if it had been open all along. */
  #snapshot(): StreamMessage[] {
    const { views } = this;
    const incidents = [...views.incidents(snapshotItems)].reverse();
    const mails = [...views.mails(snapshotItems)].reverse();
    const notifications = [...views.notifications(snapshotItems)].reverse();
    const events = [...views.events(snapshotItems)].reverse();
    return [
      { kind: 'gateways', gateways: views.gateways() },
      { kind: 'ledger', ledger: views.ledger() },
      { kind: 'sinks', sinks: views.sinks.list() },
      ...incidents.map(incident => ({ kind: 'incident', incident }) as const),
      ...mails.map(mail => ({ kind: 'mail', mail }) as const),
      ...notifications.map(notification => ({ kind: 'notification', notification }) as const),
      ...events.map(event => ({ kind: 'event', event }) as const),
    ];
  }
}

function frame(event: string, data: unknown): string {
  const name = event === 'message' ? '' : `event: ${event}\n`;
  return `${name}data: ${JSON.stringify(data)}\n\n`;
}
