/**
 * What Grafana does with a query before it sends it: variables, macros, intervals. By its sources:
 * packages/grafana-data/src/datetime/rangeutil.ts (intervals), the Prometheus data source (regular expressions in
 * place of variables, $__rate_interval) and pkg/tsdb/influxdb/flux/macros.go.
 */
import { type FluxRow, flux } from '../support/influx.js';
import type { Prometheus } from '../support/prometheus.js';
import type { Dashboard, Panel, Target, Variable } from './dashboards/types.js';

export interface Sources {
  readonly influx: {
    readonly url: string;
    readonly org: string;
    readonly bucket: string;
    readonly token: string;
  };
  readonly prometheus: Prometheus;
  readonly fromMs: number;
  readonly toMs: number;
  /** jsonData.timeInterval of the data source. */
  readonly scrapeMs: number;
}

/** One value, several, or all with what the variable has in place of them. */
export type Chosen = string | readonly string[] | { readonly all: string };
export type Choices = Readonly<Record<string, Chosen>>;

/** Of an answer. */
export interface Answer {
  readonly points: number;
  readonly series: number;
}

const maxDataPoints = 1000;

export class GrafanaQueries {
  readonly #sources: Sources;
  readonly #intervalMs: number;

  constructor(sources: Sources) {
    this.#sources = sources;
    this.#intervalMs = Math.max(1000, rounded((sources.toMs - sources.fromMs) / maxDataPoints));
  }

  /** Every variable's value: what is wanted, else all where all is offered, else the first there is. */
  async choose(dashboard: Dashboard, wanted: Readonly<Record<string, string>>): Promise<Choices> {
    const choices: Record<string, Chosen> = {};
    for (const variable of dashboard.templating.list) {
      const options = await this.options(variable, choices);
      const own = wanted[variable.name];
      if (own !== undefined && !options.includes(own))
        throw new Error(`$${variable.name} does not offer ${own} but ${options.join(', ') || 'nothing'}`);
      choices[variable.name] = own ?? (variable.includeAll ? allOf(variable, options) : options[0]!);
    }
    return choices;
  }

  /** What a variable offers. */
  async options(variable: Variable, choices: Choices): Promise<string[]> {
    const rows = await this.#flux(String(variable.query), choices);
    return [...new Set(rows.map(({ _value }) => String(_value)))].sort();
  }

  /** A panel that is repeated is shown once for each value. */
  async run(panel: Panel, target: Target, choices: Choices): Promise<Answer> {
    const total = { points: 0, series: 0 };
    for (const own of repeats(panel, choices)) {
      const { points, series } =
        'expr' in target
          ? await this.#prometheus(target, own, this.#leastMs(panel))
          : await this.#rows(target.query, own);
      total.points += points;
      total.series += series;
    }
    return total;
  }

  async #rows(query: string, choices: Choices): Promise<Answer> {
    const rows = await this.#flux(query, choices);
    return { points: rows.length, series: new Set(rows.map(({ table }) => table)).size };
  }

  /** Of a panel, which counts on scrapes every 15 s; here they come faster. */
  #leastMs({ interval }: Panel): number {
    const { scrapeMs } = this.#sources;
    if (interval === undefined) return this.#intervalMs;
    const [, count, unit] = /^(\d+)([sm])$/.exec(interval) ?? [];
    const ms = Number(count) * (unit === 'm' ? 60_000 : 1000);
    return Math.max(this.#intervalMs, (ms * scrapeMs) / 15_000);
  }

  async #prometheus(
    target: Extract<Target, { expr: string }>,
    choices: Choices,
    intervalMs: number,
  ): Promise<Answer> {
    const { prometheus, fromMs, toMs } = this.#sources;
    const query = withVariables(this.#macros(target.expr, intervalMs), choices, forPrometheus);
    const [start, end] = [fromMs / 1000, toMs / 1000].map(String) as [string, string];
    const found = target.instant
      ? await prometheus.query('query', { query, time: end })
      : await prometheus.query('query_range', { query, start, end, step: String(intervalMs / 1000) });
    const values = found.flatMap(({ value, values = [] }) => (value ? [value] : values));
    return { points: values.filter(([, text]) => text !== 'NaN').length, series: found.length };
  }

  #macros(expression: string, intervalMs: number): string {
    const { scrapeMs, fromMs, toMs } = this.#sources;
    const rateMs = Math.max(intervalMs + scrapeMs, 4 * scrapeMs);
    return expression
      .replaceAll('$__rate_interval', `${Math.round(rateMs / 1000)}s`)
      .replaceAll('$__interval', `${intervalMs / 1000}s`)
      .replaceAll('$__range', `${Math.round((toMs - fromMs) / 1000)}s`);
  }

  #flux(query: string, choices: Choices): Promise<FluxRow[]> {
    const { influx, fromMs, toMs } = this.#sources;
    const values: Readonly<Record<string, string>> = {
      timeRangeStart: new Date(fromMs).toISOString(),
      timeRangeStop: new Date(toMs).toISOString(),
      windowPeriod: `${this.#intervalMs / 1000}s`,
      bucket: `"${influx.bucket}"`,
      defaultBucket: `"${influx.bucket}"`,
      organization: `"${influx.org}"`,
    };
    const whole = withVariables(query, choices, plain);
    // Whatever stands before the dot: a column of such a name would be replaced, too.
    const text = whole.replace(/[a-zA-Z]+\.([a-zA-Z]+)/g, (found, name: string) => values[name] ?? found);
    return flux(influx, text);
  }
}

function repeats({ repeat }: Panel, choices: Choices): Choices[] {
  const chosen = repeat === undefined ? undefined : choices[repeat];
  if (repeat === undefined || !Array.isArray(chosen)) return [choices];
  return chosen.map((value: string) => ({ ...choices, [repeat]: value }));
}

function allOf({ allValue }: Variable, options: readonly string[]): Chosen {
  return allValue === undefined ? options : { all: allValue };
}

/** `$name`, `${name}` and `${name:format}`. What a variable has in place of all is put in as it is. */
function withVariables(text: string, choices: Choices, usual: (value: Chosen) => string): string {
  return text.replace(
    /\$(?:(\w+)|\{(\w+)(?::(\w+))?\})/g,
    (found, short?: string, long?: string, format?: string) => {
      const value = choices[short ?? long ?? ''];
      if (value === undefined) {
        if (/^\$\{?__/.test(found)) return found;
        throw new Error(`unknown variable ${found}`);
      }
      if (isAll(value)) return value.all;
      if (format === undefined) return usual(value);
      if (format === 'regex') return asRegex(value);
      throw new Error(`unknown format ${found}`);
    },
  );
}

function isAll(value: Chosen): value is { readonly all: string } {
  return typeof value === 'object' && 'all' in value;
}

function plain(value: Chosen): string {
  if (typeof value === 'string') return value;
  return isAll(value) ? value.all : `{${value.join(',')}}`;
}

function asRegex(value: Chosen): string {
  if (isAll(value)) return value.all;
  const values = (typeof value === 'string' ? [value] : value).map(text =>
    text.replace(/[\\^$*+?.()|[\]{}/]/g, '\\$&'),
  );
  return values.length === 1 ? values[0]! : `(${values.join('|')})`;
}

/** Within a string of PromQL a backslash is written twice. */
function forPrometheus(value: Chosen): string {
  return asRegex(value).replaceAll('\\', '\\\\');
}

/** To what reads well on an axis. */
function rounded(ms: number): number {
  const steps = [
    [15, 10],
    [35, 20],
    [75, 50],
    [150, 100],
    [350, 200],
    [750, 500],
    [1500, 1000],
    [3500, 2000],
    [7500, 5000],
    [12_500, 10_000],
    [17_500, 15_000],
    [25_000, 20_000],
    [45_000, 30_000],
    [90_000, 60_000],
    [210_000, 120_000],
  ] as const;
  return steps.find(([below]) => ms < below)?.[1] ?? 300_000;
}
