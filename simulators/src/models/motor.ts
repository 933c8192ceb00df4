import type { Chance } from '../chance.js';
import type { Surroundings } from '../device.js';
import { clamp } from '../maths.js';

const ratedV = 400;
const ratedHz = 50;
const ratedW = 5500;
const ratedSlip = 0.035;
/** Without its fan the motor keeps its heat this many times better on top. */
const uncooled = 2;
const root3 = Math.sqrt(3);

/**
 * A 5.5 kW induction motor on the line, in its linear range (torque ∝ slip · V², Chapman, Electric Machinery
 * Fundamentals, ch. 6): less voltage means more slip, more current and more heat for the same work.
 */
export class Motor {
  /** Fraction of rated speed. */
  speed = 1;
  currentA = 9;
  /** Drawn from the supply, W. */
  powerW = 5000;
  windingCel = 60;
  readonly #magnetisingA: number;
  readonly #windingOhm: number;
  readonly #ironW: number;
  readonly #toAirKelvinPerW: number;
  readonly #heatCapacity: number;

  constructor(chance: Chance) {
    this.#magnetisingA = chance.spread(5);
    this.#windingOhm = chance.spread(1.1);
    this.#ironW = chance.spread(240);
    this.#toAirKelvinPerW = chance.spread(0.075);
    this.#heatCapacity = chance.spread(20_000);
  }

  /**
   * @param shaftW  what the pump and its bearings take at the present speed
   * @param hallCel air around the motor
   * @param covered 0 (cooled) to 1 (its fan is as good as gone)
   */
  advance(dtS: number, shaftW: number, hallCel: number, around: Surroundings, covered: number): void {
    const volts = Math.max(0.3, around.supplyV / ratedV);
    const slip = clamp((ratedSlip * shaftW) / ratedW / (volts * volts), 0, 0.25);
    this.speed = ((around.frequencyHz / ratedHz) * (1 - slip)) / (1 - ratedSlip * 0.8);
    const copperW = 3 * this.currentA * this.currentA * this.#windingOhm;
    this.powerW = shaftW + this.#ironW * volts * volts + copperW;
    const activeA = this.powerW / (root3 * around.supplyV);
    const magnetisingA = this.#magnetisingA * volts;
    this.currentA = Math.sqrt(activeA * activeA + magnetisingA * magnetisingA);
    const toAirW = (this.windingCel - hallCel) / (this.#toAirKelvinPerW * (1 + uncooled * covered));
    this.windingCel += ((this.powerW - shaftW - toAirW) * dtS) / this.#heatCapacity;
  }
}
