/** Grafana's published types, as JSON has them: what is an enum there is its text here. */
import type {
  AnnotationQuery,
  DashboardLink,
  FieldConfigSource,
  Dashboard as GrafanaDashboard,
  Panel as GrafanaPanel,
  RowPanel as GrafanaRow,
  GraphFieldConfig,
  VariableModel,
} from '@grafana/schema';
import type { Options as BarGaugeOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
  Options as TableOptions,
  FieldConfig as TableStyle,
} from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as GraphOptions } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

type FieldDefaults = Json<Omit<FieldConfigSource['defaults'], 'custom'>>;

/** How values are shown. `custom` is the panel's own. */
export interface Fields<Style> {
  readonly defaults: FieldDefaults & { readonly custom?: Style };
  readonly overrides: Json<FieldConfigSource['overrides']>;
}

type Style = Partial<Json<TableStyle>> & GraphStyle;
/** What an override may change: of the defaults by name, of the panel's own style as `custom.…`. */
export type Look = Partial<FieldDefaults> & { [K in keyof Style as `custom.${K & string}`]?: Style[K] };

type Common = Json<Omit<GrafanaPanel, 'type' | 'options' | 'fieldConfig' | 'targets'>>;

interface PanelOf<Type, Options, Style> extends Common {
  type: Type;
  options: Json<Options>;
  fieldConfig: Fields<Style>;
  targets: Target[];
}

export type GraphStyle = Json<GraphFieldConfig>;
export type Stat = PanelOf<'stat', StatOptions, never>;
export type Graph = PanelOf<'timeseries', GraphOptions, GraphStyle>;
export type Table = PanelOf<'table', TableOptions, Partial<Json<TableStyle>>>;
export type Bars = PanelOf<'bargauge', BarGaugeOptions, never>;
export type Panel = Stat | Graph | Table | Bars;
export type Row = Json<GrafanaRow>;
export type Variable = Json<VariableModel>;
export type Link = Json<DashboardLink>;
export type Annotation = Json<Omit<AnnotationQuery, 'target'>> & { target: InfluxTarget };

export interface Dashboard extends Json<Omit<GrafanaDashboard, 'panels' | 'annotations' | 'templating'>> {
  panels: (Panel | Row)[];
  annotations: { list: Annotation[] };
  templating: { list: Variable[] };
}

export interface DataSource {
  readonly type: string;
  readonly uid: string;
}

/** The data sources' own queries: Grafana publishes no types of these. */
export type Target = PrometheusTarget | InfluxTarget;

export interface PrometheusTarget {
  readonly datasource: DataSource;
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
  readonly instant: boolean;
  readonly range: boolean;
  readonly format: 'time_series' | 'table';
}

export interface InfluxTarget {
  readonly datasource: DataSource;
  readonly refId: string;
  readonly query: string;
}
