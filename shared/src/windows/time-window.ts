import { Summary } from './summary.js';
import { type QueueState, SummaryQueue } from './summary-queue.js';
import { TimeLine, type TimeLineState } from './time-line.js';

export const windowFunctions = ['mean', 'min', 'max', 'spread', 'change', 'rate', 'count'] as const;
export type WindowFunction = (typeof windowFunctions)[number];

/** What a window keeps of its values; functions of one kind are read from one window. */
export type WindowKind = keyof typeof Summary;

export const kindOf: Readonly<Record<WindowFunction, WindowKind>> = {
  mean: 'moments',
  spread: 'moments',
  count: 'moments',
  min: 'lowest',
  max: 'highest',
  change: 'oldest',
  rate: 'oldest',
};

/**
 * A window is kept as at most so many cells and one more. Values closer together than this part of its length share a
 * cell, and leave together with the first of it: up to 0.2 % of the length too early. Where values come no closer
 * together, the window is exact.
 */
export const cellsPerWindow = 500;

/** JSON: all numbers are finite, or null. */
export interface TimeWindowState {
  readonly line: TimeLineState;
  readonly queue: QueueState;
  /** The newest value and its time; absent = there was none yet. */
  readonly last?: readonly [timeMs: number, value: number] | undefined;
}

/**
 * The values of one channel of one device that are not older than a length of time, by the times of the rows and not
 * by any clock. Known once the device has been seen for that long; a silence longer than that begins anew.
 */
export class TimeWindow {
  readonly #line: TimeLine;
  readonly #queue: SummaryQueue;
  readonly #cellMs: number;
  #lastMs = Number.NaN;
  #last = Number.NaN;

  constructor(kind: WindowKind, lengthMs: number) {
    this.#line = new TimeLine(lengthMs);
    this.#queue = new SummaryQueue(Summary[kind]);
    this.#cellMs = lengthMs / cellsPerWindow;
  }

  /**
   * @param value  NaN = the row has no usable one
   * @returns whether the window can be read at this row: it is no late one, and the window is full
   */
  push(timeMs: number, value: number): boolean {
    const step = this.#line.step(timeMs);
    if (step === 'late') return false;
    if (step === 'anew') this.#queue.clear();
    else this.#queue.dropBelow(timeMs - this.#line.durationMs);
    if (!Number.isNaN(value)) {
      if (this.#queue.size > 0 && timeMs - this.#queue.newestKey < this.#cellMs) this.#queue.add(value);
      else this.#queue.push(timeMs, value);
      this.#last = value;
      this.#lastMs = timeMs;
    }
    return this.#line.full;
  }

  /** Whether rows come so rarely that it can never be read. */
  get tooRare(): boolean {
    return this.#line.tooRare;
  }

  /** NaN = too few values for that. The function must be one of the window's kind. */
  read(what: WindowFunction): number {
    const queue = this.#queue;
    if (queue.size === 0) return what === 'count' ? 0 : Number.NaN;
    switch (what) {
      case 'count':
      case 'min':
      case 'max':
        return queue.read(0);
      case 'mean':
        return queue.read(1);
      case 'spread':
        return queue.read(0) > 1 ? Math.sqrt(queue.read(2) / queue.read(0)) : Number.NaN;
      case 'change':
        return queue.read(1) > 1 ? this.#last - queue.read(0) : Number.NaN;
      case 'rate': {
        const seconds = (this.#lastMs - queue.oldestKey) / 1000;
        return seconds > 0 ? (this.#last - queue.read(0)) / seconds : Number.NaN;
      }
    }
  }

  /** Undefined before the first row. */
  save(): TimeWindowState | undefined {
    const line = this.#line.save();
    if (!line) return undefined;
    const last = Number.isNaN(this.#lastMs) ? undefined : ([this.#lastMs, this.#last] as const);
    return { line, queue: this.#queue.save(), ...(last && { last }) };
  }

  /** @throws TypeError if it is no state of a window of this kind */
  load({ line, queue, last }: TimeWindowState): void {
    this.#queue.load(queue);
    this.#line.load(line);
    [this.#lastMs, this.#last] = last ?? [Number.NaN, Number.NaN];
  }
}
