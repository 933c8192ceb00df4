import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Plant } from '@edgeward/simulators/plant';
import type { ChainInput } from './chain-run.js';

const pumps = 4;
const seed = 1;

/** So many rows of healthy pumps as CSV, the same at every call. */
export function pumpInput(folder: string, rows: number): ChainInput {
  const devices = Array.from({ length: pumps }, (_, i) => ({ name: `pump-${i + 1}`, type: 'pump' as const }));
  const plant = new Plant({ seed, startMs: Date.UTC(2026, 0, 5), stepMs: 2000, devices, faults: [] });
  const [schema] = plant.schemas;
  if (!schema) throw new TypeError('a plant without a schema');
  const names = schema.fields.map(({ name }) => name);
  const lines = [['timestamp', 'device', ...names].join(',')];
  for (let tick = 0; tick < Math.ceil(rows / pumps); tick++) {
    const { timeMs, rows: read } = plant.step();
    const time = new Date(timeMs).toISOString();
    for (const { device, values } of read) lines.push([time, schema.devices[device], ...values].join(','));
  }
  const file = path.join(folder, 'pump.csv');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return { path: file, deviceType: 'pump', rows: lines.length - 1, fields: names.length };
}
