import { type Channel, flag } from '../device.js';

const temperature = { kind: 'float', unit: 'Cel', maxRate: 8, stuckAfter: 25 } as const;

export const coldRoomChannels: readonly Channel[] = [
  {
    field: { name: 'roomTemperature', ...temperature, min: -40, max: 50 },
    lagS: 20,
    noise: 0.04,
    stepsPerUnit: 50,
    faultSpan: 8,
  },
  {
    field: { name: 'productTemperature', ...temperature, min: -40, max: 50 },
    lagS: 60,
    noise: 0.04,
    stepsPerUnit: 50,
    faultSpan: 6,
  },
  {
    field: { name: 'evaporatorTemperature', ...temperature, min: -50, max: 60 },
    lagS: 5,
    noise: 0.15,
    stepsPerUnit: 10,
    faultSpan: 12,
  },
  {
    field: { name: 'dockTemperature', ...temperature, min: -40, max: 60 },
    lagS: 60,
    noise: 0.15,
    stepsPerUnit: 10,
    faultSpan: 15,
  },
  {
    field: { name: 'humidity', kind: 'float', unit: '%', min: 0, max: 100, maxRate: 25, stuckAfter: 25 },
    lagS: 30,
    noise: 0.4,
    stepsPerUnit: 5,
    low: 0,
    high: 100,
    faultSpan: 25,
  },
  {
    // The compressor is switched: it jumps, and a stopped one takes nothing for long. Neither is a fault.
    field: { name: 'compressorCurrent', kind: 'float', unit: 'A', min: 0, max: 15 },
    lagS: 0.3,
    noise: 0.005,
    noiseShare: 0.01,
    stepsPerUnit: 100,
    low: 0,
    faultSpan: 2,
  },
  flag('doorOpen'),
  flag('defrost'),
];
