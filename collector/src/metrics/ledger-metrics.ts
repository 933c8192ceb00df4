import type { Metrics } from '@edgeward/shared/metrics/metrics';
import { type FleetLedger, fleetLedger } from '../ledger.js';
import type { MetricSources } from '../metrics.js';

const losses = ['rejected', 'thinned', 'dropped', 'damaged'] as const;

/** The delivery ledger of the whole fleet, over all starts. */
export function addLedgerMetrics(
  metrics: Metrics,
  sources: () => { readonly journal: Pick<MetricSources['journal'], 'accounts' | 'received'> },
): void {
  let fleet: FleetLedger | undefined;
  metrics.prepare(() => {
    const { received, accounts } = sources().journal;
    fleet = fleetLedger(received, accounts);
  });
  metrics.counter('collector_ledger_read_rows_total', 'Rows that agents have read', () => fleet?.read);
  metrics.counter(
    'collector_ledger_stored_rows_total',
    'Of these, rows that the journal had',
    () => fleet?.stored,
  );
  metrics.gauge(
    'collector_ledger_in_flight_rows',
    'Of these, rows that agents still hold, by their last reports',
    () => fleet?.inFlight,
  );
  metrics.counters(
    'collector_ledger_lost_rows_total',
    'Of these, rows that were given up, counted: rejected = not understood, thinned and dropped = the outbox was full, damaged = on its disk',
    ['reason'],
    () => losses.map(reason => [reason, fleet?.[reason]] as const),
  );
  metrics.gauge(
    'collector_ledger_earlier_rows',
    'Of these, rows that were delivered to a journal before this one',
    () => fleet?.earlier,
  );
  metrics.counter(
    'collector_ledger_recovered_rows_total',
    'Rows of starts that were killed before they could note that they had read them',
    () => fleet?.recovered,
  );
  metrics.gauge(
    'collector_ledger_unbalanced_devices',
    'Devices of which not every row that was read is accounted for',
    () => fleet?.unbalanced,
  );
  metrics.gauge(
    'collector_ledger_balanced',
    '1 = every row that was read is accounted for',
    () => fleet && (fleet.unbalanced === 0 ? 1 : 0),
  );
}
