import { emptyColumn, type RowNumbers, setBit, type Value } from '@edgeward/shared/batch';
import type { Column, Field, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import type { Fingerprint } from './redelivery.js';

/** What a block can carry: see wireLimits. */
export const mostDevices = 4000;
export const mostFields = 256;
/** Arrival times of a device differ by this much at least: below a microsecond, stores see them as one. */
const leastStepMs = 0.001;
/** A clock that goes back by more than this was set, and is followed. */
const clockStepMs = 1000;

interface Cells {
  readonly rows: number[];
  readonly values: Value[];
}

/** Where the latest row of a device stands, while plain values may still join it. */
interface OpenRow {
  readonly row: number;
  readonly fields: number[];
}

/**
 * Rows of one device type on their way into a block, as sparse columns. Devices, and fields unless they are
 * declared, are added as they come; a block has those known when it is taken.
 */
export class Rows {
  readonly type: string;
  readonly #numbers: RowNumbers;
  readonly #onFull: () => void;
  readonly #fields: Field[] = [];
  readonly #fieldIndex = new Map<string, number>();
  readonly #devices: string[] = [];
  readonly #lastMs: number[] = [];
  readonly #open = new Map<number, OpenRow>();
  #schema: Schema | undefined;
  #time: number[] = [];
  #device: number[] = [];
  #row: number[] = [];
  #quality: number[] = [];
  #cells: Cells[] = [];
  #sources: Fingerprint[] = [];

  /** @param onFull  there is a field too many: its values are left out */
  constructor(type: string, numbers: RowNumbers, onFull: () => void = () => undefined) {
    this.type = type;
    this.#numbers = numbers;
    this.#onFull = onFull;
  }

  get size(): number {
    return this.#time.length;
  }

  /** @returns its index, undefined if there are too many */
  field(field: Field): number | undefined {
    const known = this.#fieldIndex.get(field.name);
    if (known !== undefined) return known;
    if (this.#fields.length >= mostFields) {
      this.#onFull();
      return undefined;
    }
    this.#schema = undefined;
    this.#fieldIndex.set(field.name, this.#fields.length);
    this.#cells.push({ rows: [], values: [] });
    return this.#fields.push(field) - 1;
  }

  /** @returns its index, undefined if there are too many */
  addDevice(name: string): number | undefined {
    if (this.#devices.length >= mostDevices) return undefined;
    this.#schema = undefined;
    this.#lastMs.push(Number.NEGATIVE_INFINITY);
    return this.#devices.push(name) - 1;
  }

  /**
   * Begins a row.
   * @param timeMs  undefined = it gets its arrival time
   * @throws EW_SOURCE_INPUT if another source has the device
   */
  begin(device: number, arrivedMs: number, timeMs?: number): number {
    this.#row.push(this.#numbers.next(this.#devices[device]!));
    this.#device.push(device);
    this.#quality.push(0);
    return this.#time.push(timeMs ?? this.#arrival(device, arrivedMs)) - 1;
  }

  set(row: number, field: number, value: Value): void {
    const { rows, values } = this.#cells[field]!;
    rows.push(row);
    values.push(value);
  }

  mark(row: number, bits: number): void {
    this.#quality[row]! |= bits;
  }

  /** A plain value: into the device's latest row if that is young enough and lacks the field, else into a new one. */
  join(device: number, field: number, value: Value, arrivedMs: number, joinMs: number): void {
    const open = this.#open.get(device);
    const joins =
      open && arrivedMs - this.#time[open.row]! <= joinMs && joinMs > 0 && !open.fields.includes(field);
    const row = joins ? open.row : this.begin(device, arrivedMs);
    if (joins) open.fields.push(field);
    else if (joinMs > 0) this.#open.set(device, { row, fields: [field] });
    this.set(row, field, value);
  }

  /** The message that rows begun or set last came from, if the broker may send it again. */
  cameFrom(message: Fingerprint): void {
    this.#sources.push(message);
  }

  /** All rows as a batch, and the messages they came from. */
  take(): { batch: RecordBatch; messages: readonly Fingerprint[] } {
    const { fields } = this.#schemaNow();
    const quality = Uint16Array.from(this.#quality);
    const columns = fields.map((field, f) => toColumn(field, this.#cells[f]!, quality));
    const batch: RecordBatch = {
      schema: this.#schemaNow(),
      time: Float64Array.from(this.#time),
      device: Uint16Array.from(this.#device),
      row: Float64Array.from(this.#row),
      values: columns.map(({ values }) => values),
      quality,
      ...(columns.some(({ missing }) => missing) && { missing: columns.map(({ missing }) => missing) }),
      ...(columns.some(({ bits }) => bits) && { fieldQuality: columns.map(({ bits }) => bits) }),
    };
    const messages = this.#sources;
    [this.#time, this.#device, this.#row, this.#quality, this.#sources] = [[], [], [], [], []];
    this.#cells = fields.map(() => ({ rows: [], values: [] }));
    this.#open.clear();
    return { batch, messages };
  }

  #schemaNow(): Schema {
    this.#schema ??= { type: this.type, fields: [...this.#fields], devices: [...this.#devices] };
    return this.#schema;
  }

  /** Messages that came in one piece came at one time; two rows of a device must not. */
  #arrival(device: number, nowMs: number): number {
    const next = this.#lastMs[device]! + leastStepMs;
    const timeMs = nowMs >= next || next - nowMs > clockStepMs ? nowMs : next;
    this.#lastMs[device] = timeMs;
    return timeMs;
  }
}

interface BuiltColumn {
  readonly values: Column;
  readonly missing: Uint8Array | undefined;
  readonly bits: Uint8Array | undefined;
}

/** Values of another kind than the field's become absent, marked invalid; so does what never came, marked missing. */
function toColumn(field: Field, { rows, values }: Cells, quality: Uint16Array): BuiltColumn {
  const n = quality.length;
  const column = emptyColumn(field, n);
  const there = new Uint8Array(n);
  const wrong = new Uint8Array(n);
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k]!;
    if (put(column, row, values[k])) there[row] = 1;
    else wrong[row] = 1;
  }
  if (there.indexOf(0) < 0) return { values: column, missing: undefined, bits: undefined };
  const missing = new Uint8Array(Math.ceil(n / 8));
  const bits = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    if (there[i]) continue;
    setBit(missing, i);
    bits[i] = wrong[i] ? Quality.invalid : Quality.missing;
    quality[i]! |= bits[i]!;
  }
  return { values: column, missing, bits };
}

/** False if the value is of another kind than the column. */
function put(column: Column, row: number, value: Value): boolean {
  if (column instanceof Float64Array) {
    const number = typeof value === 'boolean' ? Number(value) : value;
    if (typeof number !== 'number') return false;
    column[row] = number;
  } else if (column instanceof BigInt64Array) {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return false;
    column[row] = BigInt(value);
  } else if (column instanceof Uint8Array) {
    if (typeof value !== 'boolean') return false;
    column[row] = Number(value);
  } else {
    if (typeof value !== 'string') return false;
    (column as string[])[row] = value;
  }
  return true;
}
