import type { ReaderLag } from '@edgeward/shared/contracts';
import type { Labelled, Metrics } from '@edgeward/shared/metrics/metrics';
import type { MetricSources } from '../metrics.js';
import type { ConsumerState, ConsumerView } from '../runtime/view.js';

/** A follower of the journal: a sink, or what makes incidents. */
export interface Followed {
  view(): ConsumerView;
}

const states: readonly ConsumerState[] = [
  'opening',
  'running',
  'retrying',
  'failing',
  'denied',
  'paused',
  'stopped',
];

/** `incidents` is one of them: it follows the journal as sinks do. */
export function addSinkMetrics(
  metrics: Metrics,
  sources: () => Pick<MetricSources, 'followers' | 'journal'>,
): void {
  let sinks: readonly ConsumerView[] = [];
  metrics.prepare(() => {
    sinks = sources()
      .followers()
      .map(follower => follower.view());
  });
  const gauge = (name: string, help: string, value: (sink: ConsumerView) => number) =>
    metrics.gauges(name, help, ['sink'], () => sinks.map(sink => [sink.name, value(sink)] as const));
  const counter = (name: string, help: string, value: (sink: ConsumerView) => number) =>
    metrics.counters(name, help, ['sink'], () => sinks.map(sink => [sink.name, value(sink)] as const));
  gauge('collector_sink_up', '1 = its last write worked, and it has not ended', ({ failure, state }) =>
    failure === null && state !== 'stopped' ? 1 : 0,
  );
  metrics.gauges(
    'collector_sink_state',
    '1 = this is its state: retrying = it failed and is tried again, failing = so often that only little is tried, denied = somebody has to change something',
    ['sink', 'state'],
    () =>
      sinks.flatMap(sink => {
        const now = stateOf(sink);
        return states.map((state): Labelled<number> => [sink.name, state, state === now ? 1 : 0]);
      }),
  );
  gauge(
    'collector_sink_lag_blocks',
    'Blocks of the journal that it has yet to store',
    ({ lag }) => lag.blocks,
  );
  gauge('collector_sink_lag_rows', 'Rows of these blocks, about', ({ lag }) => lag.rows);
  gauge(
    'collector_sink_lag_seconds',
    'Since when the oldest block waits that it has yet to store; 0 = none',
    ({ lag }) => lag.seconds,
  );
  const readers = (name: string, help: string, value: (reader: ReaderLag) => number) =>
    metrics.gauges(name, help, ['sink', 'group', 'topic', 'partition'], () =>
      sinks.flatMap(sink =>
        sink.readers.map((reader): Labelled<number> => {
          const { group, topic, partition } = reader;
          return [sink.name, group, topic, String(partition), value(reader)];
        }),
      ),
    );
  readers(
    'collector_kafka_consumer_lag_messages',
    'Messages that a consumer group in lagGroups has yet to take',
    ({ messages }) => messages,
  );
  readers(
    'collector_kafka_consumer_lag_seconds',
    'How long the oldest of them has been there, as far as the sink has watched; 0 = there is none',
    ({ seconds }) => seconds,
  );
  counter('collector_sink_blocks_stored_total', 'Blocks that it stored', ({ blocksStored }) => blocksStored);
  counter('collector_sink_rows_stored_total', 'Rows that it stored', ({ rowsStored }) => rowsStored);
  counter(
    'collector_sink_missed_notes_total',
    'Incidents and events that it never got: they were given up while it lagged too far behind, or were damaged on disk',
    ({ notesMissed }) => notesMissed,
  );
  metrics.histograms('collector_sink_write_duration_seconds', 'Writes that worked', ['sink'], () =>
    sinks.map(({ name, writeSeconds }) => [name, writeSeconds] as const),
  );
  metrics.counters(
    'collector_sink_write_errors_total',
    'What went wrong, by the code of the error',
    ['sink', 'code'],
    () => sinks.flatMap(({ name, errors }) => [...errors].map(([code, n]) => [name, code, n] as const)),
  );
  counter(
    'collector_sink_dead_letter_rows_total',
    'Rows that its server refused for good: they went to the dead letters',
    ({ refusedRows }) => refusedRows,
  );
  gauge('collector_sink_dead_letters', 'Its dead letters that are kept', ({ letters }) => letters.letters);
  counter(
    'collector_sink_lost_rows_total',
    'Rows that it never got, because it lagged until the journal gave its blocks up; over all starts',
    ({ name }) => sources().journal.losses.all().get(name)?.rows ?? 0,
  );
}

/** Who is not let in at the start is denied, too. */
function stateOf({ state, failure }: ConsumerView): ConsumerState {
  return state === 'opening' && failure?.code === 'EW_SINK_DENIED' ? 'denied' : state;
}
