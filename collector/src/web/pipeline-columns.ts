/** What is shown of the pipeline's devices, by their kind. */
import { h } from './dom.js';
import { bytes, measured, span } from './format.js';

export type Last = Readonly<Record<string, number | string | boolean | null>>;

export interface Column {
  readonly label: string;
  readonly of: (last: Last) => string;
}

export interface Kind {
  readonly title: string;
  readonly type: string;
  readonly columns: readonly Column[];
  /** The field that its small line shows. */
  readonly trend: string;
  readonly trendLabel: string;
}

const number = (last: Last, field: string): number | undefined => {
  const value = last[field];
  return typeof value === 'number' ? value : undefined;
};

/** Of the fields that are known. */
function text(last: Last, fields: readonly string[], write: (value: number) => string): string {
  const values = fields.map(field => number(last, field));
  if (values.every(value => value === undefined)) return '–';
  return values.map(value => (value === undefined ? '–' : write(value))).join(' · ');
}

/** Delays are milliseconds where all is well. */
export function seconds(value: number): string {
  return value < 1 ? `${Math.round(1000 * value)} ms` : span(1000 * value);
}

const percent = (share: number) => `${measured(100 * share).replace(/[.,]\d+$/, '')} %`;
const rate = (value: number) => (value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString());

const column = (label: string, write: (value: number) => string, ...fields: readonly string[]): Column => ({
  label,
  of: last => text(last, fields, write),
});

export const kinds: readonly Kind[] = [
  {
    title: 'Collector',
    type: 'pipeline-collector',
    columns: [
      column('rows / s', rate, 'rows_per_second'),
      column('delay p50 · p99', seconds, 'event_delay_p50', 'event_delay_p99'),
      column('commit', seconds, 'ingested_delay'),
      column('queue', percent, 'queue_share'),
      column('CPU', percent, 'cpu_share'),
      column('memory', bytes, 'resident_memory'),
      column('disk free', bytes, 'disk_free'),
    ],
    trend: 'rows_per_second',
    trendLabel: 'rows / s',
  },
  {
    title: 'Sinks',
    type: 'pipeline-sink',
    columns: [
      column('lag', seconds, 'lag'),
      column('rows / s', rate, 'rows_per_second'),
      column('a write', seconds, 'write_time'),
      column('errors / s', rate, 'errors_per_second'),
      column('lag of groups', seconds, 'consumer_lag'),
    ],
    trend: 'lag',
    trendLabel: 'lag, s',
  },
  {
    title: 'Gateways',
    type: 'pipeline-gateway',
    columns: [
      column('silent', seconds, 'silent'),
      column('rows / s', rate, 'rows_per_second'),
      column('delay p50 · p99', seconds, 'event_delay_p50', 'event_delay_p99'),
      column('read · sent · stored', seconds, 'read_delay', 'sent_delay', 'ingested_delay'),
      column('outbox', percent, 'outbox_share'),
      column('oldest there', seconds, 'outbox_age'),
    ],
    trend: 'event_delay_p99',
    trendLabel: 'delay p99, s',
  },
];

/** The name that people know it by. */
export function shownName(device: string): string {
  return device.replace(/^_sink-/, '').replace(/^_/, '');
}

export function headOf({ columns, trendLabel }: Kind): HTMLElement {
  const names = ['', 'state', ...columns.map(({ label }) => label), trendLabel];
  return h(
    'thead',
    {},
    h('tr', {}, ...names.map(name => h('th', { scope: 'col', class: name === 'state' && 'state' }, name))),
  );
}
