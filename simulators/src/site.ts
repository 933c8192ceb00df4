import { Chance, Wander } from './chance.js';
import { sinTurns } from './maths.js';

const dayS = 86_400;

/** What a whole site shares: the weather and the public grid. The same for the same seed, whatever stands there. */
export class Site {
  /** Outdoor air. */
  outdoorCel = 12;
  /** Public grid at the site's transformer, line to line. */
  gridV = 402;
  frequencyHz = 50;
  readonly #weather: Wander;
  readonly #slowVoltage: Wander;
  readonly #quickVoltage: Wander;
  readonly #frequency: Wander;

  constructor(seed: number) {
    this.#weather = new Wander(new Chance(seed, 'weather'), 1.5, 6 * 3600);
    this.#slowVoltage = new Wander(new Chance(seed, 'grid voltage, slow'), 2, 1800);
    this.#quickVoltage = new Wander(new Chance(seed, 'grid voltage, quick'), 0.5, 20);
    this.#frequency = new Wander(new Chance(seed, 'grid frequency'), 0.02, 120);
  }

  /** Once a whole simulated second. */
  second(secondOfDay: number): void {
    this.#weather.step();
    this.#slowVoltage.step();
    this.#quickVoltage.step();
    this.#frequency.step();
    // Warmest at 15:00; the grid is lowest in the evening peak, at 19:00.
    this.outdoorCel = 12 + 5 * sinTurns(secondOfDay / dayS - 0.375) + this.#weather.value;
    this.gridV =
      402 - 2 * sinTurns(secondOfDay / dayS - 13 / 24) + this.#slowVoltage.value + this.#quickVoltage.value;
    this.frequencyHz = 50 + this.#frequency.value;
  }
}

/** Activity of a working day, 0 (about 3:00) to 1 (mid-day), with a shoulder in the evening. */
export function dayCurve(secondOfDay: number): number {
  const turn = secondOfDay / dayS;
  return 0.5 + 0.42 * sinTurns(turn - 0.3125) + 0.08 * sinTurns(2 * turn - 0.55);
}

export function secondOfDay(startMs: number, atS: number): number {
  const second = (startMs / 1000 + atS) % dayS;
  return second < 0 ? second + dayS : second;
}
