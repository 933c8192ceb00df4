import type { Value } from '@edgeward/shared/batch';
import type { Chance } from './chance.js';
import type { Channel } from './device.js';
import { levelOf, type RunningFault } from './faults.js';
import { clamp, lag } from './maths.js';

/** A noisy sensor of severity 1 has this many times its usual noise on top. */
const mostNoise = 30;

/** The transmitters of one device: lag, noise, resolution, and what can go wrong with them. */
export class Sensors {
  readonly #channels: readonly Channel[];
  readonly #noise: Chance;
  readonly #spikes: Chance;
  readonly #hiss: Chance;
  readonly #lagged: Float64Array;
  readonly #shown: Value[];

  constructor(channels: readonly Channel[], chance: (purpose: string) => Chance) {
    this.#channels = channels;
    this.#noise = chance('noise');
    this.#spikes = chance('spikes');
    this.#hiss = chance('hiss');
    this.#lagged = new Float64Array(channels.length).fill(Number.NaN);
    this.#shown = channels.map(() => null);
  }

  advance(dtS: number, truth: Float64Array): void {
    for (let c = 0; c < truth.length; c++) {
      const before = this.#lagged[c]!;
      const now = truth[c]!;
      // The first look has no past to lag behind.
      this.#lagged[c] = Number.isNaN(before) ? now : lag(before, now, dtS, this.#channels[c]!.lagS);
    }
  }

  /** One row, in the order of the channels. Draws the same chance whatever is wrong, so that nothing shifts. */
  read(nowS: number, faults: readonly RunningFault[]): Value[] {
    const values = this.#channels.map((channel, c) =>
      channel.field.kind === 'bool' ? this.#lagged[c]! >= 0.5 : this.#measure(channel, this.#lagged[c]!),
    );
    for (const fault of faults) this.#disturb(values, fault, nowS);
    for (let c = 0; c < values.length; c++) this.#shown[c] = values[c];
    return values;
  }

  #disturb(values: Value[], fault: RunningFault, nowS: number): void {
    const c = this.#channels.findIndex(channel => channel.field.name === fault.field);
    const channel = this.#channels[c];
    const value = values[c];
    if (channel === undefined || typeof value !== 'number') return;
    const level = levelOf(fault, nowS);
    if (fault.kind === 'stuck-sensor') values[c] = this.#shown[c] ?? value;
    else if (fault.kind === 'drift' || fault.kind === 'offset')
      values[c] = show(channel, value + level * channel.faultSpan);
    else if (fault.kind === 'noisy-sensor')
      values[c] = show(channel, value + level * mostNoise * sigmaOf(channel, value) * this.#hiss.normal());
    else if (fault.kind === 'spikes')
      values[c] = show(channel, value + this.#spike(level) * channel.faultSpan);
  }

  /** Every fifth reading or so. */
  #spike(level: number): number {
    const [whether, size] = [this.#spikes.next(), this.#spikes.between(-1, 1)];
    if (whether > 0.2) return 0;
    return level * (size < 0 ? size - 1 : size + 1);
  }

  #measure(channel: Channel, value: number): number {
    return show(channel, value + sigmaOf(channel, value) * this.#noise.normal());
  }
}

function sigmaOf(channel: Channel, value: number): number {
  return channel.noise + (channel.noiseShare ?? 0) * Math.abs(value);
}

/** To the transmitter's range and resolution. Adding 0 turns −0 into 0. */
function show(channel: Channel, value: number): number {
  const within = clamp(
    value,
    channel.low ?? Number.NEGATIVE_INFINITY,
    channel.high ?? Number.POSITIVE_INFINITY,
  );
  return Math.round(within * channel.stepsPerUnit) / channel.stepsPerUnit + 0;
}
