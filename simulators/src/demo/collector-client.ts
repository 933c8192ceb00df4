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

/** A follower of the journal, since the collector's last start. */
export interface SinkSummary {
  readonly name: string;
  /** Its last write worked. */
  readonly up: boolean;
  readonly rowsStored: number | null;
  /** Blocks of the journal that it has yet to store. */
  readonly lagBlocks: number;
  /** Over all starts: it lagged until the journal was full. */
  readonly lostRows: number;
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

  async sinks(): Promise<readonly SinkSummary[] | undefined> {
    const text = await this.#text('/metrics');
    if (text === undefined) return undefined;
    const of = (metric: string) =>
      new Map(
        [...text.matchAll(new RegExp(`^${metric}\\{sink="([^"]+)"\\} (\\S+)`, 'gm'))].map(
          ([, name, value]) => [name!, Number(value)],
        ),
      );
    const [up, lag] = [of('collector_sink_up'), of('collector_sink_lag_blocks')];
    const [rows, lost] = [of('collector_sink_rows_stored_total'), of('collector_sink_lost_rows_total')];
    return [...up].map(([name, works]) => ({
      name,
      up: works === 1,
      rowsStored: rows.get(name) ?? null,
      lagBlocks: lag.get(name) ?? 0,
      lostRows: lost.get(name) ?? 0,
    }));
  }

  /** Undefined while the collector is away. */
  async #get<T>(path: string): Promise<T | undefined> {
    const text = await this.#text(path);
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  async #text(path: string): Promise<string | undefined> {
    try {
      const response = await fetch(this.base + path, { signal: AbortSignal.timeout(2000) });
      return response.ok ? await response.text() : undefined;
    } catch {
      return undefined;
    }
  }
}
