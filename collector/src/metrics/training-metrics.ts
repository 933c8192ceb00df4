import type { Metrics } from '@edgeward/shared/metrics/metrics';
import type { MetricSources } from '../metrics.js';
import { outcomes } from '../training/runs.js';

/** Of each device type the last training of its schedule or, where it has none, the last that somebody asked for. */
export function addTrainingMetrics(metrics: Metrics, sources: () => Pick<MetricSources, 'trainings'>): void {
  type View = ReturnType<MetricSources['trainings']['standing']>[number];
  /** Of those of which it is known. */
  const each = (of: (view: View) => number | null) => () =>
    sources()
      .trainings.standing()
      .flatMap((view): [string, number][] => {
        const value = of(view);
        return value === null ? [] : [[view.type, value]];
      });
  metrics.gauges(
    'collector_training_outcome',
    'The last training of a device type from the journal: 1 for what came of it',
    ['type', 'outcome'],
    () =>
      sources()
        .trainings.standing()
        .filter(({ state }) => outcomes.some(outcome => outcome === state))
        .flatMap(({ type, state }) =>
          outcomes.map((outcome): [string, string, number] => [type, outcome, state === outcome ? 1 : 0]),
        ),
  );
  metrics.gauges(
    'collector_training_end_timestamp_seconds',
    'When it ended, Unix time; none while one runs',
    ['type'],
    each(({ endedMs }) => endedMs && endedMs / 1000),
  );
  metrics.gauges(
    'collector_training_seconds',
    'How long it took',
    ['type'],
    each(({ startedMs, endedMs }) => endedMs && (endedMs - startedMs!) / 1000),
  );
  metrics.gauges(
    'collector_training_rows',
    'Rows it learned from; none where none was trained',
    ['type'],
    each(({ rows }) => rows),
  );
  metrics.gauges(
    'collector_training_next_timestamp_seconds',
    'When the schedule trains it next, Unix time; none where it has no schedule',
    ['type'],
    each(({ nextMs }) => nextMs && nextMs / 1000),
  );
}
