/**
 * What a process tells Prometheus, in its text format 0.0.4. Everything is read when it is scraped: between two scrapes
 * there are only the counters that somebody keeps anyway. A label's values come from a list that somebody has bounded,
 * never from free text.
 */
import type { Histogram } from './histogram.js';

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** One metric as the documentation has it. */
export interface MetricDescription {
  readonly name: string;
  readonly kind: MetricKind;
  readonly help: string;
  readonly labels: readonly string[];
}

/** Values of the labels, in their order, then the number; undefined = there is none now. */
export type Labelled<Value> = readonly [...labels: string[], value: Value];

type Numbers = () => Iterable<Labelled<number | undefined>>;
type Histograms = () => Iterable<Labelled<Histogram | undefined>>;

interface Family extends MetricDescription {
  readonly write: (lines: string[]) => void;
}

type Column<Row> = (name: string, help: string, value: (row: Row) => number | undefined) => void;

export interface Table<Row> {
  readonly gauge: Column<Row>;
  readonly counter: Column<Row>;
}

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

export class Metrics {
  readonly #families = new Map<string, Family>();
  readonly #preparations: (() => unknown)[] = [];

  get descriptions(): readonly MetricDescription[] {
    return [...this.#families.values()];
  }

  /** Done before each scrape, for what several metrics share or what has to be waited for. */
  prepare(preparation: () => unknown): void {
    this.#preparations.push(preparation);
  }

  /** Only ever rises, but for a restart. */
  counter(name: string, help: string, value: () => number | undefined): void {
    this.counters(name, help, [], () => [[value()]]);
  }

  gauge(name: string, help: string, value: () => number | undefined): void {
    this.gauges(name, help, [], () => [[value()]]);
  }

  counters(name: string, help: string, labels: readonly string[], values: Numbers): void {
    this.#add({ name, kind: 'counter', help, labels }, lines => writeNumbers(lines, name, labels, values()));
  }

  gauges(name: string, help: string, labels: readonly string[], values: Numbers): void {
    this.#add({ name, kind: 'gauge', help, labels }, lines => writeNumbers(lines, name, labels, values()));
  }

  /**
   * Several metrics of the same many things, as `labelText` names these: nothing is made for each value but its line.
   */
  table<Row>(
    labels: readonly string[],
    rows: () => readonly Row[],
    labelText: (row: Row) => string,
  ): Table<Row> {
    const column =
      (kind: MetricKind) => (name: string, help: string, value: (row: Row) => number | undefined) =>
        this.#add({ name, kind, help, labels }, lines => writeColumn(lines, name, rows(), labelText, value));
    return { gauge: column('gauge'), counter: column('counter') };
  }

  histogram(name: string, help: string, value: () => Histogram | undefined): void {
    this.histograms(name, help, [], () => [[value()]]);
  }

  histograms(name: string, help: string, labels: readonly string[], values: Histograms): void {
    this.#add({ name, kind: 'histogram', help, labels }, lines => {
      for (const entry of values()) {
        const histogram = entry.at(-1) as Histogram | undefined;
        if (histogram) writeHistogram(lines, name, pairs(labels, entry), histogram);
      }
    });
  }

  /** All of them. A preparation that fails leaves its metrics as they were, or out. */
  async text(): Promise<string> {
    await Promise.allSettled(this.#preparations.map(async prepare => prepare()));
    const lines: string[] = [];
    for (const { name, kind, help, write } of this.#families.values()) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`);
      write(lines);
    }
    return `${lines.join('\n')}\n`;
  }

  #add(description: MetricDescription, write: Family['write']): void {
    const { name, kind, help, labels } = description;
    const counts = name.endsWith('_total');
    if (!/^[a-z][a-z0-9_]*$/.test(name) || counts !== (kind === 'counter'))
      throw new TypeError(`${name} is no name for a ${kind}`);
    if (this.#families.has(name)) throw new TypeError(`there is a metric ${name} already`);
    if (help === '' || /[\\\n]/.test(help)) throw new TypeError(`${name} needs a help text of one line`);
    if (!labels.every(label => /^[a-z][a-z0-9_]*$/.test(label) && label !== 'le'))
      throw new TypeError(`${name}: labels are words: ${labels.join(', ')}`);
    this.#families.set(name, { ...description, write });
  }
}

function writeNumbers(
  lines: string[],
  name: string,
  labels: readonly string[],
  values: Iterable<Labelled<number | undefined>>,
): void {
  for (const entry of values) {
    const value = entry.at(-1) as number | undefined;
    if (value === undefined) continue;
    const inner = pairs(labels, entry);
    lines.push(inner === '' ? `${name} ${numberText(value)}` : `${name}{${inner}} ${numberText(value)}`);
  }
}

/** As one text: thousands of short ones would be as many things to collect. */
function writeColumn<Row>(
  lines: string[],
  name: string,
  rows: readonly Row[],
  labelText: (row: Row) => string,
  value: (row: Row) => number | undefined,
): void {
  let text = '';
  for (const row of rows) {
    const number = value(row);
    if (number === undefined) continue;
    if (text !== '') text += '\n';
    text += name;
    text += labelText(row);
    text += numberText(number);
  }
  if (text !== '') lines.push(text);
}

/** `{gateway="a"} `: what stands between a metric's name and its value. */
export function labelTextOf(labels: readonly string[], values: readonly string[]): string {
  return `{${pairs(labels, [...values, undefined])}} `;
}

function writeHistogram(lines: string[], name: string, inner: string, histogram: Histogram): void {
  const before = inner === '' ? '' : `${inner},`;
  const own = inner === '' ? '' : `{${inner}}`;
  let sum = 0;
  for (const [i, count] of histogram.counts.entries()) {
    sum += count;
    const bound = histogram.bounds[i] ?? Number.POSITIVE_INFINITY;
    lines.push(`${name}_bucket{${before}le="${numberText(bound)}"} ${sum}`);
  }
  lines.push(`${name}_sum${own} ${numberText(histogram.sum)}`, `${name}_count${own} ${sum}`);
}

function pairs(labels: readonly string[], entry: Labelled<unknown>): string {
  if (labels.length === 0) return '';
  if (labels.length === 1) return `${labels[0]}="${escaped(entry[0] as string)}"`;
  return labels.map((label, i) => `${label}="${escaped(entry[i] as string)}"`).join(',');
}

function escaped(text: string): string {
  if (!/[\\"\n]/.test(text)) return text;
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}
