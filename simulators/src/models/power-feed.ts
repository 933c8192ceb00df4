import { type Chance, Steps, Wander } from '../chance.js';
import type { DeviceKind, DeviceModel, FaultLevel, Surroundings } from '../device.js';
import { clamp } from '../maths.js';
import { dayCurve } from '../site.js';
import { powerFeedChannels } from './power-feed-channels.js';

const ratedV = 400;
/** At severity 1: what is switched on beyond what the feed is made for, a big consumer within it, lost capacitors. */
const overloadKW = 110;
const consumerKW = 30;
const capacitorKvar = 40;
const root3 = Math.sqrt(3);

/** The low-voltage feed of a works: transformer and cable in front of a load that follows the day. */
export class PowerFeed implements DeviceModel {
  readonly truth = new Float64Array(powerFeedChannels.length);
  /** At the bus bar, line to line: what everything behind this feed gets. */
  busV = 400;
  readonly #baseKW: number;
  readonly #dayKW: number;
  readonly #machineKW: number;
  /** Resistance and reactance of transformer and cable, ohm a phase. */
  readonly #resistance: number;
  readonly #reactance: number;
  readonly #powerFactorAtRest: number;
  readonly #machines: readonly Steps[];
  readonly #small: Wander;
  readonly #reactive: Wander;
  #loadKW = 60;
  #currentA = 100;

  constructor(chance: (purpose: string) => Chance) {
    const own = chance('parameters');
    this.#baseKW = own.spread(38);
    this.#dayKW = own.spread(42);
    this.#machineKW = own.spread(7);
    this.#resistance = own.spread(0.012);
    this.#reactance = own.spread(0.02);
    this.#powerFactorAtRest = own.between(0.79, 0.81);
    this.#machines = [600, 1200, 2400].map((meanS, i) => new Steps(chance(`machine ${i}`), meanS, 4));
    this.#small = new Wander(chance('small loads'), 1.2, 60);
    this.#reactive = new Wander(chance('reactive load'), 0.006, 300);
  }

  second(around: Surroundings): void {
    this.#small.step();
    this.#reactive.step();
    let machines = 0;
    for (const machine of this.#machines) {
      machine.step();
      machines += machine.value;
    }
    const activity = dayCurve(around.secondOfDay);
    this.#loadKW = Math.max(
      5,
      this.#baseKW + this.#dayKW * activity + this.#machineKW * machines + this.#small.value,
    );
  }

  advance(_dtS: number, around: Surroundings, level: FaultLevel): void {
    const loadKW = this.#loadKW + overloadKW * level('overload') + consumerKW * level('load-change');
    const cos = this.#powerFactor(loadKW, capacitorKvar * level('capacitor-failed'));
    const sin = Math.sqrt(1 - cos * cos);
    // Drop along the cable, IEC 60364-5-52 annex G: √3 · I · (R·cos φ + X·sin φ).
    this.busV = around.supplyV - root3 * this.#currentA * (this.#resistance * cos + this.#reactance * sin);
    const ratio = this.busV / ratedV;
    // Heaters take less at low voltage, drives as much as ever.
    const powerKW = loadKW * (0.5 + 0.5 * ratio * ratio);
    this.#currentA = (powerKW * 1000) / (root3 * this.busV * cos);
    const truth = this.truth;
    truth[0] = this.busV;
    truth[1] = this.#currentA;
    truth[2] = powerKW;
    truth[3] = cos;
    truth[4] = around.frequencyHz;
  }

  /** Loaded motors have the better one; reactive power that no capacitor gives any more comes through the feed. */
  #powerFactor(loadKW: number, lostKvar: number): number {
    const loading = clamp(loadKW / 100, 0, 1.2);
    const corrected = clamp(this.#powerFactorAtRest + 0.13 * loading + this.#reactive.value, 0.6, 0.99);
    if (lostKvar === 0) return corrected;
    const tan = Math.sqrt(1 - corrected * corrected) / corrected + lostKvar / loadKW;
    return 1 / Math.sqrt(1 + tan * tan);
  }
}

export const powerFeed: DeviceKind = {
  channels: powerFeedChannels,
  tellingField: 'voltage',
  create: chance => new PowerFeed(chance),
};
