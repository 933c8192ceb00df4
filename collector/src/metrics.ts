import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { IncidentEngine } from './alerts/engine.js';
import type { Gateways } from './gateways.js';
import type { Ingest } from './ingest.js';
import type { Journal } from './journal/journal.js';
import { ledgerView } from './ledger.js';
import type { Link } from './link.js';

export interface MetricSources {
  readonly ingest: Ingest;
  readonly journal: Journal;
  readonly broker: () => Link | undefined;
  readonly gateways: Gateways;
  /** What follows the journal now. */
  readonly followers: () => readonly { readonly name: string; readonly lag: number }[];
  readonly engine: IncidentEngine;
  readonly live: { readonly bytes: number };
}

/** Read when scraped: nothing is counted twice and nothing costs anything between scrapes. */
export function createMetrics(sources: MetricSources): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { ingest, journal, broker, gateways, followers, engine, live } = sources;
  const plain = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  const total = (name: string, help: string, value: () => number) =>
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  total('collector_blocks_stored_total', 'Blocks journaled since the start', () => ingest.counts.blocks);
  total('collector_rows_stored_total', 'Rows journaled since the start', () => ingest.counts.rows);
  total(
    'collector_duplicates_total',
    'Blocks received again and not stored again',
    () => ingest.counts.duplicates,
  );
  total('collector_dead_letters_total', 'Blocks that were not understood', () => ingest.counts.deadLetters);
  total('collector_refused_blocks_total', 'Blocks of copies and strangers', () => ingest.counts.refused);
  plain('collector_dead_letters', 'Dead letters kept', () => journal.deadLetters.count);
  labelledTotal(
    registry,
    'collector_sink_lost_rows_total',
    'Rows a sink never got, because it lagged until the journal was full',
    'sink',
    () => [...journal.losses.all()].map(([sink, { rows }]) => [sink, rows] as const),
  );
  total('collector_received_bytes_total', 'Bytes of blocks received', () => ingest.counts.bytes);
  plain('collector_journal_position', 'Newest position of the journal', () => journal.position);
  plain('collector_live_bytes', 'Memory of the rows kept for plots', () => live.bytes);
  plain('collector_journal_tail_bytes', 'Memory of the newest blocks, about', () => journal.tailBytes);
  plain('collector_broker_connections', 'MQTT connections', () => broker()?.connections ?? 0);
  labelledTotal(registry, 'collector_broker_refusals_total', 'What the broker refused', 'reason', () => [
    ...(broker()?.refusals ?? []),
  ]);
  plain('collector_incidents_open', 'Open incidents', () => engine.counts().open);
  plain('collector_ledger_balanced', '1 = every row read is accounted for', () =>
    ledgerView(journal.received, journal.accounts).balanced ? 1 : 0,
  );
  labelled(registry, 'collector_sink_lag_deliveries', 'Deliveries a sink has yet to store', 'sink', () =>
    followers().map(({ name, lag }) => [name, lag] as const),
  );
  const reported =
    (value: (report: NonNullable<ReturnType<Gateways['all']>[number]['report']>) => number) => () =>
      gateways.all().flatMap(({ id, report }) => (report ? [[id, value(report)] as const] : []));
  labelled(registry, 'gateway_up', '1 = the gateway is connected', 'gateway', () =>
    gateways.all().map(({ id, state }) => [id, state?.online ? 1 : 0] as const),
  );
  labelled(
    registry,
    'gateway_outbox_bytes',
    'Bytes in the outbox',
    'gateway',
    reported(({ outbox }) => outbox.bytes),
  );
  labelled(
    registry,
    'gateway_outbox_blocks',
    'Blocks in the outbox',
    'gateway',
    reported(({ outbox }) => outbox.blocks),
  );
  labelled(
    registry,
    'gateway_resident_memory_bytes',
    'RSS of the agent',
    'gateway',
    reported(r => r.process.rssBytes),
  );
  return registry;
}

type Labelled = () => readonly (readonly [string, number])[];

function labelledTotal(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  values: Labelled,
): void {
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [key, value] of values()) this.inc({ [label]: key }, value);
    },
  });
}

function labelled(registry: Registry, name: string, help: string, label: string, values: Labelled): void {
  new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [key, value] of values()) this.set({ [label]: key }, value);
    },
  });
}
