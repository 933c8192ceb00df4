import { distinctNames, nameOption } from '@edgeward/shared/config';
import type { DeviceType, FaultKind, faultKinds as plantFaults } from '@edgeward/simulators/plant';
import type { ScenarioName } from '@edgeward/simulators/scenarios';
import { z } from 'zod';
import { blockOptions } from './block-options.js';

/**
 * Known here, so that a configuration can be checked where the simulators are not installed; the types keep both
 * lists in step.
 */
const deviceTypes: Readonly<Record<DeviceType, true>> = { pump: true, 'cold-room': true, 'power-feed': true };

/** What each fault can befall, and what of it. */
const faultKinds: { readonly [Kind in FaultKind]: Pick<(typeof plantFaults)[Kind], 'fits' | 'acts'> } = {
  'bearing-wear': { fits: ['pump'], acts: 'process' },
  'blocked-valve': { fits: ['pump'], acts: 'process' },
  leak: { fits: ['pump'], acts: 'process' },
  'suction-blocked': { fits: ['pump'], acts: 'process' },
  misaligned: { fits: ['pump'], acts: 'process' },
  'cooling-lost': { fits: ['pump'], acts: 'process' },
  'door-open': { fits: ['cold-room'], acts: 'process' },
  'refrigerant-leak': { fits: ['cold-room'], acts: 'process' },
  'fan-failed': { fits: ['cold-room'], acts: 'process' },
  'condenser-fouled': { fits: ['cold-room'], acts: 'process' },
  overload: { fits: ['power-feed'], acts: 'process' },
  'capacitor-failed': { fits: ['power-feed'], acts: 'process' },
  'power-sag': { fits: ['power-feed', 'pump', 'cold-room'], acts: 'process' },
  'stuck-sensor': { fits: ['pump', 'cold-room', 'power-feed'], acts: 'sensor' },
  drift: { fits: ['pump', 'cold-room', 'power-feed'], acts: 'sensor' },
  offset: { fits: ['pump', 'cold-room', 'power-feed'], acts: 'sensor' },
  'noisy-sensor': { fits: ['pump', 'cold-room', 'power-feed'], acts: 'sensor' },
  spikes: { fits: ['pump', 'cold-room', 'power-feed'], acts: 'sensor' },
  'gateway-offline': { fits: ['pump', 'cold-room', 'power-feed'], acts: 'site' },
  'load-change': { fits: ['pump', 'cold-room', 'power-feed'], acts: 'load' },
};
const scenarioKinds = {
  normal: undefined,
  mixed: undefined,
  everything: undefined,
  ...faultKinds,
} satisfies Record<ScenarioName, unknown>;

function oneOf<Name extends string>(names: Readonly<Record<Name, unknown>>) {
  return z.enum(Object.keys(names) as [Name, ...Name[]]);
}

const name = () => nameOption();

const device = z.strictObject({
  name: name().meta({ description: 'Name of the device', examples: ['pump-1'] }),
  type: oneOf(deviceTypes).meta({ description: 'What it is' }),
});

const fault = z.strictObject({
  kind: oneOf(faultKinds).meta({ description: 'What goes wrong' }),
  device: name().optional().meta({ description: 'Where; without it, on every device it fits' }),
  field: name().optional().meta({ description: 'For sensor faults: which channel' }),
  atS: z
    .number()
    .min(0)
    .meta({ description: 'Begin, counted from the start of the plant', unit: 'simulated s' }),
  durationS: z.number().positive().meta({ description: 'How long it lasts', unit: 'simulated s' }),
  severity: z.number().positive().max(1).optional().meta({ description: 'How bad it gets' }),
  rampS: z
    .number()
    .min(0)
    .optional()
    .meta({ description: 'Time until it has its full severity', unit: 'simulated s' }),
});

export const simulatedConfig = z.strictObject({
  devices: z
    .array(device)
    .min(1)
    .max(1000)
    .superRefine(distinctNames('devices'))
    .meta({ description: 'Devices of the plant; a power feed supplies the others' }),
  seed: z.int().default(1).meta({ description: 'The same seed gives the same values' }),
  stepMs: z
    .int()
    .min(1)
    .max(3_600_000)
    .default(1000)
    .meta({ description: 'Simulated time from row to row', unit: 'ms' }),
  intervalMs: z
    .int()
    .min(1)
    .max(3_600_000)
    .default(1000)
    .meta({ description: 'Real time from row to row', unit: 'ms' }),
  scenario: oneOf(scenarioKinds).default('normal').meta({
    description:
      'What goes wrong by itself: nothing, one kind of fault again and again, or anything (mixed: of a list that never grows; everything: of all)',
  }),
  faults: z
    .array(fault)
    .max(1000)
    .default([])
    .meta({ description: 'Faults at given times, beside the scenario' }),
  startTime: z.iso
    .datetime({ offset: true })
    .optional()
    .meta({
      description: 'Simulated time of the first row; without it, now',
      examples: ['2026-01-01T06:00:00Z'],
    }),
  time: z
    .enum(['now', 'simulated'])
    .default('now')
    .meta({ description: 'Stamp rows with the time they are read at, or with simulated time' }),
  ...blockOptions,
});

export type SimulatedConfig = z.output<typeof simulatedConfig>;

type Fault = SimulatedConfig['faults'][number];

/** Where among the options something cannot be, and why. */
export interface Misfit {
  readonly path: readonly (string | number)[];
  readonly problem: string;
  readonly remedy: string;
}

/** What the schema alone cannot see: faults and a scenario that none of the devices can have. */
export function misfitsOf({ devices, faults, scenario }: SimulatedConfig): Misfit[] {
  const misfits = faults.flatMap((fault, i) =>
    misfitsOfFault(fault, devices).map(({ path, ...rest }) => ({ ...rest, path: ['faults', i, ...path] })),
  );
  const needed = scenarioKinds[scenario];
  if (!needed || devices.some(({ type }) => fits(needed, type))) return misfits;
  return [...misfits, { path: ['scenario'], ...noDeviceFor(needed) }];
}

function misfitsOfFault(fault: Fault, devices: SimulatedConfig['devices']): Misfit[] {
  const kind = faultKinds[fault.kind];
  const misfits: Misfit[] = [];
  if (fault.field !== undefined && kind.acts !== 'sensor') {
    misfits.push({ path: ['field'], problem: `${fault.kind} is no sensor fault`, remedy: 'remove it' });
  }
  if (fault.device === undefined) {
    if (devices.some(({ type }) => fits(kind, type))) return misfits;
    return [{ path: ['kind'], ...noDeviceFor(kind) }, ...misfits];
  }
  const device = devices.find(({ name }) => name === fault.device);
  const path = ['device'];
  const known = devices.slice(0, 10).map(({ name }) => name);
  if (kind.acts === 'site') {
    misfits.push({ path, problem: `${fault.kind} concerns the whole gateway`, remedy: 'remove it' });
  } else if (!device) {
    const remedy = `use one of ${known.join(', ')}${devices.length > known.length ? ', …' : ''}, or add it to devices`;
    misfits.push({ path, problem: 'not one of the devices of this source', remedy });
  } else if (!fits(kind, device.type)) {
    const remedy = `name a device of type ${kind.fits.join(' or ')}, or another kind of fault`;
    misfits.push({ path, problem: `a ${device.type} cannot have the fault ${fault.kind}`, remedy });
  }
  return misfits;
}

function fits(kind: { readonly fits: readonly DeviceType[] }, type: DeviceType): boolean {
  return kind.fits.includes(type);
}

function noDeviceFor(kind: { readonly fits: readonly DeviceType[] }) {
  return {
    problem: 'no device of this source can have it',
    remedy: `add a device of type ${kind.fits.join(' or ')} to devices, or choose another`,
  };
}
