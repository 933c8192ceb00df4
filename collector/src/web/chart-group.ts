import type { Field } from '@edgeward/shared/contracts';
import { Chart, type Line } from './chart.js';
import { h } from './dom.js';
import { unitText, words } from './format.js';
import type { PlotData } from './series-buffer.js';

export interface GroupOptions {
  readonly fields: readonly Field[];
  readonly threshold: number | null;
  readonly onsetMs?: number;
  /** False: nothing scores it, so it has no strip. */
  readonly hasScore?: boolean;
  /** Fields with the same word share a plot; absent: those of one unit. */
  readonly plotOf?: (field: Field) => string;
  /** All fields of the device: a channel keeps its colour where only some are shown. */
  readonly among?: readonly Field[];
}

/** A score strip, then one plot per unit, all with the same time axis and cursor. */
export class ChartGroup {
  readonly root = h('div', { class: 'charts' });
  #charts: Chart[] = [];
  readonly #resizer = new ResizeObserver(() => this.#resize());

  constructor(private readonly options: GroupOptions) {
    this.#build();
    this.#resizer.observe(this.root);
  }

  set(data: PlotData, window: readonly [number, number]): void {
    for (const chart of this.#charts) chart.set(data, window);
  }

  /** Canvases have fixed colours: new scheme, new plots. */
  repaint(): void {
    this.#clear();
    this.#build();
    this.#resize();
  }

  destroy(): void {
    this.#resizer.disconnect();
    this.#clear();
  }

  #build(): void {
    const { fields, threshold, onsetMs, hasScore = true, among = fields, plotOf = unitOf } = this.options;
    const onset = onsetMs === undefined ? {} : { onsetMs };
    const score: Line = { label: '', colour: undefined, stepped: false, pick: data => data.score };
    const strip = new Chart({
      title: 'Anomaly score',
      unit: '',
      lines: [score],
      height: 120,
      range: [0, 1.05],
      threshold,
      ...onset,
    });
    strip.root.classList.add('strip');
    const channels = byPlot(fields, among, plotOf).map(
      ({ title, unit, lines }) => new Chart({ title, unit, lines, height: 150, ...onset }),
    );
    if (!hasScore) strip.destroy();
    this.#charts = hasScore ? [strip, ...channels] : channels;
    this.root.append(...this.#charts.map(chart => chart.root));
  }

  #clear(): void {
    for (const chart of this.#charts) chart.destroy();
    this.root.replaceChildren();
  }

  #resize(): void {
    for (const chart of this.#charts) chart.resize();
  }
}

interface UnitGroup {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

/** Channels of one unit share a plot; states and plain numbers have one each. */
const unitOf = ({ kind, unit, name }: Field): string =>
  kind === 'bool' || !unit ? `field ${name}` : `unit ${unit}`;

function byPlot(
  fields: readonly Field[],
  among: readonly Field[],
  plotOf: (field: Field) => string,
): UnitGroup[] {
  const groups = new Map<string, Field[]>();
  for (const field of fields) {
    if (field.kind === 'string') continue;
    const key = plotOf(field);
    groups.set(key, [...(groups.get(key) ?? []), field]);
  }
  return [...groups.values()].map(members => ({
    title: members.length === 1 ? words(members[0]?.name ?? '') : commonEnd(members.map(one => one.name)),
    unit: members[0]?.kind === 'bool' ? '' : unitText(members[0]?.unit),
    lines: members.map(field => ({
      label: members.length === 1 ? '' : words(field.name),
      colour: among.findIndex(one => one.name === field.name),
      stepped: field.kind === 'bool',
      pick: data => data.values[field.name] ?? [],
    })),
  }));
}

/** `motor_temperature` and `bearing_temperature` together are `temperature`. */
function commonEnd(names: readonly string[]): string {
  const split = names.map(name => words(name).split(' ').reverse());
  const shared: string[] = [];
  for (let i = 0; split.every(parts => parts[i] !== undefined && parts[i] === split[0]?.[i]); i++) {
    shared.unshift(split[0]?.[i] ?? '');
  }
  return shared.join(' ') || names.map(words).join(', ');
}
