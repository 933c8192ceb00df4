import type { Chance } from '../chance.js';
import type { DeviceKind, DeviceModel, FaultLevel, Surroundings } from '../device.js';
import { dayCurve } from '../site.js';
import { coldRoomChannels } from './cold-room-channels.js';
import { relativeHumidity, saturated } from './humid-air.js';
import { Refrigeration } from './refrigeration.js';

const airKg = 72;
const airHeat = 1006;
const vaporisationJPerKg = 2.5e6;
/** Air exchanged with the dock, kg/s: through the cracks, and through the open door. */
const cracksKgPerS = 0.002;
const doorKgPerS = 0.45;
const longestOpeningS = 150;
/** Part of the coil's air that its fan moves, and part of the inner heat that the fan makes. */
const fannedAir = 0.95;
const fanHeat = 0.35;
/** A load of warm goods of severity 1: heat to the air, and what it holds. */
const loadWPerKelvin = 120;
const loadHeatCapacity = 600_000;
/** Moister air turns to fog and wets the walls. */
const fogLimit = 0.97;

/** A chilled store of 60 m³ at 4 °C beside a loading dock: walls, doors, goods, coil. */
class ColdRoom implements DeviceModel {
  readonly truth = new Float64Array(coldRoomChannels.length);
  readonly #machine: Refrigeration;
  readonly #visits: Chance;
  readonly #wallWPerKelvin: number;
  readonly #goodsWPerKelvin: number;
  readonly #roomHeatCapacity: number;
  readonly #goodsHeatCapacity: number;
  readonly #innerW: number;
  #roomCel = 4;
  #goodsCel = 4;
  #dockCel = 16;
  /** Goods that arrive are as warm as the dock, and cool down inside. */
  #loadCel = 16;
  /** Water in the air, kg/kg. */
  #water = 0.004;
  #doorS = 0;

  constructor(chance: (purpose: string) => Chance) {
    const own = chance('parameters');
    this.#machine = new Refrigeration(own);
    this.#visits = chance('visits');
    this.#wallWPerKelvin = own.spread(35);
    this.#goodsWPerKelvin = own.spread(80);
    this.#roomHeatCapacity = own.spread(400_000);
    this.#goodsHeatCapacity = own.spread(1.8e6);
    this.#innerW = own.spread(350);
    this.#goodsCel = own.between(3.9, 4.3);
  }

  second(around: Surroundings): void {
    this.#dockCel = 16 + 0.6 * (around.outdoorCel - 12);
    this.#doorS = Math.max(0, this.#doorS - 1);
    const visitsPerS = (0.3 + 6 * dayCurve(around.secondOfDay)) / 3600;
    const [comes, staysS] = [this.#visits.next() < visitsPerS, 15 + this.#visits.wait(25)];
    if (comes && this.#doorS === 0) this.#doorS = Math.min(longestOpeningS, Math.round(staysS));
    this.#machine.second(this.#roomCel, around);
  }

  advance(dtS: number, around: Surroundings, level: FaultLevel): void {
    const stillFan = level('fan-failed');
    this.#machine.charge = 1 - 0.7 * level('refrigerant-leak');
    this.#machine.airflow = 1 - fannedAir * stillFan;
    this.#machine.fouling = level('condenser-fouled');
    const opening = Math.max(this.#doorS > 0 ? 1 : 0, level('door-open'));
    const exchange = cracksKgPerS + doorKgPerS * opening;
    const heatW = this.#machine.heatFrom(this.#roomCel);
    const iceKgPerS = this.#moisture(dtS, exchange);
    const innerW = this.#innerW * (1 - fanHeat * stillFan) + this.#unload(dtS, level('load-change'));
    this.#heat(dtS, exchange, innerW, heatW);
    this.#machine.advance(dtS, heatW + iceKgPerS * vaporisationJPerKg, iceKgPerS, around, this.#dockCel);
    this.#report(opening);
  }

  /** Heat from goods that have just arrived, W. */
  #unload(dtS: number, amount: number): number {
    if (amount === 0) {
      this.#loadCel = this.#dockCel;
      return 0;
    }
    const heatW = loadWPerKelvin * (this.#loadCel - this.#roomCel);
    this.#loadCel -= (heatW * dtS) / loadHeatCapacity;
    return amount * heatW;
  }

  /** Water balance of the air: dock, goods, coil. Returns what settles on the coil, kg/s. */
  #moisture(dtS: number, exchange: number): number {
    const dockWater = 0.6 * saturated(this.#dockCel);
    const fromGoods = 0.008 * Math.max(0, saturated(this.#roomCel) - this.#water);
    const wet = this.#machine.defrosting ? 0.02 : 0.13 * this.#machine.airflow;
    const toCoil = wet * Math.max(0, this.#water - saturated(this.#machine.evaporatorCel));
    this.#water += ((exchange * (dockWater - this.#water) + fromGoods - toCoil) * dtS) / airKg;
    this.#water = Math.min(this.#water, fogLimit * saturated(this.#roomCel));
    return toCoil;
  }

  /** Energy balance of air and goods. */
  #heat(dtS: number, exchange: number, innerW: number, coilW: number): void {
    const outsideW = (this.#wallWPerKelvin + exchange * airHeat) * (this.#dockCel - this.#roomCel);
    const goodsW = this.#goodsWPerKelvin * (this.#goodsCel - this.#roomCel);
    this.#roomCel += ((outsideW + goodsW + innerW - coilW) * dtS) / this.#roomHeatCapacity;
    this.#goodsCel -= (goodsW * dtS) / this.#goodsHeatCapacity;
  }

  #report(opening: number): void {
    const truth = this.truth;
    truth[0] = this.#roomCel;
    truth[1] = this.#goodsCel;
    truth[2] = this.#machine.evaporatorCel;
    truth[3] = this.#dockCel;
    truth[4] = relativeHumidity(this.#water, this.#roomCel);
    truth[5] = this.#machine.currentA;
    truth[6] = opening > 0.05 ? 1 : 0;
    truth[7] = this.#machine.defrosting ? 1 : 0;
  }
}

export const coldRoom: DeviceKind = {
  channels: coldRoomChannels,
  tellingField: 'roomTemperature',
  create: chance => new ColdRoom(chance),
};
