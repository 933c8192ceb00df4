import type { Delivery } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { Histogram } from '@edgeward/shared/metrics/histogram';
import { sumOfRows } from '../journal/kept-delivery.js';

/** Since the start. */
export interface TallyView {
  readonly blocksStored: number;
  readonly rowsStored: number;
  readonly notesStored: number;
  /** That it will never get. */
  readonly notesMissed: number;
  /** Writes that worked. */
  readonly writes: number;
  /** What they took. */
  readonly writeSeconds: Histogram;
  /** Failures by the code of the error; `unknown` = it was none of ours. */
  readonly errors: ReadonlyMap<string, number>;
}

const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What one consumer has done. */
export class Tally implements TallyView {
  blocksStored = 0;
  rowsStored = 0;
  notesStored = 0;
  notesMissed = 0;
  writes = 0;
  readonly writeSeconds = new Histogram(bounds);
  readonly errors = new Map<string, number>();

  stored(deliveries: readonly Delivery[], notes: number, tookMs: number): void {
    this.writes += 1;
    this.writeSeconds.observe(tookMs / 1000);
    this.blocksStored += deliveries.length;
    this.rowsStored += sumOfRows(deliveries);
    this.notesStored += notes;
  }

  failed(error: unknown): void {
    const code = error instanceof EdgewardError ? error.code : 'unknown';
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  view(): TallyView {
    const { blocksStored, rowsStored, notesStored, notesMissed, writes, writeSeconds, errors } = this;
    return { blocksStored, rowsStored, notesStored, notesMissed, writes, writeSeconds, errors };
  }
}
