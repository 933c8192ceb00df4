import type { Field } from '@edgeward/shared/contracts';
import type { Chance } from './chance.js';
import type { FaultKind } from './faults.js';

/** One measured quantity: what the schema says of it and how its transmitter shows it. */
export interface Channel {
  readonly field: Field;
  /** First-order lag of the transmitter, s. */
  readonly lagS: number;
  /** Standard deviation of the noise, in the field's unit. */
  readonly noise: number;
  /** Part of the noise that grows with the value (0.02 = 2 % of it). */
  readonly noiseShare?: number;
  /** Resolution as steps per unit: 100 shows 0.01. Whole, so that every reading is a short decimal. */
  readonly stepsPerUnit: number;
  /** What the transmitter can show at all. */
  readonly low?: number;
  readonly high?: number;
  /** How far a drift, offset or spike of severity 1 carries it, in the field's unit. */
  readonly faultSpan: number;
}

/** What surrounds a device at one moment. One object is reused for all devices. */
export interface Surroundings {
  /** Seconds after midnight, UTC, which the plant takes for its local time. */
  secondOfDay: number;
  outdoorCel: number;
  /** Line-to-line voltage at the device's terminals, V (nominal 400). */
  supplyV: number;
  frequencyHz: number;
}

/** How strongly a fault acts on this device now, 0 to 1. */
export type FaultLevel = (kind: FaultKind) => number;

/** The physics of one device. */
export interface DeviceModel {
  /** True values in the order of the type's channels; booleans as 0 and 1. Rewritten by `advance`. */
  readonly truth: Float64Array;
  /** Chance only; called once each whole simulated second. */
  second(around: Surroundings): void;
  /** Integrates over dtS (≤ 1 s). */
  advance(dtS: number, around: Surroundings, level: FaultLevel): void;
}

export interface DeviceKind {
  readonly channels: readonly Channel[];
  /** Sensor faults without a field act on this one. */
  readonly tellingField: string;
  /** @param chance  gives the device its own parameters: no two are twins */
  create(chance: (purpose: string) => Chance): DeviceModel;
}

export function fieldIndex(channels: readonly Channel[], name: string): number {
  return channels.findIndex(channel => channel.field.name === name);
}

/** A boolean channel: shown as it is, without lag or noise. */
export function flag(name: string): Channel {
  return { field: { name, kind: 'bool' }, lagS: 0, noise: 0, stepsPerUnit: 1, faultSpan: 0 };
}
