import { influx } from './panels.js';
import type { Annotation, Dashboard, Link, Panel, Row, Variable } from './types.js';

export interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Plan {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly annotations?: readonly Annotation[];
  readonly from: string;
  readonly sections: readonly Section[];
}

/** Panels from left to right, a new line where one has no room; sections under a heading. */
export function dashboard(plan: Plan): Dashboard {
  const { uid, title, description, from } = plan;
  return {
    uid,
    title,
    description,
    tags: ['edgeward'],
    schemaVersion: 41,
    version: 1,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    time: { from, to: 'now' },
    refresh: '30s',
    timepicker: { refresh_intervals: ['5s', '10s', '30s', '1m', '5m', '15m'] },
    links: [others],
    annotations: { list: [...(plan.annotations ?? [])] },
    templating: { list: [...plan.variables] },
    panels: placed(plan.sections),
  };
}

/** To the other dashboards, with the time and the gateway that one looks at. */
const others: Link = {
  type: 'dashboards',
  title: 'Edgeward',
  icon: 'external link',
  tags: ['edgeward'],
  tooltip: '',
  asDropdown: true,
  includeVars: true,
  keepTime: true,
  targetBlank: false,
};

const columns = 24;

function placed(sections: readonly Section[]): (Panel | Row)[] {
  const all: (Panel | Row)[] = [];
  let y = 0;
  for (const { title, panels } of sections) {
    all.push({
      type: 'row',
      id: all.length + 1,
      title,
      collapsed: false,
      panels: [],
      gridPos: box(0, y, columns, 1),
    });
    y += 1;
    let [x, lineHeight] = [0, 0];
    for (const panel of panels) {
      const { w, h } = panel.gridPos!;
      if (x + w > columns) [x, y, lineHeight] = [0, y + lineHeight, 0];
      all.push({ ...panel, id: all.length + 1, gridPos: box(x, y, w, h) });
      x += w;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
  }
  return all;
}

function box(x: number, y: number, w: number, h: number) {
  return { x, y, w, h };
}

interface Choice {
  readonly name: string;
  readonly label: string;
  readonly description: string;
  readonly query: string;
  /** One or more, or all; absent: one. */
  readonly several?: boolean;
  /** What stands for all in a query; absent: all that there are. */
  readonly all?: string;
}

/** A variable whose values InfluxDB knows. */
export function choice({ name, label, description, query, several = false, all }: Choice): Variable {
  return {
    type: 'query',
    name,
    label,
    description,
    datasource: influx,
    query,
    refresh: 2,
    sort: 7,
    multi: several,
    includeAll: several,
    ...(several && { current: { text: ['All'], value: ['$__all'] } }),
    ...(all !== undefined && { allValue: all }),
  };
}
