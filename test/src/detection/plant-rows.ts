import { BatchBuilder, RowNumbers } from '@edgeward/shared/batch';
import { systemClock } from '@edgeward/shared/clock';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { Plant, type PlantConfig } from '@edgeward/simulators/plant';

/** A device's rows as the agent would read them, one batch a device type, with their labels. */
export interface PlantRows {
  readonly batch: RecordBatch;
  /** [n] true where a fault was at work. */
  readonly faulty: readonly boolean[];
}

export function plantRows(config: PlantConfig, hours: number): PlantRows[] {
  const plant = new Plant(config);
  const limits = { maxRows: Number.POSITIVE_INFINITY, maxAgeMs: Number.POSITIVE_INFINITY };
  const types = plant.schemas.map(schema => ({
    builder: new BatchBuilder(schema, limits, { clock: systemClock, rows: new RowNumbers() }),
    faulty: [] as boolean[],
  }));
  for (let step = 0; step < (hours * 3_600_000) / config.stepMs; step++) {
    const { timeMs, rows } = plant.step();
    for (const { schema, device, values, fault } of rows) {
      types[schema]!.builder.push(device, timeMs, values);
      types[schema]!.faulty.push(fault !== null);
    }
  }
  return types.map(({ builder, faulty }) => ({ batch: builder.take(), faulty }));
}
