/**
 * A seeded plant: devices with physics, sensors and faults, and no clock, chance or I/O of its own.
 * The same config gives the same values to the bit, on every machine, and a further device changes no other
 * (but for a power feed, which takes over the supply of the pumps and cold rooms beside it).
 */
import type { Value } from '@edgeward/shared/batch';
import type { Schema } from '@edgeward/shared/contracts';
import { subSeed } from '@edgeward/shared/rng';
import { Chance } from './chance.js';
import { checkFault, checkPlant, type PlantConfig } from './config.js';
import type { DeviceModel, FaultLevel, Surroundings } from './device.js';
import { FaultBook } from './fault-book.js';
import {
  type DeviceType,
  type FaultKind,
  levelOf,
  type RunningFault,
  type ScheduledFault,
} from './faults.js';
import { deviceKinds } from './models/index.js';
import { PowerFeed } from './models/power-feed.js';
import { Sensors } from './sensors.js';
import { Site, secondOfDay } from './site.js';

export type { PlantConfig, PlantDevice } from './config.js';
export {
  type DeviceType,
  deviceTypes,
  type FaultKind,
  faultKinds,
  isDistractor,
  type ScheduledFault,
} from './faults.js';

export interface PlantRow {
  /** Index into `schemas`. */
  readonly schema: number;
  /** Index into that schema's devices. */
  readonly device: number;
  /** One per field of the schema. */
  readonly values: Value[];
  /** The label: the fault at work, if any; a distractor is none. */
  readonly fault: FaultKind | null;
}

export interface PlantTick {
  /** Simulated time, ms since Unix epoch. */
  readonly timeMs: number;
  /** The gateway reads nothing; `rows` is empty. */
  readonly offline: boolean;
  readonly rows: PlantRow[];
}

export interface ActiveFault extends RunningFault {
  /** How strongly it acts now, 0 to its severity. */
  readonly level: number;
}

interface Slot {
  readonly schema: number;
  readonly device: number;
  readonly model: DeviceModel;
  readonly sensors: Sensors;
  readonly level: FaultLevel;
}

const innerMs = 1000;
/** Temperatures and controls settle for so long before the first row. */
const settleMs = 3_600_000;
/** A sag of severity 1 takes this share of the voltage. */
const deepestSag = 0.4;

export class Plant {
  /** One per device type, in the order of first appearance; devices in the order of the config. */
  readonly schemas: readonly Schema[];
  readonly #config: PlantConfig;
  readonly #site: Site;
  readonly #book: FaultBook;
  readonly #slots: readonly Slot[];
  readonly #around: Surroundings = { secondOfDay: 0, outdoorCel: 0, supplyV: 400, frequencyHz: 50 };
  /** The slot that feeds the others, and in what order to go through them. */
  readonly #feed: PowerFeed | undefined;
  readonly #order: readonly number[];
  #atMs = -settleMs;
  #steps = 0;

  /** @throws EW_CONFIG_INVALID */
  constructor(config: PlantConfig) {
    checkPlant(config);
    this.#config = config;
    this.schemas = schemasOf(config);
    this.#site = new Site(config.seed);
    this.#book = new FaultBook(
      config.devices.map(device => ({ ...device, tellingField: deviceKinds[device.type].tellingField })),
    );
    this.#slots = config.devices.map((_, i) => this.#slot(i));
    const feed = config.devices.findIndex(({ type }) => type === 'power-feed');
    const model = this.#slots[feed]?.model;
    this.#feed = model instanceof PowerFeed ? model : undefined;
    const rest = this.#slots.map((_, i) => i).filter(i => i !== feed);
    this.#order = this.#feed ? [feed, ...rest] : rest;
    for (const fault of config.faults ?? []) this.#book.add(fault);
    this.#advanceTo(0);
  }

  /** The next row of every device: the first at `startMs`, each later one `stepMs` of simulated time on. */
  step(): PlantTick {
    const atMs = this.#steps * this.#config.stepMs;
    this.#advanceTo(atMs);
    this.#steps += 1;
    const nowS = atMs / 1000;
    this.#book.moveTo(nowS);
    // Read in any case, so that the noise after an outage is what it would have been without.
    const rows = this.#slots.map((slot, i) => this.#row(slot, i, nowS));
    const offline = this.#book.offline;
    return { timeMs: this.#config.startMs + atMs, offline, rows: offline ? [] : rows };
  }

  /**
   * Lets a fault happen from the next step on.
   * @throws EW_CONFIG_INVALID
   */
  inject(fault: Omit<ScheduledFault, 'atS'>): void {
    const scheduled = { ...fault, atS: (this.#steps * this.#config.stepMs) / 1000 };
    checkFault(scheduled, 'fault', this.#config.devices);
    this.#book.add(scheduled);
  }

  /** Those at work at the last row, one entry a device; distractors (`isDistractor`) too, which label no row. */
  activeFaults(): readonly ActiveFault[] {
    const nowS = (Math.max(0, this.#steps - 1) * this.#config.stepMs) / 1000;
    return this.#book.running.map(fault => ({ ...fault, level: levelOf(fault, nowS) }));
  }

  #slot(index: number): Slot {
    const { name, type } = this.#config.devices[index]!;
    const seed = subSeed(this.#config.seed, name);
    const chance = (purpose: string) => new Chance(seed, purpose);
    const kind = deviceKinds[type];
    const schema = this.schemas.findIndex(candidate => candidate.type === type);
    return {
      schema,
      device: this.schemas[schema]!.devices.indexOf(name),
      model: kind.create(chance),
      sensors: new Sensors(kind.channels, chance),
      level: kindOfFault => this.#book.level(this.#book.of(index), kindOfFault),
    };
  }

  #row(slot: Slot, index: number, nowS: number): PlantRow {
    return {
      schema: slot.schema,
      device: slot.device,
      values: slot.sensors.read(nowS, this.#book.of(index)),
      fault: this.#book.label(index),
    };
  }

  /** Chance acts on whole seconds only, so that the physics does not depend on how often somebody looks. */
  #advanceTo(targetMs: number): void {
    while (this.#atMs < targetMs) {
      const nextMs = Math.min(Math.floor(this.#atMs / innerMs + 1) * innerMs, targetMs);
      const wholeSecond = this.#atMs % innerMs === 0;
      this.#book.moveTo(this.#atMs / 1000);
      this.#around.secondOfDay = secondOfDay(this.#config.startMs, this.#atMs / 1000);
      if (wholeSecond) this.#site.second(this.#around.secondOfDay);
      this.#advanceDevices((nextMs - this.#atMs) / 1000, wholeSecond);
      this.#atMs = nextMs;
    }
  }

  #advanceDevices(dtS: number, wholeSecond: boolean): void {
    const around = this.#around;
    const gridV = this.#site.gridV * (1 - deepestSag * this.#book.level(this.#book.site, 'power-sag'));
    around.outdoorCel = this.#site.outdoorCel;
    around.frequencyHz = this.#site.frequencyHz;
    for (const index of this.#order) {
      const { model, sensors, level } = this.#slots[index]!;
      const fed = this.#feed !== undefined && !(model instanceof PowerFeed);
      around.supplyV = (fed ? this.#feed.busV : gridV) * (1 - deepestSag * level('power-sag'));
      if (wholeSecond) model.second(around);
      model.advance(dtS, around, level);
      sensors.advance(dtS, model.truth);
    }
  }
}

function schemasOf({ devices }: PlantConfig): Schema[] {
  const types: DeviceType[] = [...new Set(devices.map(({ type }) => type))];
  return types.map(type => ({
    type,
    fields: deviceKinds[type].channels.map(({ field }) => field),
    devices: devices.filter(device => device.type === type).map(({ name }) => name),
  }));
}
