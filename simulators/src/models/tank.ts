import { type Chance, Steps } from '../chance.js';
import { clamp } from '../maths.js';
import { dayCurve } from '../site.js';

/** Full tank: the overflow takes the rest. */
export const tankHeightM = 4;

/** An elevated tank that a works drinks from: more by day, and in steps as lines start and stop. */
export class Tank {
  levelM = 2.5;
  /** What the works takes, m³/h. */
  demand = 38;
  readonly areaM2: number;
  readonly #meanDemand: number;
  readonly #lines: Steps;

  constructor(chance: Chance, lines: Chance) {
    this.areaM2 = chance.spread(12);
    this.#meanDemand = chance.spread(40);
    this.#lines = new Steps(lines, 1500, 60);
  }

  second(secondOfDay: number): void {
    this.#lines.step();
    this.demand = this.#meanDemand * (0.72 + 0.36 * dayCurve(secondOfDay) + 0.1 * this.#lines.value);
  }

  /**
   * Mass balance; an empty tank gives no more than comes in.
   * @param change  of the demand, as a share of it
   */
  advance(dtS: number, inflow: number, change = 0): void {
    const outflow = this.demand * (1 + change);
    this.levelM = clamp(this.levelM + ((inflow - outflow) * dtS) / 3600 / this.areaM2, 0, tankHeightM);
  }
}

/** Keeps the tank's level by the valve: proportional and integral, with a valve that sticks a little and is slow. */
export class LevelControl {
  /** Stem position, 0 to 1. */
  position = 0.66;
  readonly #setPointM: number;
  #integral = 0.66;
  #moving = false;

  constructor(chance: Chance) {
    this.#setPointM = chance.spread(2.5, 0.02);
  }

  advance(dtS: number, levelM: number): void {
    const error = this.#setPointM - levelM;
    const wanted = this.#integral + 0.6 * error;
    // The integral stops while the valve is at an end, or it would have to wind back later.
    if ((wanted < 1 || error < 0) && (wanted > 0.1 || error > 0))
      this.#integral += (0.6 * error * dtS) / 3600;
    const gap = clamp(wanted, 0.1, 1) - this.position;
    const reach = Math.abs(gap);
    if (reach > 0.004) this.#moving = true;
    if (!this.#moving) return;
    this.position += clamp(gap, -0.01 * dtS, 0.01 * dtS);
    if (reach < 0.0005) this.#moving = false;
  }
}
