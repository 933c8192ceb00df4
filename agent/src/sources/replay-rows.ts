import type { Schema } from '@edgeward/shared/contracts';
import { namePattern } from '@edgeward/shared/topics';
import { CsvProblem } from './csv.js';
import type { CsvPiece } from './csv-file.js';
import { parseText, parseTime, type TimeFormat, trimEnd, trimStart } from './csv-values.js';
import type { FieldColumn, ReplayColumns } from './replay-columns.js';

/** More devices than one gateway reads; beyond it, the column is hardly one of device names. */
const maxDevices = 1000;

/** Why a record cannot become a row. */
export type RejectReason = 'time' | 'quotes' | 'tooLong' | 'deviceName' | 'tooManyDevices' | 'cutRow';

export interface Reject {
  /** Index of the record within its piece. */
  readonly record: number;
  readonly reason: RejectReason;
  /** As far as that can be told; otherwise the source's own. */
  readonly device: string;
}

/** The records of a piece that are rows, and those that cannot be. */
export interface ReplayRows {
  readonly piece: CsvPiece;
  readonly count: number;
  /** [count] Index of the record within its piece. */
  readonly record: Int32Array;
  /** [count] As recorded, ms. */
  readonly time: Float64Array;
  /** [count] Index into the devices known. */
  readonly device: Uint16Array;
  readonly rejects: readonly Reject[];
}

/** Devices as the file shows them; the schema grows with them. */
export class ReplayDevices {
  readonly #indexes = new Map<string, number>();
  readonly #type: string;
  readonly #fields: readonly FieldColumn[];
  #schema: Schema | undefined;

  constructor(type: string, fields: readonly FieldColumn[]) {
    this.#type = type;
    this.#fields = fields;
  }

  get schema(): Schema {
    this.#schema ??= {
      type: this.#type,
      fields: this.#fields.map(({ field }) => field),
      devices: [...this.#indexes.keys()],
    };
    return this.#schema;
  }

  indexOf(name: string): number | RejectReason {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    if (!namePattern.test(name)) return 'deviceName';
    if (this.#indexes.size >= maxDevices) return 'tooManyDevices';
    this.#indexes.set(name, this.#indexes.size);
    this.#schema = undefined;
    return this.#indexes.size - 1;
  }
}

export interface RowOptions {
  readonly columns: ReplayColumns;
  readonly timeFormat: TimeFormat;
  /** Device of every row of a file without a device column. */
  readonly device: string;
  readonly devices: ReplayDevices;
  /** The first record is the rest of a line whose beginning was read as a row already. */
  readonly cut: boolean;
}

export function findRows(piece: CsvPiece, options: RowOptions): ReplayRows {
  const { count } = piece.records;
  const record = new Int32Array(count);
  const time = new Float64Array(count);
  const device = new Uint16Array(count);
  const rejects: Reject[] = [];
  let rows = 0;
  for (let r = 0; r < count; r++) {
    const timeMs = timeOf(piece, r, options);
    const found = r === 0 && options.cut ? 'cutRow' : deviceOf(piece, r, options);
    if (typeof found === 'string') rejects.push({ record: r, reason: found, device: options.device });
    else if (Number.isNaN(timeMs)) {
      rejects.push({ record: r, reason: 'time', device: options.devices.schema.devices[found]! });
    } else {
      record[rows] = r;
      time[rows] = timeMs;
      device[rows] = found;
      rows += 1;
    }
  }
  return { piece, count: rows, record, time: time.subarray(0, rows), device, rejects };
}

function timeOf({ bytes, records }: CsvPiece, record: number, { columns, timeFormat }: RowOptions): number {
  const cell = records.firstCell[record]! + columns.time;
  if (cell >= records.firstCell[record + 1]!) return Number.NaN;
  const end = trimEnd(bytes, records.cellStart[cell]!, records.cellEnd[cell]!);
  const start = trimStart(bytes, records.cellStart[cell]!, end);
  return start === end ? Number.NaN : parseTime(bytes, start, end, timeFormat);
}

function deviceOf({ bytes, records }: CsvPiece, record: number, options: RowOptions): number | RejectReason {
  if (records.problem[record] === CsvProblem.quotes) return 'quotes';
  if (records.problem[record] === CsvProblem.tooLong) return 'tooLong';
  if (options.columns.device === undefined) return options.devices.indexOf(options.device);
  const cell = records.firstCell[record]! + options.columns.device;
  if (cell >= records.firstCell[record + 1]!) return 'deviceName';
  return options.devices.indexOf(
    parseText(bytes, records.cellStart[cell]!, records.cellEnd[cell]!)?.trim() ?? '',
  );
}
