import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';

export interface TableOptions {
  /** CSV column → field name. */
  readonly rename?: ReadonlyMap<string, string>;
  /** Only these fields; absent = every column that is not timestamp, device or label. */
  readonly fields?: readonly string[];
  /** Labels are not looked at: all rows are taken. */
  readonly labelFree?: boolean;
  /** More are refused: training needs many times the memory of the rows. */
  readonly maxRows?: number;
}

/** Training rows of one device type as one batch. Devices of different files are different devices. */
export interface TrainingTable {
  readonly batch: RecordBatch;
  /** Rows left out because their label says that they are not normal. */
  readonly skippedRows: number;
}

const labelColumns = new Set(['fault', 'label', 'anomaly']);
const normalLabels = new Set(['', '0', 'false']);
const maxDevices = 65_535;

/**
 * Reads CSV files with a header: `timestamp` (ISO 8601, UTC where no zone is given, or ms or, of ten digits, s since 1970), optional
 * `device`, numeric columns, optional label (`fault`, `label` or `anomaly`). An empty cell is a missing value.
 * @throws EW_TRAIN_INPUT naming file, line, column, value and remedy
 */
export async function readTrainingTable(
  paths: readonly string[],
  type: string,
  options: TableOptions = {},
): Promise<TrainingTable> {
  const rows = new RowCollector();
  for (const path of paths) await readFile(path, options, rows);
  return rows.finish(type);
}

class RowCollector {
  fields: readonly string[] | undefined;
  readonly devices: string[] = [];
  readonly time: number[] = [];
  readonly device: number[] = [];
  readonly cells: number[][] = [];
  skipped = 0;

  finish(type: string): TrainingTable {
    const n = this.time.length;
    const batch: RecordBatch = {
      schema: {
        type,
        fields: (this.fields ?? []).map(name => ({ name, kind: 'float' })),
        devices: this.devices,
      },
      time: Float64Array.from(this.time),
      device: Uint16Array.from(this.device),
      row: Float64Array.from({ length: n }, (_, i) => i + 1),
      values: this.cells.map(column => Float64Array.from(column)),
      quality: new Uint16Array(n),
    };
    return { batch, skippedRows: this.skipped };
  }
}

async function readFile(path: string, options: TableOptions, rows: RowCollector): Promise<void> {
  let reader: LineReader | undefined;
  let number = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
      number += 1;
      if (line.trim() === '') continue;
      if (reader) reader.take(splitCsv(line), number);
      else reader = new LineReader(path, splitCsv(line.replace(/^\uFEFF/, '')), options, rows);
    }
  } catch (error) {
    if (error instanceof EdgewardError) throw error;
    throw refusal(`${path} cannot be read: ${messageOf(error)}. Give the path of a CSV file.`, error);
  }
  if (!reader) throw refusal(`${path} is empty. Give a CSV file with a header line.`);
}

class LineReader {
  readonly #names: readonly string[];
  readonly #time: number;
  readonly #device: number;
  readonly #label: number;
  readonly #numeric: readonly number[];
  readonly #deviceNumbers = new Map<string, number>();

  constructor(
    private readonly path: string,
    header: readonly string[],
    private readonly options: TableOptions,
    private readonly rows: RowCollector,
  ) {
    this.#names = header.map(name => options.rename?.get(name.trim()) ?? name.trim());
    this.#time = this.#names.indexOf('timestamp');
    if (this.#time < 0) {
      const found = JSON.stringify(header.join(',').slice(0, 80));
      throw refusal(
        `${path}: line 1: no column timestamp in ${found}. The first line must name the columns.`,
      );
    }
    this.#device = this.#names.indexOf('device');
    this.#label = this.#names.findIndex(name => labelColumns.has(name));
    const special = [this.#time, this.#device, this.#label];
    const fields = options.fields ?? this.#names.filter((_, c) => !special.includes(c));
    this.#numeric = fields.map(field => this.#columnOf(field));
    this.#checkSameFields(fields);
  }

  take(cells: readonly string[], line: number): void {
    if (cells.length !== this.#names.length) {
      const detail = `${cells.length} cells instead of ${this.#names.length}`;
      throw refusal(`${this.path}: line ${line}: ${detail}. Every line needs one cell for each column.`);
    }
    if (!this.options.labelFree && this.#label >= 0 && !isNormal(cells[this.#label]!)) {
      this.rows.skipped += 1;
      return;
    }
    const { maxRows = Number.POSITIVE_INFINITY } = this.options;
    if (this.rows.time.length >= maxRows) throw tooMany(this.path, line, maxRows);
    const timeMs = timeOf(cells[this.#time]!);
    if (Number.isNaN(timeMs))
      this.#refuse(line, this.#time, cells, 'is no ISO 8601 time, and neither ms nor s since 1970');
    this.rows.time.push(timeMs);
    this.rows.device.push(this.#deviceNumber(this.#device < 0 ? '' : cells[this.#device]!));
    for (const [f, column] of this.#numeric.entries()) {
      const value = numberOf(cells[column]!);
      if (value === undefined) {
        this.#refuse(line, column, cells, 'is no number. Correct it, or choose the columns with --fields');
      } else this.rows.cells[f]!.push(value);
    }
  }

  #refuse(line: number, column: number, cells: readonly string[], why: string): never {
    const value = JSON.stringify(cells[column]!.slice(0, 40));
    throw refusal(`${this.path}: line ${line}, column ${this.#names[column]}: ${value} ${why}.`);
  }

  #columnOf(field: string): number {
    const column = this.#names.indexOf(field);
    if (column >= 0) return column;
    const has = this.#names.join(', ');
    throw refusal(`${this.path}: line 1: no column ${field}, only ${has}. Name one of these or use --map.`);
  }

  #checkSameFields(fields: readonly string[]): void {
    if (fields.length === 0) throw refusal(`${this.path}: line 1: no numeric column. Add the measurements.`);
    if (!this.rows.fields) {
      this.rows.fields = fields;
      for (const _ of fields) this.rows.cells.push([]);
    } else if (this.rows.fields.join() !== fields.join()) {
      const first = this.rows.fields.join(', ');
      throw refusal(
        `${this.path}: line 1: columns ${fields.join(', ')} differ from the first file's ${first}. Files of one training must have the same columns.`,
      );
    }
  }

  #deviceNumber(name: string): number {
    let number = this.#deviceNumbers.get(name);
    if (number === undefined) {
      number = this.rows.devices.length;
      if (number > maxDevices) throw refusal(`${this.path}: more than ${maxDevices} devices. Give fewer.`);
      this.#deviceNumbers.set(name, number);
      this.rows.devices.push(`${this.path}#${name}`);
    }
    return number;
  }
}

function refusal(detail: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EW_TRAIN_INPUT', detail, { cause });
}

function tooMany(path: string, line: number, maxRows: number): EdgewardError {
  return refusal(
    `${path}: line ${line}: more than ${maxRows} rows, which would need too much memory. Give fewer files or a shorter record, or raise --max-rows where there is memory.`,
  );
}

/** RFC 4180 but for line breaks within quotes. */
export function splitCsv(line: string): string[] {
  if (!line.includes('"')) return line.split(',');
  const cells = line.match(/(?:"(?:[^"]|"")*"|[^",]*)(?:,|$)/g) ?? [];
  // The pattern matches once more, with nothing, at the end of a line that does not end with a comma.
  if (!line.endsWith(',')) cells.pop();
  return cells.map(cell => {
    const bare = cell.replace(/,$/, '');
    return bare.startsWith('"') ? bare.slice(1, -1).replaceAll('""', '"') : bare;
  });
}

function isNormal(label: string): boolean {
  const word = label.trim().toLowerCase();
  return normalLabels.has(word) || Number(word) === 0;
}

function timeOf(cell: string): number {
  const text = cell.trim();
  // Ten digits are seconds of the years 2001 to 2286; as ms they would all lie in the first months of 1970.
  if (/^\d{10}(\.\d+)?$/.test(text)) return Math.round(1000 * Number(text));
  if (/^\d{9,15}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d/.test(text)) return Number.NaN;
  return Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text.replace(' ', 'T')}Z`);
}

/** NaN for an empty cell, undefined for one that is no number. */
function numberOf(cell: string): number | undefined {
  const text = cell.trim();
  if (text === '') return Number.NaN;
  if (text === 'true') return 1;
  if (text === 'false') return 0;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
