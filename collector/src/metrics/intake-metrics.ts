import type { Metrics } from '@edgeward/shared/metrics/metrics';
import type { MetricSources } from '../metrics.js';

/** What comes in, and how long it took. */
export function addIntakeMetrics(metrics: Metrics, sources: () => MetricSources): void {
  const counts = () => sources().ingest.counts;
  const messages = () => sources().ingest.traffic.messages;
  metrics.counters('collector_received_messages_total', 'Messages received from gateways', ['kind'], () =>
    [...messages()].map(([kind, { count }]) => [kind, count] as const),
  );
  metrics.counters('collector_received_bytes_total', 'Bytes of these messages', ['kind'], () =>
    [...messages()].map(([kind, { bytes }]) => [kind, bytes] as const),
  );
  metrics.counter('collector_blocks_stored_total', 'Blocks journaled', () => counts().blocks);
  metrics.counter('collector_rows_stored_total', 'Rows journaled', () => counts().rows);
  metrics.counter(
    'collector_duplicates_total',
    'Blocks received again and not stored again',
    () => counts().duplicates,
  );
  metrics.counter(
    'collector_dead_letters_total',
    'Blocks that were not understood and were kept aside',
    () => counts().deadLetters,
  );
  metrics.counter(
    'collector_refused_blocks_total',
    'Blocks of copies and strangers, which keep them',
    () => counts().refused,
  );
  metrics.counters(
    'collector_receipts_sent_total',
    'Receipts sent; one names a range of blocks',
    ['mark'],
    () => Object.entries(sources().ingest.traffic.receipts),
  );
  metrics.histogram(
    'collector_ingest_delay_seconds',
    "From the time of a block's last row to its commit in the journal; includes what the clocks differ by",
    () => sources().ingest.delays.whole,
  );
  metrics.histograms(
    'collector_hop_delay_seconds',
    'Parts of the ingest delay: read = from the last row to the block of the agent, sent = to its arrival here, through outbox and network, ingested = to its commit',
    ['hop'],
    () => Object.entries(sources().ingest.delays.hops),
  );
  metrics.gauge(
    'collector_ingest_queue_bytes',
    'What waits for the journal',
    () => sources().ingest.queuedBytes,
  );
  metrics.gauge(
    'collector_ingest_queue_max_bytes',
    'Above this gateways have to wait',
    () => sources().queueMaxBytes,
  );
  metrics.gauge('collector_broker_up', '1 = the broker listens, or the external one is connected', () =>
    sources().broker()?.status.ok ? 1 : 0,
  );
  metrics.gauge(
    'collector_broker_connections',
    'MQTT connections',
    () => sources().broker()?.connections ?? 0,
  );
  metrics.counters('collector_broker_refusals_total', 'What the broker refused', ['reason'], () => [
    ...(sources().broker()?.refusals ?? []),
  ]);
}
