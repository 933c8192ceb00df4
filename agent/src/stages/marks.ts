import type { RecordBatch } from '@edgeward/shared/contracts';

/** Quality bits on their way into a batch; columns without a new bit stay shared with the old one. */
export class Marks {
  readonly #batch: RecordBatch;
  #rows: Uint16Array;
  #fields: (Uint8Array | undefined)[] | undefined;
  #changed = false;

  constructor(batch: RecordBatch) {
    this.#batch = batch;
    this.#rows = batch.quality;
    for (const bits of batch.fieldQuality ?? []) if (bits) this.#unite(bits);
  }

  row(i: number, bits: number): void {
    if ((this.#rows[i]! & bits) === bits) return;
    this.#mark(i, bits);
  }

  field(field: number, i: number, bits: number): void {
    const known = this.#fields?.[field] ?? this.#batch.fieldQuality?.[field];
    if (known !== undefined && (known[i]! & bits) === bits) return;
    this.#ownColumn(field)[i]! |= bits;
    this.#mark(i, bits);
  }

  /** @param time  the column of times if rows had to move */
  batch(time: Float64Array | undefined): RecordBatch {
    if (!this.#changed && !time) return this.#batch;
    return {
      ...this.#batch,
      quality: this.#rows,
      ...(time && { time }),
      ...(this.#fields && { fieldQuality: this.#fields }),
    };
  }

  #mark(i: number, bits: number): void {
    if (!this.#changed) this.#rows = this.#rows.slice();
    this.#changed = true;
    this.#rows[i]! |= bits;
  }

  #ownColumn(field: number): Uint8Array {
    const old = this.#batch.fieldQuality?.[field];
    this.#fields ??= this.#batch.schema.fields.map((_, f) => this.#batch.fieldQuality?.[f]);
    const column = this.#fields[field];
    if (column && column !== old) return column;
    const own = old ? old.slice() : new Uint8Array(this.#rows.length);
    this.#fields[field] = own;
    return own;
  }

  #unite(bits: Uint8Array): void {
    for (let i = 0; i < bits.length; i++) if (bits[i] !== 0) this.row(i, bits[i]!);
  }
}
