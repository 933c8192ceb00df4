import type { LiveUpdate, SeriesView } from '../views.js';

export type PlotData = Pick<SeriesView, 'time' | 'values' | 'score' | 'anomaly'>;

type Cell = number | null;

/** What one open plot keeps: about ten minutes at up to 8 rows a second, whatever the device sends. */
export const keepMs = 600_000;
const minGapMs = 120;
const maxRows = 6000;

export class SeriesBuffer {
  #time: number[] = [];
  #score: Cell[] = [];
  #anomaly: boolean[] = [];
  #values = new Map<string, Cell[]>();

  constructor(
    readonly fields: readonly string[],
    private readonly keptMs = keepMs,
  ) {
    for (const field of fields) this.#values.set(field, []);
  }

  get firstMs(): number | undefined {
    return this.#time[0];
  }

  get lastMs(): number | undefined {
    return this.#time.at(-1);
  }

  /** Replaces the past; newer rows that came live in between stay. */
  load(series: SeriesView): void {
    const end = series.time.at(-1) ?? 0;
    const from = firstAfter(this.#time, end);
    this.#time = [...series.time, ...this.#time.slice(from)];
    this.#score = [...series.score, ...this.#score.slice(from)];
    this.#anomaly = [...series.anomaly, ...this.#anomaly.slice(from)];
    for (const [field, column] of this.#values) {
      this.#values.set(field, [
        ...(series.values[field] ?? series.time.map(() => null)),
        ...column.slice(from),
      ]);
    }
    this.#trim();
  }

  /** False if rows came that belong into the past: load again. */
  append(update: LiveUpdate): boolean {
    let inOrder = true;
    update.time.forEach((time, i) => {
      const last = this.lastMs ?? 0;
      if (time < last) inOrder = false;
      else if (time - last >= minGapMs || update.anomaly[i]) this.#push(update, i, time);
    });
    this.#trim();
    return inOrder;
  }

  /** The rows since `fromMs`, with an empty row wherever data is absent for long, so that lines break there. */
  since(fromMs: number): PlotData {
    const start = firstAfter(this.#time, fromMs);
    const cuts = gaps(this.#time, start);
    const spread = <Type>(column: readonly Type[], blank: Type) => withBlanks(column, start, cuts, blank);
    const time = this.#time;
    return {
      time: withBlanks(time, start, cuts, 0).map((ms, i, all) => (ms === 0 ? (all[i - 1] ?? 0) + 1 : ms)),
      score: spread(this.#score, null),
      anomaly: spread(this.#anomaly, false),
      values: Object.fromEntries([...this.#values].map(([field, column]) => [field, spread(column, null)])),
    };
  }

  #push(update: LiveUpdate, i: number, time: number): void {
    this.#time.push(time);
    this.#score.push(update.score[i] ?? null);
    this.#anomaly.push(update.anomaly[i] ?? false);
    for (const [field, column] of this.#values) column.push(update.values[field]?.[i] ?? null);
  }

  /** Late enough that the cost does not show, early enough that memory stays bounded. */
  #trim(): void {
    const old = firstAfter(this.#time, (this.lastMs ?? 0) - this.keptMs);
    const surplus = Math.max(old > 200 ? old : 0, this.#time.length - maxRows);
    if (surplus <= 0) return;
    this.#time.splice(0, surplus);
    this.#score.splice(0, surplus);
    this.#anomaly.splice(0, surplus);
    for (const column of this.#values.values()) column.splice(0, surplus);
  }
}

/** Index of the first time after `ms`, in a sorted list. */
function firstAfter(time: readonly number[], ms: number): number {
  let low = 0;
  let high = time.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((time[middle] ?? 0) <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Indexes before which data is absent for more than six usual steps, and at least two seconds. */
function gaps(time: readonly number[], start: number): readonly number[] {
  const rows = time.length - start;
  if (rows < 3) return [];
  const mean = ((time.at(-1) ?? 0) - (time[start] ?? 0)) / (rows - 1);
  const limit = Math.max(2000, 6 * mean);
  const cuts: number[] = [];
  for (let i = start + 1; i < time.length; i++) {
    if ((time[i] ?? 0) - (time[i - 1] ?? 0) > limit) cuts.push(i);
  }
  return cuts;
}

function withBlanks<Type>(
  column: readonly Type[],
  start: number,
  cuts: readonly number[],
  blank: Type,
): Type[] {
  if (cuts.length === 0) return column.slice(start);
  const ends = [...cuts, column.length];
  return ends.flatMap((end, i) => {
    const piece = column.slice(cuts[i - 1] ?? start, end);
    return i < cuts.length ? [...piece, blank] : piece;
  });
}
