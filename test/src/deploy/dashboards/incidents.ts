import { dashboard } from './dashboard.js';
import {
  bars,
  flux,
  graph,
  green,
  override,
  promql,
  promqlNow,
  ranking,
  red,
  stat,
  table,
  yellow,
} from './panels.js';
import { fleet } from './plant.js';
import { everyWindow, incidentsFirst, incidentsNow } from './queries.js';
import { severities } from './severity.js';

/** How many of them, as one number. */
function counted(which: string): string {
  return `${which}
  |> map(fn: (r) => ({_value: r.opened}))
  |> count()`;
}

export const incidents = dashboard({
  uid: 'edgeward-incidents',
  title: 'Incidents',
  description: 'What went wrong, where, for how long, and which channels told it.',
  from: 'now-24h',
  variables: fleet,
  sections: [
    {
      title: 'Within the time range',
      panels: [
        stat({
          title: 'Open now',
          description: 'By severity, of all gateways.',
          queries: [promqlNow('sum by (severity) (collector_incidents_open)', '{{severity}}')],
          steps: [
            [null, green],
            [1, red],
          ],
          width: 8,
          height: 4,
        }),
        stat({
          title: 'How many',
          description: 'That changed within the time range: opened, got worse, or closed.',
          queries: [flux(counted(incidentsNow))],
          name: 'incidents',
          noValue: '0',
          width: 4,
          height: 4,
        }),
        stat({
          title: 'Devices concerned',
          description: 'With at least one of these incidents.',
          queries: [
            flux(
              `${incidentsNow}
  |> group(columns: ["gateway", "device"])
  |> count(column: "title")
  |> group()
  |> map(fn: (r) => ({_value: r.title}))
  |> count()`,
            ),
          ],
          name: 'devices',
          noValue: '0',
          width: 4,
          height: 4,
        }),
        stat({
          title: 'Median duration',
          description: 'From opening to closing, of those that were closed.',
          queries: [
            flux(
              `${incidentsNow}
  |> filter(fn: (r) => r.state == "closed")
  |> map(fn: (r) => ({_value: float(v: r.closed - r.opened)}))
  |> median()`,
            ),
          ],
          unit: 'ms',
          name: 'median',
          noValue: 'none closed',
          width: 4,
          height: 4,
        }),
        stat({
          title: 'Mails that wait',
          description:
            'Not yet sent. They are tried again until they go; without SMTP server they are kept and shown on the page.',
          queries: [promqlNow('sum(collector_mails{state="queued"}) or vector(0)', 'mails')],
          steps: [
            [null, green],
            [1, yellow],
            [20, red],
          ],
          width: 4,
          height: 4,
        }),
      ],
    },
    {
      title: 'When and where',
      panels: [
        graph(
          {
            title: 'Incidents by time',
            description: 'By the severity that they have reached.',
            queries: [
              flux(
                `${incidentsFirst}
  |> map(fn: (r) => ({_time: r._time, _value: 1, severity: r.severity}))
  |> group(columns: ["severity"])
  ${everyWindow('sum', true)}`,
              ),
            ],
            name: '${__field.labels.severity}',
            overrides: severities,
            decimals: 0,
            min: 0,
            noValue: 'none',
            width: 12,
            height: 8,
          },
          bars,
        ),
        ranking({
          title: 'Devices with most incidents',
          description: 'The first places to look at.',
          queries: [
            flux(
              `${incidentsNow}
  |> map(fn: (r) => ({name: r.gateway + " " + r.device, _value: 1}))
  |> group(columns: ["name"])
  |> sum()
  |> group()
  |> sort(columns: ["_value"], desc: true)
  |> limit(n: 10)
  |> group(columns: ["name"])`,
            ),
          ],
          name: '${__field.labels.name}',
          noValue: 'none',
          width: 6,
          height: 8,
        }),
        ranking({
          title: 'Channels that led',
          description: 'The channel with the largest part in each incident: what fails again and again.',
          queries: [
            flux(
              `import "strings"
${incidentsNow}
  |> filter(fn: (r) => exists r.channels)
  |> map(fn: (r) => ({name: r.type + " " + strings.split(v: r.channels, t: ", ")[0], _value: 1}))
  |> group(columns: ["name"])
  |> sum()
  |> group()
  |> sort(columns: ["_value"], desc: true)
  |> limit(n: 10)
  |> group(columns: ["name"])`,
            ),
          ],
          name: '${__field.labels.name}',
          noValue: 'none',
          width: 6,
          height: 8,
        }),
      ],
    },
    {
      title: 'In full',
      panels: [
        table({
          title: 'All incidents',
          description:
            'The newest state of each. The collector’s page has the evidence, the mails and what to do.',
          queries: [
            flux(
              `${incidentsNow}
  |> keep(columns: ["opened", "closed", "state", "severity", "gateway", "device", "type", "title", "channels", "score", "detector", "id"])`,
            ),
          ],
          columns: {
            opened: 'Opened',
            closed: 'Closed',
            state: 'State',
            severity: 'Severity',
            gateway: 'Gateway',
            device: 'Device',
            type: 'Type',
            title: 'What',
            channels: 'Channels',
            score: 'Highest score',
            detector: 'Found by',
          },
          sortBy: 'Opened',
          overrides: [
            override('Opened', { unit: 'dateTimeAsLocal' }),
            override('Closed', { unit: 'dateTimeAsLocal' }),
            override('Highest score', { decimals: 2 }),
          ],
          noValue: '',
          width: 24,
          height: 10,
        }),
      ],
    },
    {
      title: 'Judging',
      panels: [
        graph({
          title: 'Rows judged',
          description:
            'Rows a second that were looked at for alarms, and those of them that came too late to raise one.',
          queries: [
            promql('sum(rate(collector_judged_rows_total[$__rate_interval]))', 'judged'),
            promql('sum(rate(collector_late_rows_total[$__rate_interval]))', 'of these, late'),
          ],
          unit: 'rowsps',
          min: 0,
          width: 12,
          height: 7,
        }),
        graph(
          {
            title: 'Mails',
            description: 'Stored mails by state: sent, waiting, or kept since there is no SMTP server.',
            queries: [promql('sum by (state) (collector_mails)', '{{state}}')],
            decimals: 0,
            min: 0,
            width: 12,
            height: 7,
          },
          { lineInterpolation: 'stepAfter' },
        ),
      ],
    },
  ],
});
