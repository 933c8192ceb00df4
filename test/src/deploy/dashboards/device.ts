import { choice, dashboard } from './dashboard.js';
import { bars, flux, graph, influx, override, overrideQuery, red, stat, table, yellow } from './panels.js';
import { anySite } from './plant.js';
import { channels, deviceRows, devices, everyWindow, gateways, inRange, types } from './queries.js';
import type { Annotation, Look, Variable } from './types.js';

const variables: readonly Variable[] = [
  anySite,
  choice({ name: 'gateway', label: 'Gateway', description: 'Those that have sent rows', query: gateways }),
  choice({ name: 'type', label: 'Type', description: 'Device types of this gateway', query: types }),
  choice({ name: 'device', label: 'Device', description: 'Devices of this type', query: devices }),
  choice({
    name: 'channel',
    label: 'Channel',
    description: 'What it measures',
    query: channels,
    several: true,
  }),
];

const points: Look = { 'custom.drawStyle': 'points', 'custom.pointSize': 6, 'custom.showPoints': 'always' };
const inRed: Look = { color: { mode: 'fixed', fixedColor: red } };

const ownIncidents = `${inRange}
  |> filter(fn: (r) => r._measurement == "edgeward_incident" and r.gateway == "\${gateway}" and r.device == "\${device}")
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> group(columns: ["id"])
  |> sort(columns: ["_time"])
  |> last(column: "title")
  |> group()`;

/** From opening to the newest change. */
const incidents: Annotation = {
  name: 'Incidents',
  datasource: influx,
  enable: true,
  hide: false,
  iconColor: red,
  target: {
    datasource: influx,
    refId: 'Anno',
    query: `${ownIncidents}
  |> map(fn: (r) => ({time: time(v: r.opened * 1000000), timeEnd: r._time, title: r.severity, text: r.title}))`,
  },
};

export const device = dashboard({
  uid: 'edgeward-device',
  title: 'Device detail',
  description: 'What one device measures, and what was unusual about it.',
  from: 'now-1h',
  variables,
  annotations: [incidents],
  sections: [
    {
      title: 'Within the time range',
      panels: [
        stat({
          title: 'Newest values',
          description: 'Of each chosen channel, in the unit of the device.',
          queries: [
            flux(
              `${deviceRows('r._field =~ /^${channel:regex}$/')}
  |> last()
  |> group(columns: ["_field"])`,
            ),
          ],
          name: '${__field.labels._field}',
          width: 14,
          height: 4,
        }),
        stat({
          title: 'Anomalous rows',
          description:
            'Rows that a model or a rule flagged, and rows whose quality is marked: out of range, stuck, missing, late by its clock.',
          queries: [
            flux(
              `${deviceRows('r._field == "anomaly"')}
  |> map(fn: (r) => ({_value: if r._value then 1 else 0}))
  |> sum()`,
            ),
            flux(
              `${deviceRows('r._field == "quality"')}
  |> map(fn: (r) => ({_value: if r._value != 0 then 1 else 0}))
  |> sum()`,
            ),
          ],
          overrides: [
            overrideQuery('A', { displayName: 'anomalous' }),
            overrideQuery('B', { displayName: 'marked' }),
          ],
          steps: [
            [null, 'green'],
            [1, yellow],
          ],
          width: 6,
          height: 4,
        }),
        stat({
          title: 'Highest score',
          description: '0 = as in training, towards 1 = never seen.',
          queries: [
            flux(
              `${deviceRows('r._field == "score"')}
  |> max()
  |> keep(columns: ["_time", "_value"])`,
            ),
          ],
          decimals: 2,
          noValue: 'no model',
          width: 4,
          height: 4,
        }),
      ],
    },
    {
      title: 'Score',
      panels: [
        graph({
          title: 'Score and threshold',
          description:
            'The most unusual row in each interval. The dashed line is the threshold of the model, as the newest incident in the range tells it; above it rows are flagged.',
          queries: [
            flux(
              `${deviceRows('r._field == "score"')}
  ${everyWindow('max')}
  |> keep(columns: ["_time", "_value"])`,
            ),
            flux(
              `newest = ${ownIncidents}
  |> filter(fn: (r) => r.detector == "forest")
  |> sort(columns: ["_time"])
  |> last(column: "threshold")
  |> map(fn: (r) => ({_value: r.threshold}))
union(tables: [
  newest |> map(fn: (r) => ({r with _time: v.timeRangeStart})),
  newest |> map(fn: (r) => ({r with _time: v.timeRangeStop})),
])
  |> sort(columns: ["_time"])`,
            ),
          ],
          overrides: [
            overrideQuery('A', { displayName: 'score' }),
            overrideQuery('B', {
              displayName: 'threshold',
              ...inRed,
              'custom.lineStyle': { fill: 'dash', dash: [8, 8] },
              'custom.fillOpacity': 0,
              'custom.spanNulls': true,
            }),
          ],
          min: 0,
          max: 1,
          decimals: 2,
          noValue: 'no model',
          width: 24,
          height: 7,
        }),
      ],
    },
    {
      title: 'Channels',
      panels: [
        graph({
          title: '${channel}',
          description:
            'Mean of each interval, in the unit of the device; red points are rows that were flagged.',
          queries: [
            flux(
              `${deviceRows('r._field == "${channel}"')}
  ${everyWindow('mean')}
  |> keep(columns: ["_time", "_value"])`,
            ),
            flux(
              `${deviceRows('(r._field == "${channel}" or r._field == "anomaly")')}
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> filter(fn: (r) => r.anomaly)
  |> map(fn: (r) => ({_time: r._time, _value: float(v: r["\${channel}"])}))
  ${everyWindow('last')}`,
            ),
          ],
          overrides: [
            overrideQuery('A', { displayName: '${channel}' }),
            overrideQuery('B', { displayName: 'flagged', ...points, ...inRed }),
          ],
          repeat: 'channel',
          width: 12,
          height: 7,
        }),
      ],
    },
    {
      title: 'What was wrong',
      panels: [
        graph(
          {
            title: 'Flagged, marked and late rows',
            description:
              'Flagged by a model or a rule; marked by the agent, since values were out of range, stuck or missing; late, since they waited for a link and raise no alarm any more.',
            queries: [
              flux(
                `${deviceRows('r._field == "anomaly" and r._value == true')}
  ${everyWindow('count', true)}
  |> keep(columns: ["_time", "_value"])`,
              ),
              flux(
                `${deviceRows('r._field == "quality" and r._value != 0')}
  ${everyWindow('count', true)}
  |> keep(columns: ["_time", "_value"])`,
              ),
              flux(
                `${deviceRows('r._field == "late" and r._value == true')}
  ${everyWindow('count', true)}
  |> keep(columns: ["_time", "_value"])`,
              ),
            ],
            overrides: [
              overrideQuery('A', { displayName: 'flagged', ...inRed }),
              overrideQuery('B', { displayName: 'marked', color: { mode: 'fixed', fixedColor: yellow } }),
              overrideQuery('C', { displayName: 'late', color: { mode: 'fixed', fixedColor: 'blue' } }),
            ],
            noValue: 'none',
            min: 0,
            width: 12,
            height: 8,
          },
          bars,
        ),
        table({
          title: 'Incidents of this device',
          description: 'The newest state of each, with the channels that led to it, largest part first.',
          queries: [
            flux(
              `${ownIncidents}
  |> keep(columns: ["opened", "state", "severity", "title", "score", "channels"])`,
            ),
          ],
          columns: {
            opened: 'Opened',
            state: 'State',
            severity: 'Severity',
            title: 'What',
            channels: 'Channels',
            score: 'Highest score',
          },
          sortBy: 'Opened',
          overrides: [
            override('Opened', { unit: 'dateTimeAsLocal' }),
            override('Highest score', { decimals: 2 }),
          ],
          noValue: 'none',
          width: 12,
          height: 8,
        }),
      ],
    },
  ],
});
