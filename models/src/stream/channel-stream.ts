import type { Memory } from '../memory.js';
import type { ChannelModel } from './channel-model.js';
import { type ChannelPlan, Standardizer } from './channel-plan.js';
import { RowWindow } from './row-window.js';
import { channelSettings } from './settings.js';
import { TimeOrder } from './time-order.js';
import { columnsOf, writeColumns } from './view.js';

const windows = [...channelSettings.views.map(({ window }) => window), channelSettings.forest.window];
const forestWindow = windows.length - 1;

/** A device silent for so many steps starts anew. */
export const gapRows = 100;

/** What became of a row. */
export const Taken = {
  /** Left out: older than the device's newest row, or without any value. */
  not: 0,
  yes: 1,
  /** Taken in, and the device, silent for long or never seen, starts anew with it. */
  first: 2,
} as const;
export type Taken = (typeof Taken)[keyof typeof Taken];

/** Rows of one device as they come, and what the views and the forest look at. */
export class ChannelStream {
  readonly #window: RowWindow;
  readonly #standardizer: Standardizer;
  readonly #row: Float64Array;
  readonly #views: readonly ReturnType<typeof columnsOf>[];
  readonly #means: readonly number[];
  readonly #order = new TimeOrder();
  #fresh = true;

  constructor(
    private readonly plan: readonly ChannelPlan[],
    private readonly maxGapMs: number,
  ) {
    this.#window = new RowWindow(plan.length, windows, channelSettings.changeRows);
    this.#standardizer = new Standardizer(plan, maxGapMs / gapRows);
    this.#row = new Float64Array(plan.length);
    this.#views = channelSettings.views.map((_, v) => columnsOf(plan, v));
    this.#means = this.#views[0]!.means;
  }

  /** @param columns  per channel, [n]; NaN = no value */
  push(columns: readonly Float64Array[], row: number, timeMs: number): Taken {
    if (!hasValue(columns, row)) return Taken.not;
    const silentMs = timeMs - this.#order.newestMs;
    const order = this.#order.next(timeMs);
    if (order === 'late') return Taken.not;
    if (order === 'setBack' || silentMs > this.maxGapMs) this.#reset();
    this.#standardizer.next(columns, row, timeMs, this.#row);
    this.#window.push(this.#row);
    const taken = this.#fresh ? Taken.first : Taken.yes;
    this.#fresh = false;
    return taken;
  }

  /** Writes the columns of all views, one view after the other. */
  columns(into: Float64Array, at: number): void {
    let to = at;
    for (let v = 0; v < this.#views.length; v++) {
      const view = this.#views[v]!;
      writeColumns(view, v, this.#window, into, to);
      to += view.means.length + view.changes.length;
    }
  }

  /** Writes the columns of the forest; see `forestFeatures`. */
  features(into: Float32Array, at: number): void {
    let to = at;
    for (const c of this.#means) into[to++] = this.#window.mean(forestWindow, c);
    if (this.#means.length > 0) return;
    for (let c = 0; c < this.plan.length; c++)
      into[to++] = this.#window.change(channelSettings.changeRows, c);
  }

  /** Time of the newest row; −∞ before the first. */
  get newestMs(): number {
    return this.#order.newestMs;
  }

  remember(memory: Memory): void {
    this.#window.remember(memory);
    this.#standardizer.remember(memory);
    this.#order.remember(memory);
    this.#fresh = memory.count(Number(this.#fresh)) === 1;
  }

  #reset(): void {
    this.#window.reset();
    this.#standardizer.reset();
    this.#fresh = true;
  }
}

/** Columns of the first views together; of all if it is not said how many. */
export function columnCount(
  plan: readonly ChannelPlan[],
  views: number = channelSettings.views.length,
): number {
  let count = 0;
  for (let v = 0; v < views; v++) {
    const { means, changes } = columnsOf(plan, v);
    count += means.length + changes.length;
  }
  return count;
}

/** Smoothed scores of the forest on the training rows, as far as the ratio needs them. */
export type ForestLevel = ChannelModel['forest'];

/** A smoothed score of the forest against the training rows. */
export function forestRatio({ median, highest }: ForestLevel, score: number): number {
  return (score - median) / (highest - median) / channelSettings.forest.edge;
}

function hasValue(columns: readonly Float64Array[], row: number): boolean {
  for (let c = 0; c < columns.length; c++) if (!Number.isNaN(columns[c]![row]!)) return true;
  return false;
}
