/** Ways to tell that a pipeline device is unlike its own past: what the collector does, and an Isolation Forest. */
import { type Feature, featuresOf } from '@edgeward/collector/pipeline/past/features';
import { WatchedDevice } from '@edgeward/collector/pipeline/past/watched-device';
import { type Forest, scoreForest, trainForest } from '@edgeward/models/isolation-forest';
import { RunningMean } from '@edgeward/models/stream/running-mean';
import { seededRng } from '@edgeward/shared/rng';
import { type Kind, minutesADay, startMs, type Values } from './simulated.js';

const minuteMs = 60_000;

/** All devices of one kind of one fleet. */
export interface Arm {
  /** @returns whether the device is in alarm */
  minute(device: number, minute: number, values: Values): boolean;
}

/** As shipped. */
export class OwnPastArm implements Arm {
  readonly #devices: WatchedDevice[];

  constructor(kind: Kind, devices: number) {
    this.#devices = Array.from({ length: devices }, () => new WatchedDevice(featuresOf[kind]));
  }

  minute(device: number, minute: number, values: Values): boolean {
    return passed(this.#devices[device]!, minute, values).sinceMs !== undefined;
  }
}

const [rowsKept, retrainMinutes, firstTraining] = [4096, minutesADay, 3 * minutesADay];
const mostSize = 12;
const outMinutes = 3;

/** What is averaged over 41 minutes: the middle of each feature before the forest, or the mean of its scores behind it. */
export type Smoothed = 'features' | 'score';
const meanOf = 41;

/**
 * One forest for all devices of a kind, over how far each feature is from its own past in units of what is usual; trained
 * from what has been, each day anew, without the rows in alarm. The same normalisation, the same hold of three minutes.
 */
export class ForestArm implements Arm {
  readonly #features: readonly Feature[];
  readonly #devices: WatchedDevice[];
  readonly #rows: Float32Array;
  readonly #out: Uint8Array;
  readonly #means: RunningMean[];
  readonly #rng = seededRng(7);
  #seen = 0;
  #trainedAt = 0;
  #forest: Forest | undefined;

  constructor(
    kind: Kind,
    devices: number,
    private readonly threshold: number,
    private readonly smoothed: Smoothed,
  ) {
    this.#means = Array.from({ length: devices }, () => new RunningMean(meanOf));
    this.#features = featuresOf[kind];
    this.#devices = Array.from({ length: devices }, () => new WatchedDevice(this.#features));
    this.#rows = new Float32Array(rowsKept * this.#features.length);
    this.#out = new Uint8Array(devices);
  }

  minute(device: number, minute: number, values: Values): boolean {
    const { past } = passed(this.#devices[device]!, minute, values);
    const { length: F } = this.#features;
    const isRaw = this.smoothed === 'score';
    const [far, usual] = isRaw ? [past.away, past.usualAway] : [past.stray, past.usualStray];
    const x = Float32Array.from(far, (stray, f) => {
      const size = stray / Math.max(0.02, usual[f]!);
      return Number.isNaN(size) ? 0 : Math.max(-mostSize, Math.min(mostSize, size));
    });
    if (minute >= firstTraining && minute - this.#trainedAt >= retrainMinutes) this.#train(F, minute);
    const score = new Float32Array(1);
    if (this.#forest) scoreForest(this.#forest, x, 1, score);
    const judged = isRaw && this.#forest ? this.#means[device]!.next(score[0]!) : score[0]!;
    const isOut = judged > this.threshold;
    this.#out[device] = isOut ? Math.min(outMinutes, this.#out[device]! + 1) : 0;
    if (!isOut && minute > 2 * minutesADay) this.#keep(x);
    return this.#out[device]! >= outMinutes;
  }

  #keep(x: Float32Array): void {
    this.#seen += 1;
    const at = this.#seen <= rowsKept ? this.#seen - 1 : Math.floor(this.#rng() * this.#seen);
    if (at < rowsKept) this.#rows.set(x, at * x.length);
  }

  #train(F: number, minute: number): void {
    const n = Math.min(this.#seen, rowsKept);
    if (n < 256) return;
    this.#trainedAt = minute;
    this.#forest = trainForest(this.#rows.subarray(0, n * F), n, F, { trees: 100, samples: 256, seed: 7 });
  }
}

function passed(watched: WatchedDevice, minute: number, values: Values): WatchedDevice {
  for (const [f, { field }] of watched.features.entries()) watched.add(f, values[field] ?? Number.NaN);
  watched.look(startMs + minute * minuteMs);
  return watched;
}
