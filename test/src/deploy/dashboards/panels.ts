/** Panels in few words; what they have in common is said here, once. */
import type {
  Bars,
  Fields,
  Graph,
  GraphStyle,
  InfluxTarget,
  Look,
  PrometheusTarget,
  Stat,
  Table,
} from './types.js';

export const influx = { type: 'influxdb', uid: 'edgeward-influxdb' } as const;
export const prometheus = { type: 'prometheus', uid: 'edgeward-prometheus' } as const;

export type Query = Omit<PrometheusTarget, 'refId'> | Omit<InfluxTarget, 'refId'>;
type Step = readonly [from: number | null, color: string];
type Override = Fields<never>['overrides'][number];

export interface Shown {
  readonly title: string;
  /** What it tells, and what to do when it is not as it should be. */
  readonly description: string;
  readonly queries: readonly Query[];
  /** Of Grafana: https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/#unit */
  readonly unit?: string;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  readonly steps?: readonly Step[];
  readonly name?: string;
  readonly noValue?: string;
  readonly overrides?: readonly Override[];
  readonly mappings?: Readonly<Record<string, { readonly text: string; readonly color: string }>>;
  /** Least time between two points: what is counted within an interval needs some scrapes in it. */
  readonly interval?: string;
  readonly width: number;
  readonly height: number;
  /** Name of the variable that there is one panel for each value of. */
  readonly repeat?: string;
}

/** Over time. */
export function promql(expr: string, legendFormat = '__auto'): Query {
  return { datasource: prometheus, expr, legendFormat, instant: false, range: true, format: 'time_series' };
}

/** Now. */
export function promqlNow(expr: string, legendFormat = '__auto'): Query {
  return { datasource: prometheus, expr, legendFormat, instant: true, range: false, format: 'time_series' };
}

/** Now, a row for each series and a column for each label. */
export function promqlTable(expr: string): Query {
  return { datasource: prometheus, expr, legendFormat: '', instant: true, range: false, format: 'table' };
}

export function flux(query: string): Query {
  return { datasource: influx, query };
}

export const green = 'green';
export const yellow = 'yellow';
export const red = 'red';
const plain: readonly Step[] = [[null, 'text']];

export function stat(shown: Shown, graph: 'none' | 'area' = 'none'): Stat {
  return {
    ...frame(shown),
    type: 'stat',
    fieldConfig: fields(shown, { color: { mode: 'thresholds' } }),
    options: {
      colorMode: 'value',
      graphMode: graph,
      justifyMode: 'auto',
      orientation: 'auto',
      percentChangeColorMode: 'standard',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      showPercentChange: false,
      textMode: shown.queries.length > 1 || shown.name ? 'value_and_name' : 'auto',
      wideLayout: true,
    },
  };
}

const line: GraphStyle = {
  drawStyle: 'line',
  lineInterpolation: 'linear',
  lineWidth: 1,
  fillOpacity: 8,
  showPoints: 'never',
  spanNulls: false,
  axisPlacement: 'auto',
  thresholdsStyle: { mode: 'off' },
};
export const bars: GraphStyle = {
  drawStyle: 'bars',
  fillOpacity: 70,
  stacking: { mode: 'normal', group: 'A' },
};
export const stacked: GraphStyle = { fillOpacity: 25, stacking: { mode: 'normal', group: 'A' } };
export const limit: GraphStyle = { thresholdsStyle: { mode: 'dashed' } };

export function graph(shown: Shown, style: GraphStyle = {}): Graph {
  return {
    ...frame(shown),
    type: 'timeseries',
    fieldConfig: fields(shown, { color: { mode: 'palette-classic-by-name' }, custom: { ...line, ...style } }),
    options: {
      legend: { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  };
}

export interface TableShown extends Shown {
  /** Columns in their order: name in the data → title. Others are left out. */
  readonly columns: Readonly<Record<string, string>>;
  /** Title of the column to sort by, largest first. */
  readonly sortBy: string;
}

export function table(shown: TableShown): Table {
  const names = Object.keys(shown.columns);
  return {
    ...frame(shown),
    type: 'table',
    fieldConfig: fields(shown, {
      color: { mode: 'thresholds' },
      custom: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false, filterable: true },
    }),
    options: { frameIndex: 0, showHeader: true, sortBy: [{ displayName: shown.sortBy, desc: true }] },
    transformations: [
      { id: 'merge', options: {} },
      { id: 'filterFieldsByName', options: { include: { names } } },
      {
        id: 'organize',
        options: {
          indexByName: Object.fromEntries(names.map((name, i) => [name, i])),
          renameByName: shown.columns,
        },
      },
    ],
  };
}

/** A bar for each series, longest first as the query has them. */
export function ranking(shown: Shown): Bars {
  return {
    ...frame(shown),
    type: 'bargauge',
    fieldConfig: fields({ min: 0, ...shown }, { color: { mode: 'continuous-BlPu' } }),
    options: {
      displayMode: 'basic',
      legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: false },
      maxVizHeight: 40,
      minVizHeight: 16,
      minVizWidth: 8,
      namePlacement: 'auto',
      orientation: 'horizontal',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      showUnfilled: true,
      sizing: 'auto',
      valueMode: 'color',
    },
  };
}

/** Another look for what has this name. */
export function override(name: string, properties: Look): Override {
  return { matcher: { id: 'byName', options: name }, ...look(properties) };
}

/** For all that a query returns; queries are A, B … in their order. */
export function overrideQuery(refId: string, properties: Look): Override {
  return { matcher: { id: 'byFrameRefID', options: refId }, ...look(properties) };
}

function look(properties: Look) {
  return { properties: Object.entries(properties).map(([id, value]) => ({ id, value })) };
}

function frame({ title, description, queries, width, height, repeat, interval }: Shown) {
  const sources = new Set(queries.map(({ datasource }) => datasource));
  return {
    title,
    description,
    datasource: sources.size === 1 ? [...sources][0]! : { type: 'datasource', uid: '-- Mixed --' },
    targets: queries.map((query, i) => ({ refId: String.fromCharCode(65 + i), ...query })),
    gridPos: { x: 0, y: 0, w: width, h: height },
    ...(interval !== undefined && { interval }),
    ...(repeat !== undefined && { repeat, repeatDirection: 'h' as const, maxPerRow: 2 }),
  };
}

function fields<Style>(
  shown: Omit<Shown, 'title' | 'description' | 'queries' | 'width' | 'height'>,
  { color, custom }: { color: Fields<Style>['defaults']['color']; custom?: Style },
): Fields<Style> {
  const { unit, decimals, min, max, name, noValue, steps = plain, overrides = [], mappings } = shown;
  return {
    defaults: {
      ...(color && { color }),
      ...(custom && { custom }),
      ...(unit !== undefined && { unit }),
      ...(decimals !== undefined && { decimals }),
      ...(min !== undefined && { min }),
      ...(max !== undefined && { max }),
      ...(name !== undefined && { displayName: name }),
      ...(noValue !== undefined && { noValue }),
      ...(mappings && { mappings: [{ type: 'value' as const, options: { ...mappings } }] }),
      thresholds: { mode: 'absolute', steps: steps.map(([value, color]) => ({ value, color })) },
    },
    overrides: [...overrides],
  };
}
