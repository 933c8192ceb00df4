import { nameOption } from '@edgeward/shared/config';
import type { DeviceType, FaultKind } from '@edgeward/simulators/plant';
import type { ScenarioName } from '@edgeward/simulators/scenarios';
import { z } from 'zod';
import { blockOptions } from './block-options.js';

/**
 * Known here, so that a configuration can be checked where the simulators are not installed; the types keep both
 * lists in step.
 */
const deviceTypes: Readonly<Record<DeviceType, true>> = { pump: true, 'cold-room': true, 'power-feed': true };
const faultKinds: Readonly<Record<FaultKind, true>> = {
  'bearing-wear': true,
  'blocked-valve': true,
  leak: true,
  'door-open': true,
  'refrigerant-leak': true,
  'power-sag': true,
  'stuck-sensor': true,
  drift: true,
  spikes: true,
  'gateway-offline': true,
};
const scenarioNames: Readonly<Record<ScenarioName, true>> = { normal: true, mixed: true, ...faultKinds };

function oneOf<Name extends string>(names: Readonly<Record<Name, true>>) {
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
    .refine(all => new Set(all.map(one => one.name)).size === all.length, 'two devices have the same name')
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
  scenario: oneOf(scenarioNames).default('normal').meta({
    description: 'What goes wrong by itself: nothing, one kind of fault again and again, or anything',
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
