import { anomalyMarks, type MarkState } from './anomaly-marks.js';
import { h, setAttribute, setText } from './dom.js';
import { axisTime, clock, measured } from './format.js';
import type { PlotData } from './series-buffer.js';
import { theme } from './theme.js';
import uPlot from './uPlot.esm.js';

export interface Line {
  readonly label: string;
  /** Index into the channel colours; undefined = the accent colour. */
  readonly colour: number | undefined;
  /** Drawn as steps: states, not measurements. */
  readonly stepped: boolean;
  pick(data: PlotData): readonly (number | null)[];
}

export interface ChartOptions {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
  readonly height: number;
  /** A dashed line across. */
  readonly threshold?: number | null;
  /** Fixed scale, for scores. */
  readonly range?: readonly [number, number];
  readonly onsetMs?: number;
}

/** One plot of one unit, with its lines' names and values above it. */
export class Chart {
  readonly root: HTMLElement;
  readonly #plot: uPlot;
  readonly #holder = h('div', { class: 'plot' });
  readonly #values: HTMLElement[];
  readonly #when = h('span', { class: 'when' });
  readonly #marks: MarkState;
  #window: [number, number] = [0, 1];

  constructor(private readonly options: ChartOptions) {
    this.#values = options.lines.map(() => h('b'));
    const legend = options.lines.map((line, i) =>
      h('span', { class: 'key' }, swatch(line), line.label, this.#values[i]),
    );
    const title = h('h3', {}, options.title, options.unit && h('span', { class: 'unit' }, options.unit));
    const head = h('div', { class: 'chart-head' }, title, h('div', { class: 'keys' }, ...legend), this.#when);
    this.root = h('figure', { class: 'chart' }, head, this.#holder);
    const onset = options.onsetMs === undefined ? undefined : options.onsetMs / 1000;
    this.#marks = { anomaly: [], onset };
    this.#plot = new uPlot(this.#uplotOptions(), undefined, this.#holder);
    setAttribute(this.#plot.ctx.canvas, 'role', 'img');
  }

  /** @param window  first and last time shown, ms */
  set(data: PlotData, window: readonly [number, number]): void {
    this.#window = [window[0] / 1000, window[1] / 1000];
    this.#marks.anomaly = data.anomaly;
    const columns = this.options.lines.map(line => [...line.pick(data)]);
    this.#plot.setData([data.time.map(ms => ms / 1000), ...columns]);
    this.#readout();
  }

  resize(): void {
    const width = Math.floor(this.#holder.clientWidth);
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: this.options.height });
  }

  destroy(): void {
    this.#plot.destroy();
  }

  /** Values under the cursor, or else the newest. */
  #readout(): void {
    const hovered = this.#plot.cursor.idx;
    const times = this.#plot.data[0];
    const last = times.length - 1;
    const texts = this.#values.map((_, line) => measured(valueAt(this.#plot, line + 1, hovered)));
    for (const [i, node] of this.#values.entries()) setText(node, texts[i] ?? '–');
    const at = times[hovered ?? last];
    setText(this.#when, hovered != null && at !== undefined ? clock(at * 1000) : '');
    const named = this.options.lines.map((line, i) =>
      `${line.label} ${texts[i]} ${this.options.unit}`.trim(),
    );
    const flagged = this.#marks.anomaly.filter(Boolean).length;
    const label = `${this.options.title}: ${named.join(', ')}; ${flagged} of ${times.length} rows flagged`;
    setAttribute(this.#plot.ctx.canvas, 'aria-label', label);
  }

  #uplotOptions(): uPlot.Options {
    const { height, range, lines } = this.options;
    return {
      width: 300,
      height,
      padding: [6, 10, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: 'edgeward' }, points: { size: 7 }, y: false, drag: { x: false, y: false } },
      scales: {
        x: { time: true, range: () => this.#window },
        y: { range: range ? () => [range[0], range[1]] : comfortable },
      },
      axes: [axis({ space: 84, size: 26, values: times }), axis({ space: 28, size: 52, values: ticks })],
      series: [{}, ...lines.map(series)],
      plugins: [anomalyMarks(this.#marks), thresholdLine(this.options.threshold ?? null)],
      hooks: { setCursor: [() => this.#readout()] },
    };
  }
}

function series(line: Line): uPlot.Series {
  return {
    stroke: colourOf(line),
    width: 1.5,
    points: { show: false },
    spanGaps: false,
    ...(line.stepped && uPlot.paths.stepped && { paths: uPlot.paths.stepped({ align: 1 }) }),
  };
}

function axis(more: Partial<uPlot.Axis>): uPlot.Axis {
  const { muted, line } = theme();
  const edge = { stroke: line, width: 1 };
  return {
    stroke: muted,
    font: '11px system-ui, sans-serif',
    grid: edge,
    ticks: { ...edge, size: 4 },
    ...more,
  };
}

function times(_: uPlot, splits: number[]): string[] {
  const stepMs = ((splits[1] ?? 60) - (splits[0] ?? 0)) * 1000;
  return splits.map(seconds => axisTime(seconds * 1000, stepMs));
}

function ticks(_: uPlot, splits: number[]): string[] {
  const span = Math.abs((splits.at(-1) ?? 1) - (splits[0] ?? 0));
  const digits = span === 0 ? 2 : Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(span))));
  return splits.map(value => value.toFixed(digits));
}

/** Some air above and below; a flat line lies in the middle. */
function comfortable(_: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const air = high === low ? Math.max(0.5, Math.abs(high) * 0.02) : (high - low) * 0.12;
  return [low - air, high + air];
}

function thresholdLine(threshold: number | null): uPlot.Plugin {
  const draw = (plot: uPlot) => {
    if (threshold === null) return;
    const { ctx, bbox } = plot;
    const y = Math.round(plot.valToPos(threshold, 'y', true));
    ctx.save();
    ctx.strokeStyle = theme().alarm;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  };
  return { hooks: { draw } };
}

function valueAt(plot: uPlot, column: number, hovered: number | null | undefined): number | null {
  const values = plot.data[column] ?? [];
  if (hovered != null) return values[hovered] ?? null;
  for (let i = values.length - 1; i >= 0; i--) if (values[i] != null) return values[i] ?? null;
  return null;
}

function colourOf({ colour }: Line): string {
  const { channels, accent } = theme();
  return colour === undefined ? accent : (channels[colour % channels.length] ?? accent);
}

function swatch(line: Line): HTMLElement {
  const node = h('i', { class: 'swatch', 'aria-hidden': 'true' });
  node.style.background = colourOf(line);
  return node;
}
