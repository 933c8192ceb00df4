import type { Chance } from '../chance.js';
import type { Surroundings } from '../device.js';
import { lag } from '../maths.js';

const coilHeatCapacity = 25_000;
const defrostHeaterW = 2000;
const defrostEveryS = 8 * 3600;
const longestDefrostS = 1200;
const defrostEndCel = 12;
/** A compressor that has just run needs its pressures levelled before it starts again. */
const restS = 180;
const shortestRunS = 120;
/** The low-pressure switch stops a compressor whose coil gets no heat, and lets it start once the coil is warmer. */
const cutOutCel = -18;
const cutInCel = -8;
/** How much hotter a condenser fouled to severity 1 runs; more would trip its pressure switch. */
const fouledKelvin = 45;
const volts = 400;
const root3 = Math.sqrt(3);

/** Compressor, evaporator coil, thermostat and defrost timer. */
export class Refrigeration {
  evaporatorCel = -2;
  running = false;
  defrosting = false;
  currentA = 0;
  /** Share of the coil's face that is iced up. */
  frost = 0.1;
  /** Share of the refrigerant that is left. */
  charge = 1;
  /** Share of the usual air over the coil; still air carries some heat too. */
  airflow = 1;
  /** Dirt on the condenser, 0 to 1. */
  fouling = 0;
  readonly #capacityW: number;
  readonly #coilWPerKelvin: number;
  readonly #runningW: number;
  readonly #setPointCel: number;
  readonly #defrostAtS: number;
  #sinceSwitchS = restS;
  /** Stopped by the low-pressure switch, though the room wants cold. */
  #tripped = false;
  #defrostS = 0;

  constructor(chance: Chance) {
    this.#capacityW = chance.spread(3300);
    this.#coilWPerKelvin = chance.spread(360);
    this.#runningW = chance.spread(1150);
    this.#setPointCel = chance.between(3.8, 4.2);
    this.#defrostAtS = Math.floor(chance.between(0, defrostEveryS));
  }

  /** Timers and switches; thermostat with ±1 K between on and off. */
  second(roomCel: number, around: Surroundings): void {
    this.#sinceSwitchS += 1;
    this.#defrost(Math.floor(around.secondOfDay));
    // The contactor drops out at 80 % of its rated voltage (IEC 60947-4-1 allows 75 % to 20 %).
    const powered = around.supplyV > 0.8 * volts;
    const mustStop = this.defrosting || !powered || (this.running && this.evaporatorCel < cutOutCel);
    const cold = roomCel < this.#setPointCel - 1;
    const wantsStop = cold && this.#sinceSwitchS >= shortestRunS;
    if (this.running && (mustStop || wantsStop)) {
      this.#tripped = this.evaporatorCel < cutOutCel;
      this.#switch(false);
    } else if (!this.running && !mustStop && this.#sinceSwitchS >= restS) {
      const wantsAgain = this.#tripped && !cold && this.evaporatorCel > cutInCel;
      if (wantsAgain || roomCel > this.#setPointCel + 1) this.#switch(true);
    }
  }

  /** Heat the coil takes from air at roomCel, W; still air while the heater is on. */
  heatFrom(roomCel: number): number {
    const fan = this.defrosting ? Math.min(0.15, this.airflow) : this.airflow;
    return this.#coilWPerKelvin * fan * (1 - 0.6 * this.frost) * (roomCel - this.evaporatorCel);
  }

  /**
   * @param airW  heat from the room's air, latent heat included
   */
  advance(dtS: number, airW: number, iceKgPerS: number, around: Surroundings, dockCel: number): void {
    // The condenser gives its heat to the dock; dirt makes it as hot as a warmer dock would.
    const sinkCel = dockCel + fouledKelvin * this.fouling;
    const heaterW = this.defrosting ? defrostHeaterW : 0;
    const cooledW = this.running ? this.#cooling(around, sinkCel) : 0;
    this.evaporatorCel += ((airW + heaterW - cooledW) * dtS) / coilHeatCapacity;
    this.frost =
      this.evaporatorCel > 1 ? lag(this.frost, 0, dtS, 400) : Math.min(1, this.frost + iceKgPerS * dtS * 0.4);
    this.currentA = this.running ? this.#current(around, sinkCel) : 0;
  }

  /** Less with a cold evaporator, a warm condenser, a slow motor, little refrigerant. */
  #cooling(around: Surroundings, sinkCel: number): number {
    const evaporation = 1 + 0.03 * (this.evaporatorCel + 6);
    const condensation = 1 - 0.006 * (sinkCel - 16);
    return (
      this.#capacityW * Math.max(0, evaporation) * condensation * this.charge * (around.frequencyHz / 50)
    );
  }

  #current(around: Surroundings, sinkCel: number): number {
    const lift = 1 + 0.012 * (sinkCel - 16) + 0.012 * (this.evaporatorCel + 6);
    const work = this.#runningW * Math.max(0.3, lift) * (0.45 + 0.55 * this.charge);
    return work / (root3 * around.supplyV * 0.8);
  }

  #switch(on: boolean): void {
    this.running = on;
    this.#sinceSwitchS = 0;
  }

  #defrost(secondOfDay: number): void {
    if (secondOfDay % defrostEveryS === this.#defrostAtS) {
      this.defrosting = true;
      this.#defrostS = 0;
    }
    if (!this.defrosting) return;
    this.#defrostS += 1;
    if (this.evaporatorCel > defrostEndCel || this.#defrostS > longestDefrostS) this.defrosting = false;
  }
}
