/** What the demo asks of its collector, over the same HTTP API that everybody has. */
export interface GatewayLedger {
  readonly id: string;
  readonly read: number;
  readonly stored: number;
  readonly inFlight: number;
  readonly rejected: number;
  readonly thinned: number;
  readonly dropped: number;
  readonly damaged: number;
  readonly balanced: boolean;
}

export interface Ledger {
  readonly balanced: boolean;
  readonly gateways: readonly GatewayLedger[];
}

export interface IncidentSummary {
  readonly id: string;
  readonly gateway: string;
  readonly device: string;
  readonly state: 'open' | 'closed';
  readonly severity: string;
  readonly title: string;
  readonly openedMs: number;
}

export interface MailSummary {
  readonly id: string;
  readonly subject: string;
}

export interface GatewaySummary {
  readonly id: string;
  readonly online: boolean;
  readonly rowsPerSecond: number;
  readonly rssBytes: number | null;
}

/** A sink, since the collector's last start. */
export interface SinkState {
  readonly name: string;
  readonly state: string;
  readonly stored: { readonly rows: number };
  /** What it has yet to store. */
  readonly lag: { readonly blocks: number };
  readonly deadLetters: { readonly rows: number };
  /** It lagged until the journal gave its blocks up. */
  readonly lostRows: number;
  readonly failure: { readonly text: string } | null;
}

export class CollectorClient {
  constructor(private readonly base: string) {}

  ledger(): Promise<Ledger | undefined> {
    return this.#get('/api/ledger');
  }

  incidents(): Promise<readonly IncidentSummary[] | undefined> {
    return this.#get('/api/incidents');
  }

  mails(): Promise<readonly MailSummary[] | undefined> {
    return this.#get('/api/mails');
  }

  gateways(): Promise<readonly GatewaySummary[] | undefined> {
    return this.#get('/api/gateways');
  }

  sinks(): Promise<readonly SinkState[] | undefined> {
    return this.#get('/api/sinks');
  }

  /** Undefined while the collector is away. */
  async #get<T>(path: string): Promise<T | undefined> {
    try {
      const response = await fetch(this.base + path, { signal: AbortSignal.timeout(2000) });
      return response.ok ? ((await response.json()) as T) : undefined;
    } catch {
      return undefined;
    }
  }
}
