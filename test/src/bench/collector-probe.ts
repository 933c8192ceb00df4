import { freePort, getJson, until } from '../support/processes.js';

/** A collector's counters while it runs. */
export interface Progress {
  readonly rows: number;
  readonly bytes: number;
  /** Deliveries that sinks, live history and incidents have yet to take, together. */
  readonly lag: number;
}

export interface Ports {
  readonly api: number;
  readonly broker: number;
}

export async function freePorts(): Promise<Ports> {
  return { api: await freePort(), broker: await freePort() };
}

export const scrapes = 20;

export class CollectorProbe {
  readonly #url: string;

  constructor({ api }: Ports) {
    this.#url = `http://127.0.0.1:${api}`;
  }

  async ready(): Promise<void> {
    await until('the collector is ready', async () => (await fetch(`${this.#url}/readyz`)).ok);
  }

  async progress(): Promise<Progress> {
    const response = await fetch(`${this.#url}/metrics`, { signal: AbortSignal.timeout(5000) });
    const text = await response.text();
    return {
      rows: total(text, 'collector_rows_stored_total'),
      bytes: total(text, 'collector_received_bytes_total{kind="block"}'),
      lag: total(text, 'collector_sink_lag_blocks'),
    };
  }

  /** Memory that has bounds of its own, whoever is connected: rows for plots, and the newest blocks. */
  async bounded(): Promise<{ live: number; tail: number }> {
    const response = await fetch(`${this.#url}/metrics`, { signal: AbortSignal.timeout(30_000) });
    const text = await response.text();
    return {
      live: total(text, 'collector_live_bytes'),
      tail: total(text, 'collector_journal_tail_bytes'),
    };
  }

  /** How long scrapes take, once so many gateways have reported. */
  async scraped(gateways: number): Promise<{ series: number; medianMs: number; bestMs: number }> {
    const scrape = async () => (await fetch(`${this.#url}/metrics`)).text();
    await until('all have reported', async () => {
      return (await scrape()).split('\ngateway_outbox_bytes{').length > gateways;
    });
    const times: number[] = [];
    let series = 0;
    for (let i = 0; i < scrapes; i++) {
      const begunMs = performance.now();
      const text = await scrape();
      times.push(performance.now() - begunMs);
      series = text.split('\n').filter(line => /^[a-z]/.test(line)).length;
    }
    times.sort((a, b) => a - b);
    return { series, medianMs: times[scrapes / 2]!, bestMs: times[0]! };
  }

  /** Rows that agents hold, by their last reports; undefined before the first. */
  async underWay(): Promise<number | undefined> {
    const { devices } = await getJson<{ devices: { inFlight: number }[] }>(`${this.#url}/api/ledger`);
    return devices.length ? devices.reduce((sum, { inFlight }) => sum + inFlight, 0) : undefined;
  }

  /** Speed bought with lost rows is none. */
  async balanced(): Promise<boolean> {
    return (await getJson<{ balanced: boolean }>(`${this.#url}/api/ledger`)).balanced;
  }
}

/** Sum over all labels of a metric in Prometheus' text format, or one series of it with its labels. */
export function total(text: string, name: string): number {
  const series = name.replace(/[{}]/g, '\\$&');
  const lines = text.matchAll(new RegExp(`^${series}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'));
  const values = [...lines].map(([, value]) => Number(value));
  if (values.length === 0) throw new Error(`the collector does not tell ${name}`);
  return values.reduce((sum, value) => sum + value, 0);
}
