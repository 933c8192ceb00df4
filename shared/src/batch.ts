import type { Clock, Column, Field, RecordBatch, Schema } from './contracts.js';
import { EdgewardError } from './errors.js';
import { getOrMake } from './maps.js';
import { Quality } from './quality.js';

/** One value as a source reads it; null or undefined = the device gave none. */
export type Value = number | bigint | boolean | string | null | undefined;

/**
 * The last row number given, per device, since the process started. One per agent, shared by its sources; each
 * source takes its numbers through its own view of it.
 */
export class RowNumbers {
  readonly #last: Map<string, number>;
  readonly #owners: Map<string, string>;
  readonly #source: string;

  constructor(source = '', of?: RowNumbers) {
    this.#source = source;
    this.#last = of ? of.#last : new Map();
    this.#owners = of ? of.#owners : new Map();
  }

  /** The view of one source. A device belongs to the source that first numbers a row of it. */
  of(source: string): RowNumbers {
    return new RowNumbers(source, this);
  }

  /** Makes the device this source's, unless it is another's already. @returns whether it is this source's now */
  claim(device: string): boolean {
    return getOrMake(this.#owners, device, () => this.#source) === this.#source;
  }

  /** @throws EW_SOURCE_INPUT if the device is another source's: two would tear gaps into each other's blocks */
  next(device: string): number {
    if (this.#owners.get(device) !== this.#source && !this.claim(device)) {
      throw new EdgewardError(
        'EW_SOURCE_INPUT',
        `Device ${device} is read by source ${this.#owners.get(device)} already: give it another name in ${this.#source}.`,
      );
    }
    const row = (this.#last.get(device) ?? 0) + 1;
    this.#last.set(device, row);
    return row;
  }

  last(device: string): number {
    return this.#last.get(device) ?? 0;
  }
}

/** What a source needs to turn readings into batches. */
export interface BatchContext {
  readonly clock: Clock;
  readonly rows: RowNumbers;
}

export interface BatchLimits {
  readonly maxRows: number;
  readonly maxAgeMs: number;
}

/**
 * Collects rows and hands them over as columns. Rows survive in it when a link breaks, because it belongs to the
 * source and not to one `read`.
 */
export class BatchBuilder {
  readonly schema: Schema;
  readonly #limits: BatchLimits;
  readonly #context: BatchContext;
  #time: number[] = [];
  #device: number[] = [];
  #row: number[] = [];
  #cells: Value[][];
  #openedAt = 0;

  constructor(schema: Schema, limits: BatchLimits, context: BatchContext) {
    this.schema = schema;
    this.#limits = limits;
    this.#context = context;
    this.#cells = schema.fields.map(() => []);
  }

  get size(): number {
    return this.#time.length;
  }

  /** @param values one per field of the schema, in its order */
  push(device: number, timeMs: number, values: readonly Value[]): void {
    if (this.size === 0) this.#openedAt = this.#context.clock.monotonic();
    const name = this.schema.devices[device];
    if (name === undefined) throw new TypeError(`no device ${device} in the schema`);
    this.#time.push(timeMs);
    this.#device.push(device);
    this.#row.push(this.#context.rows.next(name));
    for (let f = 0; f < this.#cells.length; f++) this.#cells[f]!.push(values[f]);
  }

  /** Full, or old enough to go. */
  ready(): boolean {
    if (this.size === 0) return false;
    return (
      this.size >= this.#limits.maxRows ||
      this.#context.clock.monotonic() - this.#openedAt >= this.#limits.maxAgeMs
    );
  }

  take(): RecordBatch {
    const quality = new Uint16Array(this.size);
    const columns = this.schema.fields.map((field, f) => toColumn(field, this.#cells[f]!, quality));
    const batch: RecordBatch = {
      schema: this.schema,
      time: Float64Array.from(this.#time),
      device: Uint16Array.from(this.#device),
      row: Float64Array.from(this.#row),
      values: columns.map(column => column.values),
      quality,
      ...(columns.some(column => column.missing) && { missing: columns.map(column => column.missing) }),
      ...(columns.some(column => column.quality) && { fieldQuality: columns.map(column => column.quality) }),
    };
    this.#time = [];
    this.#device = [];
    this.#row = [];
    this.#cells = this.schema.fields.map(() => []);
    return batch;
  }
}

interface BuiltColumn {
  values: Column;
  missing: Uint8Array | undefined;
  quality: Uint8Array | undefined;
}

/** Absent values become bits in `missing`; values of another type become that too, marked invalid. */
function toColumn(field: Field, cells: readonly Value[], rowQuality: Uint16Array): BuiltColumn {
  const n = cells.length;
  const values = emptyColumn(field, n);
  let missing: Uint8Array | undefined;
  let quality: Uint8Array | undefined;
  for (let i = 0; i < n; i++) {
    const cell = cells[i];
    const problem = store(values, i, cell);
    if (problem === 0) continue;
    missing ??= new Uint8Array(Math.ceil(n / 8));
    setBit(missing, i);
    quality ??= new Uint8Array(n);
    quality[i]! |= problem;
    rowQuality[i]! |= problem;
  }
  return { values, missing, quality };
}

export function emptyColumn(field: Field, n: number): Column {
  switch (field.kind) {
    case 'float':
      return new Float64Array(n).fill(Number.NaN);
    case 'int':
      return new BigInt64Array(n);
    case 'bool':
      return new Uint8Array(n);
    case 'string':
      return new Array<string>(n).fill('');
  }
}

/** Returns the quality bit of what is wrong with the cell, 0 if it was stored. */
function store(column: Column, i: number, cell: Value): number {
  if (cell === null || cell === undefined) return Quality.missing;
  if (column instanceof Float64Array) {
    if (typeof cell === 'number') column[i] = cell;
    else if (typeof cell === 'bigint') column[i] = Number(cell);
    else if (typeof cell === 'boolean') column[i] = cell ? 1 : 0;
    else return Quality.invalid;
    return 0;
  }
  if (column instanceof BigInt64Array) {
    if (typeof cell === 'bigint' && BigInt.asIntN(64, cell) === cell) column[i] = cell;
    else if (typeof cell === 'number' && Number.isSafeInteger(cell)) column[i] = BigInt(cell);
    else return Quality.invalid;
    return 0;
  }
  if (column instanceof Uint8Array) {
    if (typeof cell !== 'boolean') return Quality.invalid;
    column[i] = cell ? 1 : 0;
    return 0;
  }
  if (typeof cell !== 'string') return Quality.invalid;
  (column as string[])[i] = cell;
  return 0;
}

export function setBit(bitmap: Uint8Array, i: number): void {
  bitmap[i >> 3]! |= 1 << (i & 7);
}

export function hasBit(bitmap: Uint8Array | undefined, i: number): boolean {
  return bitmap !== undefined && (bitmap[i >> 3]! & (1 << (i & 7))) !== 0;
}

/** The value of one cell; undefined where it is missing. */
export function cellOf(batch: RecordBatch, field: number, i: number): Exclude<Value, null> {
  if (hasBit(batch.missing?.[field], i)) return undefined;
  const column = batch.values[field]!;
  return column instanceof Uint8Array ? column[i] === 1 : column[i];
}

/** The same as a number for arithmetic and plots: booleans as 0 and 1; NaN for text and for what is missing. */
export function numberOf(batch: RecordBatch, field: number, i: number): number {
  if (hasBit(batch.missing?.[field], i)) return Number.NaN;
  const value = batch.values[field]![i]!;
  return typeof value === 'string' ? Number.NaN : Number(value);
}

/** Rows of one device within a batch: what headers, ledgers and gap checks speak of. */
export interface DeviceRows {
  readonly device: string;
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

export function deviceRows(batch: RecordBatch): DeviceRows[] {
  const { device, row, schema } = batch;
  const placeOf = new Int32Array(schema.devices.length).fill(-1);
  const found: { device: string; first: number; last: number; count: number }[] = [];
  for (let i = 0; i < row.length; i++) {
    const number = row[i]!;
    const index = device[i]!;
    const seen = found[placeOf[index]!];
    if (!seen) {
      placeOf[index] = found.length;
      found.push({ device: schema.devices[index]!, first: number, last: number, count: 1 });
      continue;
    }
    if (number < seen.first) seen.first = number;
    if (number > seen.last) seen.last = number;
    seen.count += 1;
  }
  return found;
}
