import { dashboard } from './dashboard.js';
import {
  bars,
  flux,
  graph,
  green,
  override,
  promql,
  promqlNow,
  red,
  stacked,
  stat,
  table,
  yellow,
} from './panels.js';
import { fleet } from './plant.js';
import { events, everyWindow } from './queries.js';

export const ledger = dashboard({
  uid: 'edgeward-ledger',
  title: 'Delivery ledger',
  description:
    'read = stored + in flight + rejected + thinned + dropped + damaged. Each is counted by itself.',
  from: 'now-6h',
  variables: fleet,
  sections: [
    {
      title: 'The sum',
      panels: [
        stat({
          title: 'Ledger',
          description:
            'Whether every row that was read is accounted for. If not, edgeward audit names the rows.',
          queries: [promqlNow('min(collector_ledger_balanced)', 'ledger')],
          mappings: { 1: { text: 'balanced', color: green }, 0: { text: 'off', color: red } },
          width: 4,
          height: 4,
        }),
        stat({
          title: 'Devices out of balance',
          description:
            'For which the sum is not right. One that is so for a moment only has a report under way.',
          queries: [promqlNow('max(collector_ledger_unbalanced_devices)', 'devices')],
          steps: [
            [null, green],
            [1, red],
          ],
          width: 4,
          height: 4,
        }),
        stat({
          title: 'Rows',
          description: 'Over all starts: read by agents, stored by the journal, still held by agents.',
          queries: [
            promqlNow('sum(collector_ledger_read_rows_total)', 'read'),
            promqlNow('sum(collector_ledger_stored_rows_total)', 'stored'),
            promqlNow('sum(collector_ledger_in_flight_rows)', 'in flight'),
          ],
          unit: 'locale',
          width: 10,
          height: 4,
        }),
        stat({
          title: 'Given up, counted',
          description:
            'Rejected: not understood. Thinned, dropped: an outbox was full. Damaged: on its disk.',
          queries: [promqlNow('sum by (reason) (collector_ledger_lost_rows_total)', '{{reason}}')],
          unit: 'locale',
          steps: [
            [null, green],
            [1, yellow],
          ],
          width: 6,
          height: 4,
        }),
      ],
    },
    {
      title: 'Over time',
      panels: [
        graph({
          title: 'Read and stored',
          description:
            'Rows a second. The lines part in an outage and cross after it; what lies between them is in flight.',
          queries: [
            promql('sum(rate(collector_ledger_read_rows_total[$__rate_interval]))', 'read'),
            promql('sum(rate(collector_ledger_stored_rows_total[$__rate_interval]))', 'stored'),
          ],
          unit: 'rowsps',
          min: 0,
          width: 12,
          height: 8,
        }),
        graph({
          title: 'In flight',
          description: 'Rows that agents hold, by their last reports. It should come back to nearly nothing.',
          queries: [promql('sum(collector_ledger_in_flight_rows)', 'in flight')],
          unit: 'short',
          min: 0,
          width: 12,
          height: 8,
        }),
        graph(
          {
            title: 'Given up, by reason',
            description: 'Rows within each interval. Every one has an event below.',
            queries: [
              promql(
                'sum by (reason) (increase(collector_ledger_lost_rows_total[$__interval]))',
                '{{reason}}',
              ),
            ],
            interval: '1m',
            unit: 'short',
            min: 0,
            width: 12,
            height: 8,
          },
          bars,
        ),
        graph(
          {
            title: 'Never reached a sink',
            description:
              'Rows that a sink outside receiptAfter lost, because it lagged until the journal was full; over all starts.',
            queries: [promql('max by (sink) (collector_sink_lost_rows_total)', '{{sink}}')],
            unit: 'short',
            min: 0,
            width: 12,
            height: 8,
          },
          stacked,
        ),
        graph(
          {
            title: 'Refused by sinks',
            description:
              'Rows that the server behind a sink will never take. They are among the dead letters, whole and with what it said: edgeward replay stores them after a change there.',
            queries: [promql('max by (sink) (collector_sink_dead_letter_rows_total)', '{{sink}}')],
            unit: 'short',
            min: 0,
            width: 8,
            height: 7,
          },
          { lineInterpolation: 'stepAfter' },
        ),
        graph({
          title: 'Sent and received again',
          description:
            'Blocks a second that came a second time and were not stored again: the price of receipts that got lost.',
          queries: [promql('sum(rate(collector_duplicates_total[$__rate_interval]))', 'came again')],
          unit: 'cps',
          min: 0,
          width: 8,
          height: 7,
        }),
        graph(
          {
            title: 'Dead letters',
            description: 'Blocks that were not understood: kept, and deleted for want of room.',
            queries: [
              promql('sum(collector_dead_letters)', 'kept'),
              promql('sum(collector_dead_letters_dropped_total)', 'deleted'),
            ],
            unit: 'short',
            decimals: 0,
            min: 0,
            width: 8,
            height: 7,
          },
          { lineInterpolation: 'stepAfter' },
        ),
      ],
    },
    {
      title: 'Events',
      panels: [
        graph(
          {
            title: 'Events by kind',
            description: 'What must not pass silently: gaps, damage, drops, clocks, identities, disks.',
            queries: [
              flux(
                `${events('r._field == "text"')}
  |> group(columns: ["kind"])
  ${everyWindow('count', true)}`,
              ),
            ],
            name: '${__field.labels.kind}',
            noValue: 'none',
            decimals: 0,
            min: 0,
            width: 24,
            height: 6,
          },
          bars,
        ),
        table({
          title: 'Newest events',
          description: 'Of gateways and of the collector, the newest 500 within the time range.',
          queries: [
            flux(
              `${events('exists r.kind')}
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> group()
  |> sort(columns: ["_time"], desc: true)
  |> limit(n: 500)
  |> keep(columns: ["_time", "gateway", "device", "kind", "text"])`,
            ),
          ],
          columns: {
            _time: 'Time',
            Time: 'Time',
            gateway: 'Gateway',
            device: 'Device',
            kind: 'Kind',
            text: 'What',
          },
          sortBy: 'Time',
          overrides: [override('Time', { unit: 'dateTimeAsLocal' })],
          noValue: 'none',
          width: 24,
          height: 9,
        }),
      ],
    },
  ],
});
