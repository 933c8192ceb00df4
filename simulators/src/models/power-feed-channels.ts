import type { Channel } from '../device.js';

export const powerFeedChannels: readonly Channel[] = [
  {
    field: { name: 'voltage', kind: 'float', unit: 'V', min: 0, max: 520, maxRate: 25, stuckAfter: 25 },
    lagS: 0.2,
    noise: 0.2,
    stepsPerUnit: 10,
    low: 0,
    faultSpan: 60,
  },
  {
    field: { name: 'current', kind: 'float', unit: 'A', min: 0, max: 400, maxRate: 60, stuckAfter: 25 },
    lagS: 0.2,
    noise: 0.3,
    stepsPerUnit: 5,
    low: 0,
    faultSpan: 60,
  },
  {
    field: { name: 'activePower', kind: 'float', unit: 'kW', min: 0, max: 250, maxRate: 40, stuckAfter: 25 },
    lagS: 0.2,
    noise: 0.15,
    stepsPerUnit: 10,
    low: 0,
    faultSpan: 40,
  },
  {
    field: { name: 'powerFactor', kind: 'float', min: -1, max: 1, maxRate: 0.25, stuckAfter: 25 },
    lagS: 0.2,
    noise: 0.002,
    stepsPerUnit: 1000,
    low: -1,
    high: 1,
    faultSpan: 0.25,
  },
  {
    field: { name: 'frequency', kind: 'float', unit: 'Hz', min: 45, max: 55, maxRate: 0.4, stuckAfter: 25 },
    lagS: 0.2,
    noise: 0.003,
    stepsPerUnit: 500,
    faultSpan: 0.6,
  },
];
