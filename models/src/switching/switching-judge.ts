import type { ChannelEvidence, Evidence, RecordBatch } from '@edgeward/shared/contracts';
import { usableColumns } from '../channels.js';
import type { LoadedModel } from '../engines.js';
import type { Judge } from '../judge.js';
import { isExplained, type Judgement } from '../judgement.js';
import { type DeviceMemory, readBack, written } from '../memory.js';
import { PresentDevices } from '../present-devices.js';
import { rounded } from '../statistics.js';
import { StateLimits } from './state-limits.js';
import { type State, SwitchedDevice } from './switched-device.js';
import type { Switching } from './switching-model.js';

const mostChannels = 6;
/** Below this a channel's part is not worth a person's attention. */
const leastWeight = 0.02;
/** To explain costs some 0.1 ms at 64 fields: of a batch, so many rows are. */
const maxExplainedABatch = 16;
const stateNames = ['off', 'on'] as const;

/**
 * Another judge's word, and beside it whether machines that are switched on and off are in either state as they should be.
 * That counts from its limits on: within them it is the other's score alone. Both may raise an alarm.
 */
export class SwitchingJudge implements Judge {
  readonly #limits: readonly [StateLimits, StateLimits];
  readonly #devices = new Map<string, SwitchedDevice>();
  readonly #present = new PresentDevices(name => this.#deviceOf(name));

  /** @param threshold  from which score on the other raises alarms */
  constructor(
    private readonly inner: Judge,
    private readonly switching: Switching,
    private readonly threshold: number,
  ) {
    this.#limits = [new StateLimits(switching.states[0]), new StateLimits(switching.states[1])];
  }

  get model(): LoadedModel {
    return this.inner.model;
  }

  async judge(batch: RecordBatch): Promise<Judgement> {
    const judgement = await this.inner.judge(batch);
    const columns = usableColumns(batch, this.switching.fields);
    const devices = this.#present.of(batch);
    const own = new Map<number, Evidence>();
    for (let r = 0; r < batch.time.length; r++) {
      const device = devices[batch.device[r]!]!;
      device.next(columns, r, batch.time[r]!);
      // What it knows is of now, and says nothing of a row of earlier.
      if (batch.time[r]! < device.newestMs) continue;
      // What the other does not judge, for the device is new, is not judged.
      const beyond = device.ratio >= 1 && !Number.isNaN(judgement.score[r]!);
      device.beyondRows = beyond ? device.beyondRows + 1 : 0;
      if (!beyond) continue;
      const score = this.#scoreOf(device.ratio);
      judgement.anomaly[r] = 1;
      if (score <= judgement.score[r]!) continue;
      judgement.score[r] = score;
      if (own.size < maxExplainedABatch && isExplained(device.beyondRows))
        own.set(r, this.#explain(r, score, device));
    }
    if (own.size === 0) return judgement;
    const others = judgement.evidence.filter(({ at }) => !own.has(at));
    return { ...judgement, evidence: [...others, ...own.values()].sort((a, b) => a.at - b.at) };
  }

  save(): DeviceMemory[] {
    return this.inner.save().map(({ name, newestMs, numbers }) => {
      const own = written(memory => this.#deviceOf(name).remember(memory));
      const both = new Float64Array(1 + own.length + numbers.length);
      both[0] = own.length;
      both.set(own, 1);
      both.set(numbers, 1 + own.length);
      return { name, newestMs, numbers: both };
    });
  }

  load(devices: readonly DeviceMemory[]): void {
    const inner = devices.map(({ name, newestMs, numbers }) => {
      const end = 1 + Math.min(numbers.length, numbers[0] ?? 0);
      readBack(numbers.subarray(1, end), memory => this.#deviceOf(name).remember(memory));
      return { name, newestMs, numbers: numbers.subarray(end) };
    });
    this.inner.load(inner);
  }

  /** The threshold at the limits, and towards 1 beyond them. */
  #scoreOf(ratio: number): number {
    return this.threshold + (1 - this.threshold) * (1 - 1 / ratio);
  }

  #explain(at: number, score: number, device: SwitchedDevice): Evidence {
    const state: State = device.ratios[1]! >= device.ratios[0]! ? 1 : 0;
    return {
      at,
      detector: 'forest',
      source: this.inner.model.detector.revision,
      score,
      threshold: this.threshold,
      channels: this.#channelsOf(state, device.means[state]),
    };
  }

  #channelsOf(state: State, means: Float64Array): ChannelEvidence[] {
    const { judged, center, scale } = this.switching.states[state];
    const offs = this.#limits[state].offs(means);
    const blame = this.#limits[state].blame(means);
    const total = blame.reduce((sum, part) => sum + part, 0) || 1;
    return judged
      .map(({ channel, low, high }, j): ChannelEvidence => {
        const field = this.switching.fields[channel]!;
        const read = (z: number) => rounded(center[channel]! + scale[channel]! * z, 5);
        const expected = this.#limits[state].expected(j, means);
        return {
          field,
          value: read(means[channel]!),
          expected: [read(expected + low), read(expected + high)],
          of: `${field} while ${stateNames[state]}`,
          direction: offs[j]! > 0 ? 'high' : 'low',
          weight: blame[j]! / total,
        };
      })
      .filter(({ weight }) => weight >= leastWeight)
      .sort((a, b) => b.weight - a.weight)
      .slice(0, mostChannels);
  }

  #deviceOf(name: string): SwitchedDevice {
    let device = this.#devices.get(name);
    if (!device) {
      device = new SwitchedDevice(this.switching, this.#limits);
      this.#devices.set(name, device);
    }
    return device;
  }
}
