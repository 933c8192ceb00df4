import type { Metrics } from '@edgeward/shared/metrics/metrics';
import type { MetricSources } from '../metrics.js';

export function addJournalMetrics(metrics: Metrics, sources: () => MetricSources): void {
  const journal = () => sources().journal;
  let bytes: number | undefined;
  let oldestMs: number | undefined;
  metrics.prepare(async () => {
    bytes = await journal().bytes();
    oldestMs = await journal().oldestMs();
  });
  metrics.gauge('collector_journal_up', '1 = what arrives can be stored', () =>
    sources().ingest.failure === null && sources().blocked() === null ? 1 : 0,
  );
  metrics.gauge(
    'collector_journal_blocked',
    '1 = full, and receipts wait for a sink: nothing is taken in',
    () => (sources().blocked() === null ? 0 : 1),
  );
  metrics.histogram(
    'collector_journal_commit_duration_seconds',
    'Synced writes of the journal',
    () => journal().commitSeconds,
  );
  metrics.gauge(
    'collector_journal_bytes',
    'Blocks on disk, nearly: what LevelDB still has in memory is not counted',
    () => bytes,
  );
  metrics.gauge(
    'collector_journal_max_bytes',
    'Quota: above it the oldest blocks are deleted',
    () => sources().journalMaxBytes,
  );
  metrics.gauge('collector_journal_blocks', 'Blocks on disk', () => {
    const { position, gone } = journal();
    return position - gone.countWithin(1, position);
  });
  metrics.counter(
    'collector_journal_appended_blocks_total',
    'Blocks that this journal ever took',
    () => journal().appended,
  );
  metrics.gauge(
    'collector_journal_oldest_block_timestamp_seconds',
    'When its oldest block came, Unix time; none while it is empty',
    () => oldestMs && oldestMs / 1000,
  );
  metrics.counter(
    'collector_journal_damages_total',
    'What this start found broken or lost in it',
    () => journal().damage.length,
  );
  metrics.gauge(
    'collector_journal_tail_bytes',
    'Memory of the newest blocks, about',
    () => journal().tailBytes,
  );
  metrics.gauge('collector_dead_letters', 'Dead letters kept', () => journal().deadLetters.count);
  metrics.counter(
    'collector_dead_letters_dropped_total',
    'Dead letters deleted for want of room, over all starts',
    () => journal().deadLetters.dropped,
  );
  metrics.gauge('collector_live_bytes', 'Memory of the rows kept for plots', () => sources().live.bytes);
}
