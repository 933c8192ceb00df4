import { dashboard } from './dashboard.js';
import {
  bars,
  graph,
  green,
  limit,
  override,
  promql,
  promqlNow,
  promqlTable,
  red,
  stacked,
  stat,
  table,
  yellow,
} from './panels.js';
import { fleet } from './plant.js';

const chosen = 'gateway=~"$gateway"';

/** Of a histogram. */
function quantile(q: number, name: string, by = ''): string {
  const labels = by ? `le, ${by}` : 'le';
  return `histogram_quantile(${q}, sum by (${labels}) (rate(${name}_bucket[$__rate_interval])))`;
}

export const pipeline = dashboard({
  uid: 'edgeward-pipeline',
  title: 'Pipeline health',
  description:
    'Whether the way from the device to the last store is clear, and which hop is late when it is not.',
  from: 'now-1h',
  variables: fleet,
  sections: [
    {
      title: 'Now',
      panels: [
        stat({
          title: 'Journal',
          description:
            'Whether what arrives can be stored. Full: receipts wait for a sink that lags, and gateways keep what they have.',
          queries: [
            promqlNow('min(collector_journal_up)', 'disk'),
            promqlNow('1 - max(collector_journal_blocked)', 'intake'),
            promqlNow('min(collector_broker_up)', 'broker'),
          ],
          mappings: { 1: { text: 'works', color: green }, 0: { text: 'down', color: red } },
          width: 8,
          height: 4,
        }),
        stat(
          {
            title: 'Delay, p99',
            description:
              'From the time of a block’s last row to its commit in the journal, with what clocks differ by.',
            queries: [promql(quantile(0.99, 'collector_ingest_delay_seconds'), 'p99')],
            unit: 's',
            steps: [
              [null, green],
              [5, yellow],
              [60, red],
            ],
            width: 4,
            height: 4,
          },
          'area',
        ),
        stat({
          title: 'Sinks that work',
          description:
            'Whether the last write of each sink worked. One that is down holds up no other; it reads on from the journal later.',
          queries: [promqlNow('min by (sink) (collector_sink_up)', '{{sink}}')],
          mappings: { 1: { text: 'works', color: green }, 0: { text: 'down', color: red } },
          width: 8,
          height: 4,
        }),
        stat({
          title: 'Journal used',
          description: 'Of its quota. At 100 % the oldest blocks go, those first that all sinks have.',
          queries: [promqlNow('max(collector_journal_bytes / collector_journal_max_bytes)', 'used')],
          unit: 'percentunit',
          steps: [
            [null, green],
            [0.8, yellow],
            [0.95, red],
          ],
          width: 4,
          height: 4,
        }),
      ],
    },
    {
      title: 'Intake',
      panels: [
        graph({
          title: 'Rows and blocks',
          description: 'A second, journaled. A block is what one source of a gateway sends at once.',
          queries: [
            promql('sum(rate(collector_rows_stored_total[$__rate_interval]))', 'rows'),
            promql('sum(rate(collector_blocks_stored_total[$__rate_interval]))', 'blocks'),
          ],
          unit: 'cps',
          min: 0,
          overrides: [override('blocks', { 'custom.axisPlacement': 'right' })],
          width: 8,
          height: 8,
        }),
        graph(
          {
            title: 'Delay',
            description:
              'From the time of a block’s last row to its commit in the journal. It rises after an outage, while the backlog comes.',
            queries: [
              promql(quantile(0.5, 'collector_ingest_delay_seconds'), 'p50'),
              promql(quantile(0.99, 'collector_ingest_delay_seconds'), 'p99'),
            ],
            unit: 's',
            min: 0,
            steps: [
              [null, green],
              [5, red],
            ],
            width: 8,
            height: 8,
          },
          limit,
        ),
        graph({
          title: 'Delay by hop, p99',
          description:
            'read: until the agent had closed the block. sent: through outbox and network. ingested: until the journal had it. The highest one is late.',
          queries: [promql(quantile(0.99, 'collector_hop_delay_seconds', 'hop'), '{{hop}}')],
          unit: 's',
          min: 0,
          width: 8,
          height: 8,
        }),
        graph(
          {
            title: 'Received bytes',
            description: 'A second, by kind of message.',
            queries: [
              promql('sum by (kind) (rate(collector_received_bytes_total[$__rate_interval]))', '{{kind}}'),
            ],
            unit: 'Bps',
            min: 0,
            width: 8,
            height: 8,
          },
          stacked,
        ),
        graph({
          title: 'Commits of the journal',
          description: 'How long a synced write takes: the disk. Receipts wait for it.',
          queries: [
            promql(quantile(0.5, 'collector_journal_commit_duration_seconds'), 'p50'),
            promql(quantile(0.99, 'collector_journal_commit_duration_seconds'), 'p99'),
          ],
          unit: 's',
          min: 0,
          width: 8,
          height: 8,
        }),
        graph({
          title: 'Not taken',
          description:
            'A second: blocks that came again (harmless), were not understood (kept as dead letters), were of copies and strangers, or were refused by the broker.',
          queries: [
            promql('sum(rate(collector_duplicates_total[$__rate_interval]))', 'came again'),
            promql('sum(rate(collector_dead_letters_total[$__rate_interval]))', 'not understood'),
            promql('sum(rate(collector_refused_blocks_total[$__rate_interval]))', 'of strangers'),
            promql(
              'sum(rate(collector_broker_refusals_total[$__rate_interval])) or vector(0)',
              'refused by the broker',
            ),
          ],
          unit: 'cps',
          min: 0,
          width: 8,
          height: 8,
        }),
      ],
    },
    {
      title: 'Journal and sinks',
      panels: [
        graph({
          title: 'Lag of sinks',
          description:
            'Since when the oldest block waits that a sink has yet to store. A line that only rises is a sink that is down or too slow; it holds up no other.',
          queries: [promql('max by (sink) (collector_sink_lag_seconds)', '{{sink}}')],
          unit: 's',
          min: 0,
          width: 8,
          height: 8,
        }),
        graph({
          title: 'Stored by sinks',
          description:
            'Rows a second. After an outage a sink catches up and its line rises above the others.',
          queries: [
            promql('sum by (sink) (rate(collector_sink_rows_stored_total[$__rate_interval]))', '{{sink}}'),
          ],
          unit: 'rowsps',
          min: 0,
          width: 8,
          height: 8,
        }),
        graph({
          title: 'Yet to store',
          description: 'Rows of the journal that each sink lags behind, about.',
          queries: [promql('max by (sink) (collector_sink_lag_rows)', '{{sink}}')],
          unit: 'short',
          min: 0,
          width: 8,
          height: 8,
        }),
        graph({
          title: 'Writes of sinks, p99',
          description: 'How long a write takes that works: the server behind the sink and the way to it.',
          queries: [promql(quantile(0.99, 'collector_sink_write_duration_seconds', 'sink'), '{{sink}}')],
          unit: 's',
          min: 0,
          width: 8,
          height: 8,
        }),
        graph(
          {
            title: 'What went wrong at sinks',
            description:
              'Failures in each interval, by code: EW_SINK_WRITE and EW_SINK_BUSY pass, EW_SINK_DENIED waits for somebody to change something.',
            queries: [
              promql(
                'sum by (sink, code) (increase(collector_sink_write_errors_total[$__interval]))',
                '{{sink}} {{code}}',
              ),
            ],
            interval: '1m',
            unit: 'short',
            decimals: 0,
            noValue: 'nothing',
            min: 0,
            width: 8,
            height: 8,
          },
          bars,
        ),
        graph({
          title: 'Size of the journal',
          description: 'On disk, and its quota.',
          queries: [
            promql('max(collector_journal_bytes)', 'blocks'),
            promql('max(collector_journal_max_bytes)', 'quota'),
          ],
          unit: 'bytes',
          min: 0,
          overrides: [
            override('quota', {
              'custom.lineStyle': { fill: 'dash', dash: [8, 8] },
              'custom.fillOpacity': 0,
            }),
          ],
          width: 8,
          height: 8,
        }),
      ],
    },
    {
      title: 'Gateways',
      panels: [
        graph({
          title: 'Outboxes',
          description:
            'What gateways have read and got no receipt for. It grows while a link is down and drains after it.',
          queries: [promql(`max by (gateway) (gateway_outbox_bytes{${chosen}})`, '{{gateway}}')],
          unit: 'bytes',
          min: 0,
          width: 12,
          height: 8,
        }),
        graph({
          title: 'Clocks',
          description: 'Of gateways, less the collector’s. Rows of a clock that is wrong have wrong times.',
          queries: [promql(`max by (gateway) (gateway_clock_offset_seconds{${chosen}})`, '{{gateway}}')],
          unit: 's',
          width: 12,
          height: 8,
        }),
        table({
          title: 'Fullest outboxes',
          description: 'Of their quota. A full one thins or drops the oldest normal rows, counted.',
          queries: [
            promqlTable(
              `topk(20, max by (gateway) (gateway_outbox_bytes{${chosen}} / gateway_outbox_max_bytes{${chosen}}))`,
            ),
            promqlTable(`max by (gateway) (gateway_outbox_blocks{${chosen}})`),
          ],
          columns: { gateway: 'Gateway', 'Value #A': 'Full', 'Value #B': 'Blocks' },
          sortBy: 'Full',
          overrides: [
            override('Full', {
              unit: 'percentunit',
              min: 0,
              max: 1,
              'custom.cellOptions': { type: 'gauge', mode: 'basic' },
              thresholds: {
                mode: 'absolute',
                steps: [
                  { value: null, color: green },
                  { value: 0.5, color: yellow },
                  { value: 0.9, color: red },
                ],
              },
            }),
          ],
          width: 24,
          height: 7,
        }),
      ],
    },
    {
      title: 'Processes',
      panels: [
        graph({
          title: 'CPU',
          description: 'Cores that the collector and each gateway’s agent use.',
          queries: [
            promql('rate(process_cpu_seconds_total{job="collector"}[$__rate_interval])', 'collector'),
            promql(
              `max by (gateway) (rate(gateway_cpu_seconds_total{${chosen}}[$__rate_interval]))`,
              '{{gateway}}',
            ),
          ],
          unit: 'cores',
          min: 0,
          width: 8,
          height: 8,
        }),
        graph({
          title: 'Memory',
          description: 'Resident, of the collector and each gateway’s agent.',
          queries: [
            promql('process_resident_memory_bytes{job="collector"}', 'collector'),
            promql(`max by (gateway) (gateway_resident_memory_bytes{${chosen}})`, '{{gateway}}'),
          ],
          unit: 'bytes',
          min: 0,
          width: 8,
          height: 8,
        }),
        graph({
          title: 'Event loop of the collector',
          description: 'How long what was due had to wait. Over 0.1 s it does too much at once.',
          queries: [
            promql(quantile(0.5, 'nodejs_eventloop_delay_seconds'), 'p50'),
            promql(quantile(0.99, 'nodejs_eventloop_delay_seconds'), 'p99'),
          ],
          unit: 's',
          min: 0,
          width: 8,
          height: 8,
        }),
      ],
    },
  ],
});
