import type { RecordBatch } from '@edgeward/shared/contracts';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { type Training, train } from '../training.js';

/** A made-up machine for tests: load drives flow and current, flow squared drives pressure. */
export const machineFields = ['pressure', 'flow', 'current'] as const;
export type MachineField = (typeof machineFields)[number];

export interface MachineOptions {
  readonly rows: number;
  readonly devices?: number;
  readonly seed?: number;
  /** From this row on, this much is added to one field of every device. */
  readonly fault?: { readonly field: MachineField; readonly from: number; readonly offset: number };
}

const stepMs = 2000;

/** Rows of all devices in turn, as a source would yield them. */
export function machineBatch({ rows, devices = 2, seed = 1, fault }: MachineOptions): RecordBatch {
  const n = rows * devices;
  const noise = Array.from({ length: devices }, (_, d) => gaussian(seededRng(seed * 1000 + d)));
  const values = machineFields.map(() => new Float64Array(n));
  for (let r = 0; r < n; r++) {
    const [row, device] = [Math.floor(r / devices), r % devices];
    const random = noise[device]!;
    const load = 0.7 + 0.25 * Math.sin((row + 300 * device) / 150) + 0.02 * random();
    values[0]![r] = 2 + 3 * load * load + 0.02 * random();
    values[1]![r] = 20 * load + 0.1 * random();
    values[2]![r] = 8 * load + 0.05 * random();
    if (fault && row >= fault.from) values[machineFields.indexOf(fault.field)]![r]! += fault.offset;
  }
  return {
    schema: {
      type: 'machine',
      fields: machineFields.map(name => ({ name, kind: 'float' })),
      devices: Array.from({ length: devices }, (_, d) => `machine-${d + 1}`),
    },
    time: Float64Array.from({ length: n }, (_, r) => 1_700_000_000_000 + Math.floor(r / devices) * stepMs),
    device: Uint16Array.from({ length: n }, (_, r) => r % devices),
    row: Float64Array.from({ length: n }, (_, r) => Math.floor(r / devices) + 1),
    values,
    quality: new Uint16Array(n),
  };
}

export const machineTraining = {
  name: 'machine',
  seed: 1,
  trees: 60,
  samples: 256,
  source: 'made up for tests',
  smoothingRows: 8,
  warmUpRows: 30,
  margin: 1,
};

const trained = new Map<number, Training>();

/** Trained once a process: it takes a second. */
export function trainedMachine(featuresASplit = 1): Training {
  const known = trained.get(featuresASplit);
  if (known) return known;
  const table = { batch: machineBatch({ rows: 3000 }), skippedRows: 0 };
  const training = train(table, { ...machineTraining, featuresASplit });
  trained.set(featuresASplit, training);
  return training;
}
