import type { RecordBatch } from '../contracts.js';
import { TimeWindow, type WindowFunction, type WindowKind } from '../windows/time-window.js';
import { PerDevice } from './per-device.js';

/** One window over one field, for all devices: what its functions are at each row of the batch at hand. */
export class WindowColumns {
  readonly devices: PerDevice<TimeWindow>;
  readonly #columns = new Map<WindowFunction, Float64Array>();
  #batch: RecordBatch | undefined;

  constructor(kind: WindowKind, lengthMs: number) {
    this.devices = new PerDevice(() => new TimeWindow(kind, lengthMs));
  }

  /** From now on this is computed, too. */
  want(what: WindowFunction): void {
    this.#columns.set(what, new Float64Array(0));
  }

  /**
   * Takes a batch in once, whoever asks first. The column is valid until the next batch; NaN = not known.
   * @param values  the field's usable values, NaN where there is none
   */
  column(what: WindowFunction, batch: RecordBatch, values: (batch: RecordBatch, n: number) => Float64Array) {
    const n = batch.time.length;
    if (batch !== this.#batch) this.#take(batch, values(batch, n), n);
    return this.#columns.get(what)!;
  }

  /** Of a row of the batch that was taken in last. */
  at(what: WindowFunction, batch: RecordBatch, at: number): number {
    if (batch !== this.#batch) throw new TypeError('the window has gone on to another batch');
    return this.#columns.get(what)![at]!;
  }

  #take(batch: RecordBatch, values: Float64Array, n: number): void {
    for (const [what, column] of this.#columns)
      if (column.length < n) this.#columns.set(what, new Float64Array(n));
    const windows = this.devices.of(batch.schema);
    const outputs = [...this.#columns];
    for (let i = 0; i < n; i++) {
      const window = windows[batch.device[i]!]!;
      const known = window.push(batch.time[i]!, values[i]!);
      for (const [what, column] of outputs) column[i] = known ? window.read(what) : Number.NaN;
    }
    this.#batch = batch;
  }
}
