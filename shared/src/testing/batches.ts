import { BatchBuilder, RowNumbers } from '../batch.js';
import { systemClock } from '../clock.js';
import type { RecordBatch, Schema } from '../contracts.js';

/** Two channels, two devices: enough to tell devices and columns apart. */
export const testSchema: Schema = {
  type: 'probe',
  fields: [
    { name: 'temperature', kind: 'float', unit: 'Cel', min: -50, max: 150 },
    { name: 'pressure', kind: 'float', unit: 'bar' },
  ],
  devices: ['probe-1', 'probe-2'],
};

/** Makes batches with running row numbers, one row a device and millisecond. */
export class TestBatches {
  readonly rows = new RowNumbers();
  #timeMs = 1_790_000_000_000;

  next(rowsPerDevice: number, devices: readonly number[] = [0, 1]): RecordBatch {
    const builder = new BatchBuilder(
      testSchema,
      { maxRows: 1e6, maxAgeMs: 1e9 },
      { clock: systemClock, rows: this.rows },
    );
    for (let i = 0; i < rowsPerDevice; i++) {
      this.#timeMs += 1;
      for (const device of devices) builder.push(device, this.#timeMs, [20 + i, device === 0 ? i : null]);
    }
    return builder.take();
  }
}
