import { type Chance, Wander } from '../chance.js';
import type { DeviceKind, DeviceModel, FaultLevel, Surroundings } from '../device.js';
import { lag } from '../maths.js';
import { Bearing } from './bearing.js';
import {
  cavitation,
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
/** A strainer clogged to severity 1 takes this much head, m for (m³/h)². */
const cloggedLoss = 0.009;
/** A coupling out of line by severity 1 rubs and shakes: W and mm/s. */
const misalignedW = 150;
const misalignedShake = 4.5;
/** Full cavitation shakes by this much more, mm/s, and costs this much head, m for (m³/h)². */
const cavitationShake = 6;
const cavitationLoss = 0.006;
/** Bubbles take so long to fill the impeller, or to leave it. */
const bubblesS = 5;
/** At severity 1 the works draws this share more, or less. */
const mostDemandChange = 0.4;
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
  readonly #turns: Chance;
  /** Of the present change of demand: up, down, or none. */
  #direction: -1 | 0 | 1 = 0;
  #flow = 40;
  #dischargeM = 28;
  /** How far it cavitates, 0 to 1. */
  #bubbles = 0;

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
    this.#turns = chance('load change');
  }

  second(around: Surroundings): void {
    this.#sump.step();
    this.#bearing.second();
    this.#tank.second(around.secondOfDay);
  }

  advance(dtS: number, around: Surroundings, level: FaultLevel): void {
    const hallCel = 20 + 0.35 * (around.outdoorCel - 12);
    const wear = level('bearing-wear');
    const own = this.#hydraulics;
    const p = this.#bubbles > 0 ? { ...own, headSlope: own.headSlope + cavitationLoss * this.#bubbles } : own;
    const speed = this.#motor.speed;
    const kv = valveKv(p.valveKvs, this.#control.position, level('blocked-valve'));
    const leak = level('leak') * leakFlow * Math.sqrt(Math.max(0, this.#dischargeM));
    const misaligned = level('misaligned');
    const inletLoss = this.#suctionLoss + cloggedLoss * level('suction-blocked');
    const suctionM = 3 + this.#sump.value - inletLoss * this.#flow * this.#flow;
    this.#bubbles = lag(this.#bubbles, cavitation(suctionM, this.#flow), dtS, bubblesS);
    this.#flow = lag(this.#flow, dutyPoint(p, speed, kv, leak, suctionM), dtS, columnS);
    this.#dischargeM = suctionM + pumpHead(p, speed, this.#flow);
    const rubbing = { wear, misaligned };
    const shaftW =
      pumpPower(p, speed, this.#flow) + this.#bearing.friction(speed, rubbing) + misalignedW * misaligned;
    this.#motor.advance(dtS, shaftW, hallCel, around, level('cooling-lost'));
    const offBest = (this.#flow - p.bestFlow) / p.bestFlow;
    const shaken = misalignedShake * misaligned + cavitationShake * this.#bubbles;
    this.#bearing.advance(dtS, speed, rubbing, offBest, shaken, this.#motor.windingCel, hallCel);
    this.#tank.advance(dtS, Math.max(0, this.#flow - leak), this.#demandChange(level('load-change')));
    this.#control.advance(dtS, this.#tank.levelM);
    this.#report(suctionM);
  }

  /** As a share of the demand; each change turns up or down by chance. */
  #demandChange(level: number): number {
    if (level === 0) this.#direction = 0;
    else if (this.#direction === 0) this.#direction = this.#turns.next() < 0.5 ? -1 : 1;
    return mostDemandChange * level * this.#direction;
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
