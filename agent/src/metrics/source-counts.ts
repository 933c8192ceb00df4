/** What one source has read, for Prometheus: counted only where somebody may ask. */
import type { RecordBatch } from '@edgeward/shared/contracts';
import { Quality, type QualityReason } from '@edgeward/shared/quality';
import type { PumpWatcher } from '../pump.js';

export type SourceState = Parameters<PumpWatcher['state']>[0];

const bits = Object.entries(Quality) as [QualityReason, number][];

export class SourceCounts implements PumpWatcher {
  blocks = 0;
  rows = 0;
  readings = 0;
  anomalies = 0;
  rejected = 0;
  failures = 0;
  now: SourceState = 'reading';
  readonly #marked = new Map<number, number>();

  state(state: SourceState): void {
    this.now = state;
    if (state === 'waiting' || state === 'failed') this.failures += 1;
  }

  batch({ row, schema, quality, anomaly }: RecordBatch): void {
    if (row.length === 0) return;
    this.blocks += 1;
    this.rows += row.length;
    this.readings += row.length * schema.fields.length;
    for (let i = 0; i < quality.length; i++) if (quality[i] !== 0) this.#mark(quality[i]!);
    if (anomaly) for (let i = 0; i < anomaly.length; i++) this.anomalies += anomaly[i]!;
  }

  /** Rows by what they are marked with; one may be marked with several. */
  *marked(): Generator<readonly [reason: QualityReason, rows: number]> {
    for (const [reason, bit] of bits) {
      let sum = 0;
      for (const [marks, rows] of this.#marked) if ((marks & bit) !== 0) sum += rows;
      yield [reason, sum];
    }
  }

  /** By all marks of a row at once: there are few combinations. */
  #mark(marks: number): void {
    this.#marked.set(marks, (this.#marked.get(marks) ?? 0) + 1);
  }
}
