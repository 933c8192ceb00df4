import type { Metrics } from '@edgeward/shared/metrics/metrics';
import type { MetricSources } from '../metrics.js';
import { outcomes } from '../training/runs.js';

/** The last training of each device type that somebody asked for or that has a schedule. */
export function addTrainingMetrics(metrics: Metrics, sources: () => Pick<MetricSources, 'trainings'>): void {
  const ended = () =>
    sources()
      .trainings.view()
      .filter(({ endedMs }) => endedMs !== null);
  metrics.gauges(
    'collector_training_outcome',
    'The last training of a device type from the journal: 1 for what came of it',
    ['type', 'outcome'],
    () =>
      ended().flatMap(({ type, state }) =>
        outcomes.map((outcome): [string, string, number] => [type, outcome, state === outcome ? 1 : 0]),
      ),
  );
  metrics.gauges('collector_training_end_timestamp_seconds', 'When it ended, Unix time', ['type'], () =>
    ended().map(({ type, endedMs }): [string, number] => [type, endedMs! / 1000]),
  );
  metrics.gauges('collector_training_seconds', 'How long it took', ['type'], () =>
    ended().map(({ type, startedMs, endedMs }): [string, number] => [type, (endedMs! - startedMs!) / 1000]),
  );
  metrics.gauges(
    'collector_training_rows',
    'Rows it learned from; none where none was trained',
    ['type'],
    () => ended().flatMap(({ type, rows }): [string, number][] => (rows === null ? [] : [[type, rows]])),
  );
}
