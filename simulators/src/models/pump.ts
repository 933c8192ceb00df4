import { type Chance, Wander } from '../chance.js';
import type { DeviceKind, DeviceModel, FaultLevel, Surroundings } from '../device.js';
import { lag } from '../maths.js';
import { Bearing } from './bearing.js';
import {
  dutyPoint,
  type HydraulicParameters,
  metresPerBar,
  pumpHead,
  pumpPower,
  valveKv,
} from './hydraulics.js';
import { Motor } from './motor.js';
import { pumpChannels } from './pump-channels.js';
import { LevelControl, Tank } from './tank.js';

/** Leak area at severity 1: m³/h for the square root of 1 m of head. */
const leakFlow = 3.6;
/** Inertia of the water column. */
const columnS = 0.8;

/** A centrifugal pump that lifts water from a sump through a control valve into a tank. */
class Pump implements DeviceModel {
  readonly truth = new Float64Array(pumpChannels.length);
  readonly #hydraulics: HydraulicParameters;
  readonly #motor: Motor;
  readonly #bearing: Bearing;
  readonly #tank: Tank;
  readonly #control: LevelControl;
  readonly #sump: Wander;
  readonly #suctionLoss: number;
  #flow = 40;
  #dischargeM = 28;

  constructor(chance: (purpose: string) => Chance) {
    const own = chance('parameters');
    this.#hydraulics = {
      shutOffM: own.spread(34),
      headSlope: own.spread(0.004),
      idleW: own.spread(2200),
      wattsPerFlow: own.spread(49),
      bestFlow: own.spread(45),
      liftM: own.spread(6),
      pipeSlope: own.spread(0.0025),
      valveKvs: own.spread(110),
    };
    this.#suctionLoss = own.spread(0.0004);
    this.#motor = new Motor(own);
    this.#bearing = new Bearing(own, chance('rattle'));
    this.#tank = new Tank(own, chance('demand'));
    this.#control = new LevelControl(own);
    this.#sump = new Wander(chance('sump'), 0.12, 1800);
  }

  second(around: Surroundings): void {
    this.#sump.step();
    this.#bearing.second();
    this.#tank.second(around.secondOfDay);
  }

  advance(dtS: number, around: Surroundings, level: FaultLevel): void {
    const hallCel = 20 + 0.35 * (around.outdoorCel - 12);
    const wear = level('bearing-wear');
    const p = this.#hydraulics;
    const speed = this.#motor.speed;
    const kv = valveKv(p.valveKvs, this.#control.position, level('blocked-valve'));
    const leak = level('leak') * leakFlow * Math.sqrt(Math.max(0, this.#dischargeM));
    const suctionM = 3 + this.#sump.value - this.#suctionLoss * this.#flow * this.#flow;
    this.#flow = lag(this.#flow, dutyPoint(p, speed, kv, leak, suctionM), dtS, columnS);
    this.#dischargeM = suctionM + pumpHead(p, speed, this.#flow);
    const shaftW = pumpPower(p, speed, this.#flow) + this.#bearing.friction(speed, wear);
    this.#motor.advance(dtS, shaftW, hallCel, around);
    const offBest = (this.#flow - p.bestFlow) / p.bestFlow;
    this.#bearing.advance(dtS, speed, wear, offBest, this.#motor.windingCel, hallCel);
    this.#tank.advance(dtS, Math.max(0, this.#flow - leak));
    this.#control.advance(dtS, this.#tank.levelM);
    this.#report(suctionM);
  }

  #report(suctionM: number): void {
    const truth = this.truth;
    truth[0] = this.#motor.currentA;
    truth[1] = this.#motor.powerW / 1000;
    truth[2] = this.#motor.windingCel;
    truth[3] = this.#bearing.temperatureCel;
    truth[4] = this.#bearing.vibration;
    truth[5] = suctionM / metresPerBar;
    truth[6] = this.#dischargeM / metresPerBar;
    truth[7] = this.#flow;
    truth[8] = this.#control.position * 100;
    truth[9] = this.#tank.levelM;
  }
}

export const pump: DeviceKind = {
  channels: pumpChannels,
  tellingField: 'bearingTemperature',
  create: chance => new Pump(chance),
};
