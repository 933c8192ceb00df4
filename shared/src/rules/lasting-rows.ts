import type { RecordBatch } from '../contracts.js';
import { TimeLine, type TimeLineState } from '../windows/time-line.js';
import { PerDevice } from './per-device.js';

/** JSON. */
export interface StreakState {
  readonly line: TimeLineState;
  /** First and last row that held; absent = no streak. */
  readonly held?: readonly [sinceMs: number, lastMs: number] | undefined;
}

/**
 * How long a condition has held on one device. A row where it does not hold ends that; a row that says neither, for
 * want of a value, does not, but does not count either: when nothing was seen to hold for longer than the duration,
 * it begins anew.
 */
export class Streak {
  readonly #line: TimeLine;
  #sinceMs = Number.NaN;
  #lastMs = Number.NaN;

  constructor(durationMs: number) {
    this.#line = new TimeLine(durationMs);
  }

  /** @returns whether it holds at this row, which is no late one, and has done so for the duration */
  push(timeMs: number, holds: boolean, breaks: boolean): boolean {
    const step = this.#line.step(timeMs);
    if (step === 'late') return false;
    if (step === 'anew' || breaks) this.#lastMs = Number.NaN;
    if (!holds) return false;
    const { durationMs } = this.#line;
    if (!(timeMs - this.#lastMs <= durationMs)) this.#sinceMs = timeMs;
    this.#lastMs = timeMs;
    return timeMs - this.#sinceMs >= durationMs;
  }

  /** Whether rows come so rarely that nothing can last. */
  get tooRare(): boolean {
    return this.#line.tooRare;
  }

  /** Undefined before the first row. */
  save(): StreakState | undefined {
    const line = this.#line.save();
    if (!line) return undefined;
    return { line, ...(!Number.isNaN(this.#lastMs) && { held: [this.#sinceMs, this.#lastMs] as const }) };
  }

  load({ line, held }: StreakState): void {
    this.#line.load(line);
    [this.#sinceMs, this.#lastMs] = held ?? [Number.NaN, Number.NaN];
  }
}

/** One `for`, for all devices: whether its condition has held long enough at each row of the batch at hand. */
export class LastingRows {
  readonly devices: PerDevice<Streak>;
  #bits = new Uint8Array(0);
  #batch: RecordBatch | undefined;

  constructor(durationMs: number) {
    this.devices = new PerDevice(() => new Streak(durationMs));
  }

  /** Takes a batch in once, whoever asks first. The bits are valid until the next batch. */
  bits(
    batch: RecordBatch,
    holds: (batch: RecordBatch, n: number) => Uint8Array,
    breaks: (batch: RecordBatch, n: number) => Uint8Array,
  ): Uint8Array {
    const n = batch.time.length;
    if (batch !== this.#batch) this.#take(batch, holds(batch, n), breaks(batch, n), n);
    return this.#bits;
  }

  /** Of a row of the batch that was taken in last. */
  at(batch: RecordBatch, at: number): boolean {
    if (batch !== this.#batch) throw new TypeError('the rule has gone on to another batch');
    return this.#bits[at] === 1;
  }

  #take(batch: RecordBatch, holds: Uint8Array, breaks: Uint8Array, n: number): void {
    if (this.#bits.length < n) this.#bits = new Uint8Array(n);
    const streaks = this.devices.of(batch.schema);
    for (let i = 0; i < n; i++) {
      const streak = streaks[batch.device[i]!]!;
      this.#bits[i] = streak.push(batch.time[i]!, holds[i] === 1, breaks[i] === 1) ? 1 : 0;
    }
    this.#batch = batch;
  }
}
