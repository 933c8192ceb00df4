import type { Detector, Evidence, RecordBatch } from '@edgeward/shared/contracts';
import { usableColumns } from '../channels.js';
import { isExplained, type Judgement } from '../judgement.js';
import { type DeviceMemory, type Memory, readBack, written } from '../memory.js';
import { PresentDevices } from '../present-devices.js';
import { blamedChannels } from './blamed-channels.js';
import { type ChannelModel, forestFeatures } from './channel-model.js';
import { ChannelStream, columnCount, Taken } from './channel-stream.js';
import { type Deciding, DeviceVerdict } from './device-verdict.js';
import { View } from './view.js';

export interface ChannelRunOptions {
  readonly model: ChannelModel;
  /** The forest; its features are `forestFeatures(model)`. */
  readonly detector: Detector;
  readonly deciding?: Deciding;
}

interface Device {
  readonly stream: ChannelStream;
  readonly verdict: DeviceVerdict;
}

/**
 * A model of several channels at work. Scores are in [0, 1), and 0.5 where alarms begin or end. Rows may be cut into batches in any
 * way. Calls must not overlap.
 */
export class ChannelRun {
  readonly #options: ChannelRunOptions;
  readonly #views: readonly View[];
  readonly #devices = new Map<string, Device>();
  readonly #present = new PresentDevices(name => this.#deviceOf(name));
  readonly #fields: readonly string[];
  readonly #features: number;
  readonly #columns: number;
  #scratch = scratchOf(0, 0, 0);

  constructor(options: ChannelRunOptions) {
    const { model } = options;
    this.#options = options;
    this.#views = model.views.map(view => new View(view));
    this.#fields = model.plan.map(({ field }) => field);
    this.#features = forestFeatures(model.plan).length;
    this.#columns = columnCount(model.plan);
  }

  async judge(batch: RecordBatch): Promise<Judgement> {
    const n = batch.time.length;
    const read = usableColumns(batch, this.#fields);
    const devices = this.#present.of(batch);
    const { columns, features, taken } = this.#scratchFor(n);
    for (let r = 0; r < n; r++) {
      const { stream } = devices[batch.device[r]!]!;
      taken[r] = stream.push(read, r, batch.time[r]!);
      if (taken[r] === Taken.not) continue;
      stream.columns(columns, r * this.#columns);
      stream.features(features, r * this.#features);
    }
    const forest = await this.#options.detector.score(features.subarray(0, n * this.#features), n);
    return this.#decide(batch, { read, devices, columns, taken, forest });
  }

  /** With room for n rows. What rows of the last batch left there is of no consequence. */
  #scratchFor(n: number): Scratch {
    if (this.#scratch.taken.length < n) this.#scratch = scratchOf(n, this.#columns, this.#features);
    return this.#scratch;
  }

  /** What it remembers of the devices it has had rows of. */
  save(): DeviceMemory[] {
    return [...this.#devices].flatMap(([name, device]) => {
      const { newestMs } = device.stream;
      if (!Number.isFinite(newestMs)) return [];
      return { name, newestMs, numbers: written(memory => remember(device, memory)) };
    });
  }

  /** Goes on where another of the same model was. @throws RangeError; then it must not be used any more */
  load(devices: readonly DeviceMemory[]): void {
    for (const { name, numbers } of devices)
      readBack(numbers, memory => remember(this.#deviceOf(name), memory));
  }

  #decide(batch: RecordBatch, seen: Seen): Judgement {
    const n = batch.time.length;
    const score = new Float32Array(n).fill(Number.NaN);
    const [anomaly, warmUp] = [new Uint8Array(n), new Uint8Array(n)];
    const evidence: Evidence[] = [];
    const distances = new Float64Array(this.#views.length);
    for (let r = 0; r < n; r++) {
      if (seen.taken[r] === Taken.not) continue;
      const { verdict } = seen.devices[batch.device[r]!]!;
      if (seen.taken[r] === Taken.first) verdict.reset();
      this.#distances(seen.columns, r, distances);
      score[r] = verdict.next(distances, seen.forest[r]!);
      warmUp[r] = Number.isNaN(score[r]!) ? 1 : 0;
      anomaly[r] = verdict.alarmRows > 0 ? 1 : 0;
      if (isExplained(verdict.alarmRows)) evidence.push(this.#explain(r, score[r]!, seen));
    }
    return { score, anomaly, warmUp, evidence };
  }

  #distances(columns: Float64Array, row: number, into: Float64Array): void {
    let at = row * this.#columns;
    for (let v = 0; v < this.#views.length; v++) {
      const view = this.#views[v]!;
      into[v] = view.distance(columns, at);
      at += view.size;
    }
  }

  #explain(row: number, score: number, { read, columns }: Seen): Evidence {
    const { plan, views } = this.#options.model;
    const blame = new Float64Array(plan.length);
    let at = row * this.#columns;
    for (const [v, view] of this.#views.entries()) {
      view.blame(columns, at, views[v]!.level ** -2, blame);
      at += view.size;
    }
    const values = read.map(column => column[row]!);
    return {
      at: row,
      detector: 'forest',
      source: this.#options.detector.revision,
      score,
      threshold: 0.5,
      channels: blamedChannels(plan, blame, values),
    };
  }

  #deviceOf(name: string): Device {
    let device = this.#devices.get(name);
    if (!device) {
      const { model, deciding } = this.#options;
      device = {
        stream: new ChannelStream(model.plan, model.maxGapMs),
        verdict: new DeviceVerdict(model, deciding),
      };
      this.#devices.set(name, device);
    }
    return device;
  }
}

function remember({ stream, verdict }: Device, memory: Memory): void {
  stream.remember(memory);
  verdict.remember(memory);
}

/** Kept from batch to batch, so that one of a single row allocates little. */
interface Scratch {
  /** [n, columns of all views]. */
  readonly columns: Float64Array;
  /** [n, columns of the forest]. */
  readonly features: Float32Array;
  /** [n] a `Taken`. */
  readonly taken: Uint8Array;
}

function scratchOf(rows: number, columns: number, features: number): Scratch {
  return {
    columns: new Float64Array(rows * columns),
    features: new Float32Array(rows * features),
    taken: new Uint8Array(rows),
  };
}

interface Seen extends Omit<Scratch, 'features'> {
  readonly read: readonly Float64Array[];
  readonly devices: readonly Device[];
  /** [n] */
  readonly forest: Float32Array;
}
