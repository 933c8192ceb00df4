import type { Histogram } from '@edgeward/shared/metrics/histogram';
import type { Labelled, Metrics } from '@edgeward/shared/metrics/metrics';
import type { MetricSources } from '../metrics.js';

/** A follower of the journal: a sink, or what makes incidents. */
export interface Followed {
  readonly name: string;
  readonly failure: string | null;
  readonly lag: number;
}

/** What is known of one; absent = nobody has counted it. */
interface SinkNumbers {
  readonly up: boolean;
  readonly state?: string;
  readonly lagBlocks: number;
  readonly lagRows?: number;
  readonly lagMs?: number;
  readonly rowsStored?: number;
  readonly writeSeconds?: Histogram;
  readonly errors?: ReadonlyMap<string, number>;
  readonly deadLetterRows?: number;
}

/** `incidents` is one of them: it follows the journal as sinks do. */
export function addSinkMetrics(metrics: Metrics, sources: () => MetricSources): void {
  const sinks = () => sources().followers();
  const each =
    <Value>(value: (sink: SinkNumbers) => Value) =>
    () =>
      sinks().map((sink): Labelled<Value> => [sink.name, value(numbersOf(sink))]);
  metrics.gauges(
    'collector_sink_up',
    '1 = its last write worked',
    ['sink'],
    each(({ up }) => (up ? 1 : 0)),
  );
  metrics.gauges('collector_sink_state', '1 = this is its state', ['sink', 'state'], () =>
    sinks().flatMap((sink): Labelled<number>[] => {
      const { state } = numbersOf(sink);
      return state === undefined ? [] : [[sink.name, state, 1]];
    }),
  );
  const lag = 'of the journal that it has yet to store';
  metrics.gauges(
    'collector_sink_lag_blocks',
    `Blocks ${lag}`,
    ['sink'],
    each(({ lagBlocks }) => lagBlocks),
  );
  metrics.gauges(
    'collector_sink_lag_rows',
    `Rows ${lag}`,
    ['sink'],
    each(({ lagRows }) => lagRows),
  );
  metrics.gauges(
    'collector_sink_lag_seconds',
    'How long ago the oldest block came that it has yet to store; 0 = none',
    ['sink'],
    each(({ lagMs }) => lagMs && lagMs / 1000),
  );
  metrics.counters(
    'collector_sink_rows_stored_total',
    'Rows that it stored',
    ['sink'],
    each(({ rowsStored }) => rowsStored),
  );
  metrics.histograms(
    'collector_sink_write_duration_seconds',
    'Writes that worked',
    ['sink'],
    each(({ writeSeconds }) => writeSeconds),
  );
  metrics.counters(
    'collector_sink_write_errors_total',
    'Writes that failed, by the code of the error',
    ['sink', 'code'],
    () =>
      sinks().flatMap(sink =>
        [...(numbersOf(sink).errors ?? [])].map(([code, count]) => [sink.name, code, count] as const),
      ),
  );
  metrics.counters(
    'collector_sink_dead_letter_rows_total',
    'Rows that its server refused for good: they are among the dead letters',
    ['sink'],
    each(({ deadLetterRows }) => deadLetterRows),
  );
  metrics.counters(
    'collector_sink_lost_rows_total',
    'Rows that it never got, because it lagged until the journal was full; over all starts',
    ['sink'],
    () => {
      const losses = sources().journal.losses.all();
      return sinks().map(({ name }): Labelled<number> => [name, losses.get(name)?.rows ?? 0]);
    },
  );
}

function numbersOf({ failure, lag }: Followed): SinkNumbers {
  return { up: failure === null, lagBlocks: lag };
}
