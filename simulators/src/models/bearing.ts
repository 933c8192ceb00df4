import { type Chance, Wander } from '../chance.js';

/** A worn-out bearing (wear 1) rubs this many times harder. */
const wornFriction = 4.5;
/** … and shakes by this much more, mm/s: well into zone D of ISO 20816-3. */
const wornShake = 6;

/** Thrust from a coupling out of line (1) makes it rub this much of its friction more. */
const thrustFriction = 0.25;

/** What makes the bearing rub, each 0 to 1. */
export interface Rubbing {
  readonly wear: number;
  readonly misaligned: number;
}

/** The drive-end bearing: its friction heats it, play and imbalance shake it. */
export class Bearing {
  temperatureCel = 48;
  /** Vibration velocity at the housing, RMS, mm/s. */
  vibration = 1.3;
  readonly #frictionW: number;
  readonly #toAirKelvinPerW: number;
  readonly #toMotorKelvinPerW: number;
  readonly #heatCapacity: number;
  readonly #shake: number;
  readonly #rattle: Wander;

  constructor(chance: Chance, rattle: Chance) {
    this.#frictionW = chance.spread(60);
    this.#toAirKelvinPerW = chance.spread(0.36);
    this.#toMotorKelvinPerW = chance.spread(1.6);
    this.#heatCapacity = chance.spread(1300);
    this.#shake = chance.spread(1.3);
    this.#rattle = new Wander(rattle, 0.2, 5);
  }

  second(): void {
    this.#rattle.step();
  }

  /** Friction power, W; warm grease is thinner (about −0.6 % a kelvin). */
  friction(speed: number, { wear, misaligned }: Rubbing): number {
    const grease = Math.max(0.5, 1 - 0.006 * (this.temperatureCel - 50));
    return this.#frictionW * speed * grease * (1 + (wornFriction - 1) * wear + thrustFriction * misaligned);
  }

  /**
   * @param offBest  how far the flow is from the best point, as a fraction of it: recirculation shakes too
   * @param shaken   by coupling and bubbles, mm/s at rated speed
   */
  advance(
    dtS: number,
    speed: number,
    rubbing: Rubbing,
    offBest: number,
    shaken: number,
    motorCel: number,
    hallCel: number,
  ): void {
    const outW =
      (this.temperatureCel - hallCel) / this.#toAirKelvinPerW +
      (this.temperatureCel - motorCel) / this.#toMotorKelvinPerW;
    this.temperatureCel += ((this.friction(speed, rubbing) - outW) * dtS) / this.#heatCapacity;
    const flowShake = this.#shake * (1 + 0.9 * offBest * offBest);
    const wornPart = wornShake * rubbing.wear * (1 + this.#rattle.value);
    this.vibration = speed * speed * (flowShake + wornPart + shaken);
  }
}
