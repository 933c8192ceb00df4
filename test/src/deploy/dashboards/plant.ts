import { choice, dashboard } from './dashboard.js';
import {
  bars,
  flux,
  graph,
  green,
  override,
  overrideQuery,
  promql,
  promqlNow,
  promqlTable,
  red,
  stat,
  table,
  yellow,
} from './panels.js';
import { everyWindow, fleetRows, gateways, perDevice, sites } from './queries.js';
import { severities } from './severity.js';
import type { Variable } from './types.js';

/** `.*` also for what has no site. */
export const anySite = choice({
  name: 'site',
  label: 'Site',
  description: 'Where gateways stand',
  query: sites,
  several: true,
  all: '.*',
});

/** Sites and gateways, several of each. */
export const fleet: readonly Variable[] = [
  anySite,
  choice({
    name: 'gateway',
    label: 'Gateway',
    description: 'Those that have sent rows',
    query: gateways,
    several: true,
    all: '.*',
  }),
];

const chosen = 'gateway=~"$gateway"';
const lastColumns = '|> keep(columns: ["_time", "_measurement", "site", "gateway", "device"])';
const countColumns = '|> group()\n  |> keep(columns: ["_value", "gateway", "device"])';
const toDevice = {
  title: 'Show this device',
  url: '/d/edgeward-device?var-gateway=${__data.fields.Gateway}&var-type=${__data.fields.Type}&var-device=${__data.fields.Device}&${__url_time_range}',
};

export const plant = dashboard({
  uid: 'edgeward-plant',
  title: 'Plant overview',
  description: 'Is everything there, does it send, is anything wrong?',
  from: 'now-1h',
  variables: fleet,
  sections: [
    {
      title: 'Now',
      panels: [
        stat({
          title: 'Gateways online',
          description:
            'Connected, of those that the collector knows. One that is missing keeps what it reads.',
          queries: [
            promqlNow(`sum(gateway_up{${chosen}})`, 'online'),
            promqlNow(`count(gateway_up{${chosen}})`, 'known'),
          ],
          width: 5,
          height: 4,
        }),
        stat(
          {
            title: 'Rows stored',
            description: 'Rows a second that reached the journal. A row is one device at one time.',
            queries: [promql('sum(rate(collector_rows_stored_total[$__rate_interval]))', 'rows')],
            unit: 'rowsps',
            width: 5,
            height: 4,
          },
          'area',
        ),
        stat({
          title: 'Longest silence',
          description: 'How old the newest row of the quietest gateway is.',
          queries: [promqlNow(`max(time() - gateway_last_row_timestamp_seconds{${chosen}})`, 'silence')],
          unit: 's',
          min: 0,
          steps: [
            [null, green],
            [60, yellow],
            [300, red],
          ],
          width: 4,
          height: 4,
        }),
        stat({
          title: 'Open incidents',
          description: 'By severity; the dashboard Incidents has them in full.',
          queries: [promqlNow('sum by (severity) (collector_incidents_open)', '{{severity}}')],
          steps: [
            [null, green],
            [1, red],
          ],
          overrides: [
            override('info', { thresholds: { mode: 'absolute', steps: [{ value: null, color: green }] } }),
          ],
          width: 6,
          height: 4,
        }),
        stat({
          title: 'Delivery',
          description:
            'Whether every row that was read is accounted for. If not: the dashboard Delivery ledger, and edgeward audit.',
          queries: [promqlNow('min(collector_ledger_balanced)', 'ledger')],
          mappings: { 1: { text: 'balanced', color: green }, 0: { text: 'off', color: red } },
          width: 4,
          height: 4,
        }),
      ],
    },
    {
      title: 'Devices',
      panels: [
        graph({
          title: 'Rows by gateway',
          description:
            'Rows a second that the collector stored. A gap that fills later was an outage; after it the line rises above the usual.',
          queries: [
            promql(`sum by (gateway) (rate(gateway_rows_total{${chosen}}[$__rate_interval]))`, '{{gateway}}'),
          ],
          unit: 'rowsps',
          min: 0,
          width: 12,
          height: 8,
        }),
        graph(
          {
            title: 'Anomalous rows',
            description: 'Rows that a model or a rule flagged, by device.',
            queries: [
              flux(
                `${fleetRows('r._field == "anomaly" and r._value == true')}
  ${perDevice}
  ${everyWindow('count', true)}`,
              ),
            ],
            unit: 'short',
            name: '${__field.labels.gateway} ${__field.labels.device}',
            min: 0,
            noValue: 'none',
            width: 12,
            height: 8,
          },
          bars,
        ),
        graph({
          title: 'Highest score',
          description:
            'How unusual the model found the most unusual row, by device: 0 = as in training, towards 1 = never seen.',
          queries: [
            flux(
              `${fleetRows('r._field == "score"')}
  ${perDevice}
  ${everyWindow('max')}`,
            ),
          ],
          name: '${__field.labels.gateway} ${__field.labels.device}',
          min: 0,
          max: 1,
          decimals: 2,
          width: 24,
          height: 8,
        }),
        table({
          title: 'All devices',
          description: 'Within the time range. A click on a device shows it in detail.',
          queries: [
            flux(
              `${fleetRows('r._field == "quality"')}
  |> last()
  |> group()
  ${lastColumns}`,
            ),
            flux(
              `${fleetRows('r._field == "quality"')}
  |> count()
  ${countColumns}
  |> rename(columns: {_value: "rows"})`,
            ),
            flux(
              `${fleetRows('r._field == "anomaly" and r._value == true')}
  |> count()
  ${countColumns}
  |> rename(columns: {_value: "anomalies"})`,
            ),
            flux(
              `${fleetRows('r._field == "score"')}
  |> max()
  ${countColumns}
  |> rename(columns: {_value: "score"})`,
            ),
          ],
          columns: {
            gateway: 'Gateway',
            site: 'Site',
            device: 'Device',
            _measurement: 'Type',
            rows: 'Rows',
            anomalies: 'Anomalous',
            score: 'Highest score',
            _time: 'Newest row',
            Time: 'Newest row',
          },
          sortBy: 'Anomalous',
          overrides: [
            override('Device', { links: [toDevice] }),
            override('Highest score', { decimals: 2 }),
            override('Newest row', { unit: 'dateTimeFromNow' }),
          ],
          width: 24,
          height: 9,
        }),
      ],
    },
    {
      title: 'Gateways',
      panels: [
        table({
          title: 'All gateways',
          description: 'As the collector knows them. Outbox: what a gateway has read and got no receipt for.',
          queries: [
            promqlTable(`max by (gateway, site, version) (gateway_info{${chosen}})`),
            promqlTable(`max by (gateway) (gateway_up{${chosen}})`),
            promqlTable(`max by (gateway) (time() - gateway_last_row_timestamp_seconds{${chosen}})`),
            promqlTable(`max by (gateway) (gateway_outbox_bytes{${chosen}})`),
            promqlTable(`max by (gateway) (gateway_resident_memory_bytes{${chosen}})`),
            promqlTable(`max by (gateway) (gateway_clock_offset_seconds{${chosen}})`),
          ],
          columns: {
            gateway: 'Gateway',
            site: 'Site',
            version: 'Release',
            'Value #B': 'Link',
            'Value #C': 'Newest row',
            'Value #D': 'Outbox',
            'Value #E': 'Memory',
            'Value #F': 'Clock is ahead',
          },
          sortBy: 'Newest row',
          overrides: [
            override('Link', {
              mappings: [
                {
                  type: 'value',
                  options: { 1: { text: 'up', color: green }, 0: { text: 'down', color: red } },
                },
              ],
              'custom.cellOptions': { type: 'color-text' },
            }),
            override('Newest row', { unit: 's' }),
            override('Outbox', { unit: 'bytes' }),
            override('Memory', { unit: 'bytes' }),
            override('Clock is ahead', { unit: 's', decimals: 1 }),
          ],
          width: 24,
          height: 8,
        }),
      ],
    },
    {
      title: 'Incidents',
      panels: [
        graph(
          {
            title: 'Incidents opened',
            description: 'By the severity that they opened with.',
            queries: [
              promql(
                'sum by (severity) (increase(collector_incidents_opened_total[$__interval]))',
                '{{severity}}',
              ),
            ],
            interval: '1m',
            decimals: 0,
            min: 0,
            overrides: [...severities, overrideQuery('A', { unit: 'short' })],
            width: 24,
            height: 6,
          },
          bars,
        ),
      ],
    },
  ],
});
