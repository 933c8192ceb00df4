import { EdgewardError } from '@edgeward/shared/errors';
import { namePattern } from '@edgeward/shared/topics';
import { fieldIndex } from './device.js';
import {
  type DeviceType,
  deviceTypes,
  faultKindNames,
  faultKinds,
  fits,
  isFaultKind,
  type ScheduledFault,
} from './faults.js';
import { deviceKinds } from './models/index.js';

export interface PlantDevice {
  readonly name: string;
  readonly type: DeviceType;
}

export interface PlantConfig {
  /** Whole number; every device and purpose draws its own stream from it. */
  readonly seed: number;
  /** Simulated time of the first row, ms since Unix epoch. */
  readonly startMs: number;
  /** Simulated ms between rows, 1 ms to 1 h. */
  readonly stepMs: number;
  readonly devices: readonly PlantDevice[];
  readonly faults?: readonly ScheduledFault[] | undefined;
}

/** Last moment a JavaScript date can hold. */
const lastMs = 8.64e15;
const longestStepMs = 3_600_000;
/** Device indices travel as 16 bits. */
const mostDevices = 65_535;

/** @throws EW_CONFIG_INVALID naming the field, its value and the remedy */
export function checkPlant(config: PlantConfig): void {
  whole('seed', config.seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  whole('startMs', config.startMs, 0, lastMs / 2);
  whole('stepMs', config.stepMs, 1, longestStepMs);
  if (!Array.isArray(config.devices) || config.devices.length === 0)
    refuse('devices', config.devices, 'name at least one device, for example { name: pump-1, type: pump }');
  if (config.devices.length > mostDevices)
    refuse('devices.length', config.devices.length, `give a plant at most ${mostDevices} devices`);
  checkDevices(config.devices);
  if (config.faults === undefined) return;
  if (!Array.isArray(config.faults)) refuse('faults', config.faults, 'give a list, or leave it out');
  for (const [i, fault] of config.faults.entries()) checkFault(fault, `faults[${i}]`, config.devices);
}

/** @throws EW_CONFIG_INVALID */
export function checkDevices(devices: readonly PlantDevice[]): void {
  const seen = new Set<string>();
  for (const [i, device] of devices.entries()) {
    if (typeof device !== 'object' || device === null)
      refuse(`devices[${i}]`, device, 'give an object with name and type');
    if (typeof device.name !== 'string' || !namePattern.test(device.name))
      refuse(`devices[${i}].name`, device.name, 'use 1 to 64 letters, digits, dots, dashes or underscores');
    if (seen.has(device.name)) refuse(`devices[${i}].name`, device.name, 'give every device its own name');
    if (!deviceTypes.includes(device.type))
      refuse(`devices[${i}].type`, device.type, `use one of ${deviceTypes.join(', ')}`);
    seen.add(device.name);
  }
}

/** @throws EW_CONFIG_INVALID */
export function checkFault(fault: ScheduledFault, path: string, devices: readonly PlantDevice[]): void {
  if (typeof fault !== 'object' || fault === null)
    refuse(path, fault, 'give an object with kind, atS and durationS');
  if (!isFaultKind(fault.kind)) refuse(`${path}.kind`, fault.kind, `use one of ${faultKindNames.join(', ')}`);
  const day = 100 * 365 * 86_400;
  between(`${path}.atS`, fault.atS, 0, day);
  between(`${path}.durationS`, fault.durationS, 0.001, day);
  if (fault.rampS !== undefined) between(`${path}.rampS`, fault.rampS, 0, day);
  if (fault.severity !== undefined) between(`${path}.severity`, fault.severity, 0.001, 1);
  checkTarget(fault, path, devices);
  checkField(fault, path, devices);
}

function checkTarget(fault: ScheduledFault, path: string, devices: readonly PlantDevice[]): void {
  const info = faultKinds[fault.kind];
  if (fault.device === undefined) {
    if (info.acts !== 'site' && !devices.some(device => fits(fault.kind, device.type)))
      refuse(`${path}.kind`, fault.kind, `it needs a device of type ${info.fits.join(' or ')}`);
    return;
  }
  if (info.acts === 'site')
    refuse(`${path}.device`, fault.device, `leave it out: ${fault.kind} concerns the whole gateway`);
  const device = devices.find(({ name }) => name === fault.device);
  if (device === undefined)
    refuse(`${path}.device`, fault.device, `use one of ${devices.map(({ name }) => name).join(', ')}`);
  if (!fits(fault.kind, device.type))
    refuse(`${path}.device`, fault.device, `${fault.kind} needs a device of type ${info.fits.join(' or ')}`);
}

function checkField(fault: ScheduledFault, path: string, devices: readonly PlantDevice[]): void {
  if (fault.field === undefined) return;
  if (faultKinds[fault.kind].acts !== 'sensor')
    refuse(
      `${path}.field`,
      fault.field,
      `leave it out: only sensor faults take a field, ${fault.kind} is none`,
    );
  for (const device of devices) {
    if (fault.device !== undefined && device.name !== fault.device) continue;
    const names = numericFields(device.type);
    if (!names.includes(fault.field))
      refuse(`${path}.field`, fault.field, `a ${device.type} has ${names.join(', ')}; name the device too`);
  }
}

/** Fields of a device type that a sensor fault can befall. */
export function numericFields(type: DeviceType): string[] {
  const { channels } = deviceKinds[type];
  return channels
    .map(({ field }) => field.name)
    .filter(name => channels[fieldIndex(channels, name)]?.field.kind === 'float');
}

function whole(path: string, value: number, low: number, high: number): void {
  if (!Number.isSafeInteger(value) || value < low || value > high)
    refuse(path, value, `give a whole number from ${low} to ${high}`);
}

function between(path: string, value: number, low: number, high: number): void {
  if (typeof value !== 'number' || !(value >= low && value <= high))
    refuse(path, value, `give a number from ${low} to ${high}`);
}

export function refuse(path: string, value: unknown, remedy: string): never {
  throw new EdgewardError('EW_CONFIG_INVALID', `${path} is ${shown(value)}: ${remedy}.`);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}
