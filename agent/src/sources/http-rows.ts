import { emptyColumn, setBit } from '@edgeward/shared/batch';
import type { Column, Field, RecordBatch } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { Quality } from '@edgeward/shared/quality';
import type { CellValue } from './http-devices.js';
import type { Device, Shape } from './http-shapes.js';

/** The rows of one request, cells one behind the other. */
export class HttpRows {
  readonly devices: Device[] = [];
  /** ms since Unix epoch. */
  readonly times: number[] = [];
  /** Where the cells of each row end. */
  readonly ends: number[] = [];
  /** [cells] id of the field within the device's type. */
  readonly ids: number[] = [];
  /** [cells] as the field's column holds them. */
  readonly values: CellValue[] = [];
  /** Of text values, as JSON. */
  textBytes = 0;

  get count(): number {
    return this.times.length;
  }

  /** @param ids  -1 = nothing to store */
  add(
    device: Device,
    timeMs: number,
    ids: readonly number[],
    values: readonly (CellValue | null)[],
    count: number,
  ): void {
    for (let i = 0; i < count; i++) {
      const [id, value] = [ids[i]!, values[i]!];
      if (id < 0 || value === null) continue;
      this.ids.push(id);
      this.values.push(value);
      if (typeof value === 'string') this.textBytes += Buffer.byteLength(JSON.stringify(value)) + 1;
    }
    this.devices.push(device);
    this.times.push(timeMs);
    this.ends.push(this.ids.length);
  }
}

/** Rows that go into a block together, and those of them that are stored already. */
export interface RowsToStore {
  readonly rows: HttpRows;
  /** Devices whose rows an earlier try of the same request stored. */
  readonly stored?: ReadonlySet<string> | undefined;
}

/** A block to be, without row numbers: these are given when it is yielded. */
export type Unnumbered = Omit<RecordBatch, 'row'>;

/** One block a shape; a device has one shape at a time, so all its rows are in one block. */
export function toBlocks(requests: readonly RowsToStore[]): Unnumbered[] {
  const tables = new Map<Shape, Table>();
  let table: Table | undefined;
  let shape: Shape | undefined;
  for (const { rows, stored } of requests) {
    for (let r = 0; r < rows.count; r++) {
      const device = rows.devices[r]!;
      if (stored?.has(device.name)) continue;
      if (!table || device.shape !== shape) {
        shape = device.shape;
        table = getOrMake(tables, shape, () => ({ of: [], at: [] }));
      }
      table.of.push(rows);
      table.at.push(r);
    }
  }
  return [...tables].map(([shape, table]) => fill(shape, table));
}

/** Which rows of which requests. */
interface Table {
  readonly of: HttpRows[];
  readonly at: number[];
}

function fill(shape: Shape, { of, at }: Table): Unnumbered {
  const schema = shape.schema();
  const n = at.length;
  const columns = schema.fields.map(field => new Filling(field, n));
  const time = new Float64Array(n);
  const device = new Uint16Array(n);
  for (let i = 0; i < n; i++) {
    const [rows, r] = [of[i]!, at[i]!];
    time[i] = rows.times[r]!;
    device[i] = rows.devices[r]!.slot;
    for (let c = r === 0 ? 0 : rows.ends[r - 1]!; c < rows.ends[r]!; c++)
      columns[shape.columns[rows.ids[c]!]!]!.set(i, rows.values[c]!);
  }
  const quality = new Uint16Array(n);
  const missing = columns.map(column => column.missing(quality));
  return {
    schema,
    time,
    device,
    values: columns.map(({ values }) => values),
    quality,
    ...(missing.some(Boolean) && {
      missing,
      fieldQuality: missing.map((bits, f) => bits && columns[f]!.quality()),
    }),
  };
}

/** A column and which of its cells have come. */
class Filling {
  readonly values: Column;
  readonly #filled: Uint8Array;

  constructor(field: Field, n: number) {
    this.values = emptyColumn(field, n);
    this.#filled = new Uint8Array(n);
  }

  set(i: number, value: CellValue): void {
    this.#filled[i] = 1;
    const { values } = this;
    if (values instanceof Float64Array) values[i] = value as number;
    else if (values instanceof Uint8Array) values[i] = value === true ? 1 : 0;
    else if (values instanceof BigInt64Array) values[i] = value as bigint;
    else (values as string[])[i] = value as string;
  }

  /** A bit for each cell that has not come, marked in `rowQuality` too; undefined if all have. */
  missing(rowQuality: Uint16Array): Uint8Array | undefined {
    let bits: Uint8Array | undefined;
    for (let i = 0; i < this.#filled.length; i++) {
      if (this.#filled[i] === 1) continue;
      bits ??= new Uint8Array(Math.ceil(this.#filled.length / 8));
      setBit(bits, i);
      rowQuality[i]! |= Quality.missing;
    }
    return bits;
  }

  quality(): Uint8Array {
    return this.#filled.map(filled => (filled === 1 ? 0 : Quality.missing));
  }
}
