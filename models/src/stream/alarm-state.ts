import type { Memory } from '../memory.js';

export interface AlarmOptions {
  /** Ratio at which alarms begin. */
  readonly threshold: number;
  /** Share of its height to which a ratio falls when an alarm has passed. */
  readonly recovery: number;
  /** By this factor a row what an alarm left behind as usual is forgotten. */
  readonly forgetting: number;
  /** Rows in a row that the ratio must lie above the threshold. */
  readonly holdRows: number;
}

/**
 * Whether a device is in alarm, from a ratio that is about 1 at the edge of the usual. An alarm ends below the
 * threshold, or when most of its height is gone: machines seldom come back to the very state they were trained in.
 * What it ends at counts as usual for a while, so that the next alarm has to rise from there.
 */
export class AlarmState {
  #inAlarm = false;
  #height = 0;
  #usual = 1;
  #above = 0;

  constructor(private readonly options: AlarmOptions) {}

  next(ratio: number): boolean {
    const { threshold, recovery, forgetting, holdRows } = this.options;
    if (!this.#inAlarm) this.#usual = Math.max(1, this.#usual * forgetting);
    const limit = threshold * this.#usual;
    this.#above = ratio > limit ? this.#above + 1 : 0;
    if (this.#inAlarm) {
      this.#height = Math.max(this.#height, ratio);
      const recovered = ratio < recovery * this.#height;
      if (ratio >= limit && recovered) this.#usual = ratio;
      this.#inAlarm = ratio >= limit && !recovered;
    } else if (this.#above >= holdRows) {
      this.#inAlarm = true;
      this.#height = ratio;
    }
    if (!this.#inAlarm) this.#usual = Math.max(1, Math.min(this.#usual, ratio));
    return this.#inAlarm;
  }

  /** The ratio at which an alarm would begin, or ends. */
  get limit(): number {
    return this.options.threshold * this.#usual;
  }

  reset(): void {
    this.#inAlarm = false;
    this.#height = 0;
    this.#usual = 1;
    this.#above = 0;
  }

  remember(memory: Memory): void {
    this.#inAlarm = memory.count(Number(this.#inAlarm)) === 1;
    this.#height = memory.number(this.#height);
    this.#usual = memory.number(this.#usual);
    this.#above = memory.count(this.#above);
  }
}
