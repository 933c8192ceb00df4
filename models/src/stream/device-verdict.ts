import type { Memory } from '../memory.js';
import { AlarmState } from './alarm-state.js';
import { type ChannelModel, together } from './channel-model.js';
import { forestRatio } from './channel-stream.js';
import { RunningMean } from './running-mean.js';
import { channelSettings } from './settings.js';

/** Which parts decide. */
export type Deciding = 'all' | 'forest' | 'views';

/**
 * From distances and forest scores of one device's rows to one number: each averaged over its last rows, and against its
 * highest among the training rows.
 */
export class DeviceVerdict {
  readonly #distances: readonly RunningMean[];
  readonly #forest = new RunningMean(channelSettings.forest.smoothing);
  readonly #alarm: AlarmState;
  /** Of the newest row: one a view, and the forest's. */
  readonly #parts: Float64Array;
  #rows = 0;
  /** Rows since the alarm began; 0 = no alarm. */
  alarmRows = 0;

  constructor(
    private readonly model: ChannelModel,
    private readonly deciding: Deciding = 'all',
  ) {
    const { recovery, forgetting } = channelSettings;
    const { threshold, holdRows } = model;
    this.#distances = channelSettings.views.map(({ smoothing }) => new RunningMean(smoothing));
    this.#parts = new Float64Array(model.views.length + 1);
    this.#alarm = new AlarmState({ threshold, recovery, forgetting, holdRows });
  }

  /**
   * @param distances  of the row, one a view
   * @returns          score in [0, 1), 0.5 where an alarm begins or ends; NaN while warming up
   */
  next(distances: Float64Array, forestScore: number): number {
    const ratio = this.#ratio(distances, forestScore);
    this.#rows += 1;
    if (this.#rows <= this.model.warmUpRows) return Number.NaN;
    this.alarmRows = this.#alarm.next(ratio) ? this.alarmRows + 1 : 0;
    return ratio / (ratio + this.#alarm.limit);
  }

  reset(): void {
    for (const mean of this.#distances) mean.reset();
    this.#forest.reset();
    this.#alarm.reset();
    this.#rows = 0;
    this.alarmRows = 0;
  }

  remember(memory: Memory): void {
    for (const mean of this.#distances) mean.remember(memory);
    this.#forest.remember(memory);
    this.#alarm.remember(memory);
    this.#rows = memory.count(this.#rows);
    this.alarmRows = memory.count(this.alarmRows);
  }

  #ratio(distances: Float64Array, forestScore: number): number {
    const parts = this.#parts;
    for (let v = 0; v < distances.length; v++)
      parts[v] = this.#distances[v]!.next(distances[v]!) / this.model.views[v]!.level;
    const forest = Math.max(0, forestRatio(this.model.forest, this.#forest.next(forestScore)));
    parts[distances.length] = forest;
    if (this.deciding === 'forest') return forest;
    return together(this.deciding === 'views' ? parts.subarray(0, distances.length) : parts);
  }
}
