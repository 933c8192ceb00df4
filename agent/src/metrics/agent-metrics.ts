/** What an agent tells Prometheus. No label has a device's name, nor text that somebody may choose freely. */

import { addDiskMetrics } from '@edgeward/shared/metrics/disk-metrics';
import type { Histogram } from '@edgeward/shared/metrics/histogram';
import type { LoopDelay } from '@edgeward/shared/metrics/loop-delay';
import { type Labelled, type MetricDescription, Metrics } from '@edgeward/shared/metrics/metrics';
import { addProcessMetrics } from '@edgeward/shared/metrics/process-metrics';
import { version } from '@edgeward/shared/version';
import type { OutboxNumbers } from '../outbox/level-outbox.js';
import type { UplinkNumbers } from '../uplinks/mqtt.js';
import type { SourceCounts, SourceState } from './source-counts.js';

export interface AgentMetricSources {
  readonly gateway: string;
  readonly site: string;
  readonly dataDir: string;
  readonly sources: ReadonlyMap<string, SourceCounts>;
  readonly scoreSeconds: Histogram;
  /** Device type → revision in use. */
  readonly models: () => Readonly<Record<string, string>>;
  readonly outbox: () => OutboxNumbers;
  readonly uplink: () => UplinkNumbers;
  /** By the code of the error. */
  readonly linkFailures: ReadonlyMap<string, number>;
  readonly clock: () => { readonly synchronised: boolean; readonly offsetMs: number | undefined };
}

type Of = () => AgentMetricSources;

export function agentMetrics(of: Of, loop: () => LoopDelay): Metrics {
  const metrics = new Metrics();
  metrics.gauges('agent_info', 'Always 1', ['gateway', 'site', 'version'], () => {
    const { gateway, site } = of();
    return [[gateway, site, version, 1]];
  });
  addSources(metrics, of);
  addModels(metrics, of);
  addOutbox(metrics, of);
  addUplink(metrics, of);
  addClock(metrics, of);
  addDiskMetrics(metrics, 'agent', () => of().dataDir);
  addProcessMetrics(metrics, loop);
  return metrics;
}

/** What there is, for the documentation. */
export function describeMetrics(): readonly MetricDescription[] {
  const none = () => {
    throw new TypeError('metrics are only described here');
  };
  return agentMetrics(none, none).descriptions;
}

const states: readonly SourceState[] = ['reading', 'waiting', 'failed', 'ended'];

function addSources(metrics: Metrics, of: Of): void {
  const counter = (name: string, help: string, value: (counts: SourceCounts) => number) =>
    metrics.counters(name, help, ['source'], () =>
      [...of().sources].map(([source, counts]) => [source, value(counts)] as const),
    );
  metrics.gauges(
    'agent_source_state',
    '1 = this is its state: waiting = it failed and is tried again, failed = it has stopped for good, ended = its input has',
    ['source', 'state'],
    () =>
      [...of().sources].flatMap(([source, { now }]) =>
        states.map((state): Labelled<number> => [source, state, state === now ? 1 : 0]),
      ),
  );
  counter('agent_source_failures_total', 'Times that it failed', ({ failures }) => failures);
  counter('agent_source_blocks_total', 'Blocks read', ({ blocks }) => blocks);
  counter('agent_source_rows_total', 'Rows read', ({ rows }) => rows);
  counter('agent_source_readings_total', 'Readings: rows times their fields', ({ readings }) => readings);
  counter(
    'agent_source_rejected_rows_total',
    'Rows that could not become rows of data; the log has the reasons',
    ({ rejected }) => rejected,
  );
  counter(
    'agent_source_anomalous_rows_total',
    'Rows that a model or a rule flagged',
    ({ anomalies }) => anomalies,
  );
  metrics.counters(
    'agent_source_marked_rows_total',
    'Rows that were marked, by quality; one may be marked for several reasons',
    ['source', 'reason'],
    () =>
      [...of().sources].flatMap(([source, counts]) =>
        [...counts.marked()].map(([reason, rows]): Labelled<number> => [source, reason, rows]),
      ),
  );
}

function addModels(metrics: Metrics, of: Of): void {
  metrics.gauges(
    'agent_model_info',
    'Always 1: the model in use for a device type',
    ['type', 'revision'],
    () => Object.entries(of().models()).map(([type, revision]): Labelled<number> => [type, revision, 1]),
  );
  metrics.histogram(
    'agent_score_duration_seconds',
    'Time of a block with the models, and until it was its turn',
    () => of().scoreSeconds,
  );
}

function addOutbox(metrics: Metrics, of: Of): void {
  let outbox: OutboxNumbers | undefined;
  metrics.prepare(() => {
    outbox = of().outbox();
  });
  metrics.gauge('agent_outbox_bytes', 'What waits in the outbox', () => outbox?.bytes);
  metrics.gauge('agent_outbox_max_bytes', 'Its quota', () => outbox?.maxBytes);
  metrics.gauge('agent_outbox_blocks', 'Blocks in it', () => outbox?.blocks);
  metrics.gauge(
    'agent_outbox_memory_bytes',
    'Of its bytes, what is in memory and nowhere on disk',
    () => outbox?.memoryBytes,
  );
  metrics.gauge(
    'agent_outbox_oldest_block_timestamp_seconds',
    'When its oldest block was made, Unix time; none while it is empty',
    () => (outbox && outbox.oldestMs !== null ? outbox.oldestMs / 1000 : undefined),
  );
  metrics.gauge(
    'agent_outbox_writable',
    '0 = the last write failed',
    () => outbox && (outbox.failing ? 0 : 1),
  );
  metrics.counters(
    'agent_outbox_written_bytes_total',
    'Written to disk: blocks that were spilled or had to be written first, and records beside them',
    ['what'],
    () => Object.entries(outbox?.writtenBytes ?? {}),
  );
  metrics.histogram(
    'agent_outbox_commit_duration_seconds',
    'Synced writes of the outbox',
    () => outbox?.commitSeconds,
  );
  metrics.counter('agent_ledger_read_rows_total', 'Rows read, over all starts', () => outbox?.rows.read);
  metrics.counter(
    'agent_ledger_delivered_rows_total',
    'Of these, rows that the collector has journaled',
    () => outbox?.rows.delivered,
  );
  metrics.counters(
    'agent_ledger_lost_rows_total',
    'Of these, rows that were given up, counted: rejected = could not become rows of data, thinned and dropped = the outbox was full, damaged = on its disk',
    ['reason'],
    () => {
      const { rejected, thinned, dropped, damaged } = outbox?.rows ?? {};
      return Object.entries({ rejected, thinned, dropped, damaged });
    },
  );
}

function addUplink(metrics: Metrics, of: Of): void {
  const uplink = () => of().uplink();
  metrics.gauge('agent_uplink_up', '1 = connected', () => (uplink().up ? 1 : 0));
  metrics.counter('agent_uplink_connects_total', 'Tries to connect', () => uplink().counts.links);
  metrics.counters(
    'agent_uplink_failures_total',
    'Links that broke or could not be made, by the code of the error',
    ['code'],
    () => of().linkFailures,
  );
  metrics.counter('agent_uplink_sent_blocks_total', 'Blocks sent', () => uplink().counts.blocks);
  metrics.counter('agent_uplink_sent_bytes_total', 'Bytes of these blocks', () => uplink().counts.bytes);
  metrics.counter(
    'agent_uplink_resent_blocks_total',
    'Blocks that were under way when a link broke: they are sent again',
    () => uplink().counts.resent,
  );
  metrics.counters('agent_uplink_receipts_total', 'Receipts; one names a range of blocks', ['mark'], () =>
    Object.entries(uplink().counts.receipts),
  );
  metrics.gauge('agent_uplink_window_bytes', 'What may be under way', () => uplink().windowBytes);
  metrics.gauge('agent_uplink_in_flight_bytes', 'What is under way', () => uplink().underWay.bytes);
  metrics.gauge('agent_uplink_in_flight_blocks', 'Blocks under way', () => uplink().underWay.blocks);
  metrics.histogram(
    'agent_uplink_round_trip_seconds',
    'From sending a block to its receipt',
    () => uplink().roundTripSeconds,
  );
}

function addClock(metrics: Metrics, of: Of): void {
  metrics.gauge('agent_clock_synchronised', '1 = the clock is believed', () =>
    of().clock().synchronised ? 1 : 0,
  );
  metrics.gauge(
    'agent_clock_offset_seconds',
    "The clock less the collector's, as that last told; half a round trip off at most",
    () => {
      const { offsetMs } = of().clock();
      return offsetMs === undefined ? undefined : offsetMs / 1000;
    },
  );
}
