/** Does an alarm name the channel that was disturbed? On simulated devices that are healthy but for one channel. */

import { channelRangesOf } from '@edgeward/models/card';
import { judgeBy } from '@edgeward/models/judge';
import type { Evidence, RecordBatch } from '@edgeward/shared/contracts';
import type { Figure } from '../../bench/figures.js';
import { plantRows } from '../plant-rows.js';
import { openShipped } from '../shipped-models.js';

const types = ['pump', 'cold-room', 'power-feed'] as const;
/** The last so many rows are disturbed. */
const disturbedRows = 60;

export interface Naming {
  /** Explained rows of disturbed channels. */
  readonly rows: number;
  /** Those that name the right channel first, with the right direction. */
  readonly right: number;
  /** Channels and directions that raised an alarm at all, and all of them. */
  readonly found: number;
  readonly disturbed: number;
}

/**
 * Every channel of every shipped bundle, once up and once down.
 * @param widths  by how many times the width of its usual range (1st to 99th percentile)
 */
export async function naming(widths: number, seed: number): Promise<Naming> {
  const sum = { rows: 0, right: 0, found: 0, disturbed: 0 };
  for (const type of types) {
    const model = await openShipped(type, 'typescript');
    const devices = [{ name: `${type}-1`, type }];
    const start = Date.UTC(2026, 2, 3, 9);
    const { batch } = plantRows({ seed, startMs: start, stepMs: 2000, devices, faults: [] }, 0.7)[0]!;
    for (const { field, expected } of channelRangesOf(model.bundle.card))
      for (const direction of ['high', 'low'] as const) {
        const offset = (direction === 'high' ? widths : -widths) * (expected[1] - expected[0]);
        const disturbed = withOffset(batch, field, offset);
        if (!disturbed) continue;
        const { evidence } = await judgeBy(model).judge(disturbed);
        const rows = evidence.filter(({ at }) => at >= batch.time.length - disturbedRows);
        sum.disturbed += 1;
        sum.found += rows.length > 0 ? 1 : 0;
        sum.rows += rows.length;
        sum.right += rows.filter(row => names(row, field, direction)).length;
      }
  }
  return sum;
}

function names({ channels }: Evidence, field: string, direction: string): boolean {
  return channels[0]?.field === field && channels[0].direction === direction;
}

/** Undefined of a channel that is no measurement. */
function withOffset(batch: RecordBatch, field: string, offset: number): RecordBatch | undefined {
  const f = batch.schema.fields.findIndex(({ name }) => name === field);
  const column = batch.values[f];
  if (!(column instanceof Float64Array)) return undefined;
  const from = column.length - disturbedRows;
  const shifted = column.map((value, r) => (r < from ? value : value + offset));
  return { ...batch, values: batch.values.map((other, i) => (i === f ? shifted : other)) };
}

export async function namingFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [widths, goal] of [
    [1, undefined],
    [2, { atLeast: 95 }],
    [3, { atLeast: 95 }],
  ] as const) {
    const { rows, right, found, disturbed } = await naming(widths, 77);
    const name = `one channel off by ${widths} of its widths`;
    figures.push(
      {
        name: `${name}: % of explained rows that name it first, in the right direction`,
        goal,
        measured: (100 * right) / rows,
      },
      {
        name: `${name}: % of disturbances that raise an alarm within ${disturbedRows} rows`,
        measured: (100 * found) / disturbed,
      },
    );
  }
  return figures;
}
