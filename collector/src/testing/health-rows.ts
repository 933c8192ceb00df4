/** Rows of the pipeline's devices, by hand: whatever is left out is as it is when all is well. */
import type { Delivery } from '@edgeward/shared/contracts';
import { featuresOf, type PipelineType } from '../pipeline/past/features.js';
import { pipeline } from '../pipeline/rows.js';

type Values = Readonly<Record<string, number>>;

const well: Values = { silent: 1, online: 1, late_rows: 0 };

export function healthRows(
  type: PipelineType,
  devices: Readonly<Record<string, Values>>,
  nowMs: number,
): Delivery {
  const names = [...featuresOf[type].map(({ field }) => field), ...Object.keys(well)];
  const rows = Object.values(devices);
  const n = rows.length;
  const batch = {
    schema: {
      type,
      fields: names.map(name => ({ name, kind: 'float' as const })),
      devices: Object.keys(devices),
    },
    time: new Float64Array(n).fill(nowMs),
    device: Uint16Array.from({ length: n }, (_, i) => i),
    row: new Float64Array(n),
    values: names.map(name => Float64Array.from(rows, row => row[name] ?? well[name] ?? Number.NaN)),
    quality: new Uint16Array(n),
  };
  const place = { gateway: pipeline, epoch: 'pipeline', seq: 1, position: 0 };
  return { ...place, ingestedMs: nowMs, late: false, batch };
}
