import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { splitCsv } from '../training-table.js';

const gunzip = promisify(zlib.gunzip);

export interface DataFile {
  readonly path: string;
  /** Name of the file without .csv or .csv.gz. */
  readonly name: string;
}

/**
 * The CSV files of some folders, folder by folder, by name.
 * @throws EW_EVALUATE_INPUT if one of them cannot be read or has none, or a name is there twice
 */
export async function csvFilesIn(folders: readonly string[]): Promise<readonly DataFile[]> {
  return withoutTwins((await Promise.all(folders.map(filesIn))).flat());
}

/**
 * The CSV files of the folders within some folders; their names begin with that of the inner folder.
 * @throws EW_EVALUATE_INPUT as `csvFilesIn`
 */
export async function groupedCsvFilesIn(folders: readonly string[]): Promise<readonly DataFile[]> {
  const files = await Promise.all(folders.map(groupsIn));
  return withoutTwins(files.flat());
}

async function groupsIn(folder: string): Promise<DataFile[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw refusal(`--data ${folder} cannot be read: ${messageOf(error)}. Name a folder of folders.`, error);
  });
  const groups = entries.filter(entry => entry.isDirectory()).map(entry => entry.name);
  if (groups.length === 0)
    throw refusal(`--data ${folder} has no folder in it. Name the one that the folders of CSV files are in.`);
  const files = await Promise.all(
    groups.sort().map(async group => {
      const found = await filesIn(path.join(folder, group));
      return found.map(file => ({ ...file, name: `${group}/${file.name}` }));
    }),
  );
  return files.flat();
}

function withoutTwins(files: readonly DataFile[]): readonly DataFile[] {
  const byName = new Map<string, DataFile>();
  for (const file of files) {
    const other = byName.get(file.name);
    if (other) throw refusal(`${other.path} and ${file.path} have the same name. Rename or leave out one.`);
    byName.set(file.name, file);
  }
  return files;
}

async function filesIn(folder: string): Promise<DataFile[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw refusal(`--data ${folder} cannot be read: ${messageOf(error)}. Name a folder of CSV files.`, error);
  });
  const found = names.filter(name => /\.csv(\.gz)?$/.test(name)).sort();
  if (found.length === 0)
    throw refusal(`--data ${folder} has no file ending in .csv or .csv.gz. Name the folder they are in.`);
  return found.map(name => ({ path: path.join(folder, name), name: name.replace(/\.csv(\.gz)?$/, '') }));
}

export interface NumericTable {
  readonly columns: readonly string[];
  readonly rows: number;
  /** Row-major [rows, columns], rounded to float32; NaN where a cell is empty. */
  readonly x: Float32Array;
}

/**
 * A CSV of numbers with a head, but for the columns named in `leaveOut`, which are not looked at.
 * @throws EW_EVALUATE_INPUT naming file, line, column, value and remedy
 */
export async function readNumericCsv(file: string, leaveOut: ReadonlySet<string>): Promise<NumericTable> {
  const { columns, values } = await readCsv(file, { leaveOut });
  return { columns, rows: values.length / columns.length, x: Float32Array.from(values) };
}

export interface CsvOptions {
  /** Columns that are not looked at. */
  readonly leaveOut: ReadonlySet<string>;
  /** Default: comma. */
  readonly separator?: string;
  /** The column that holds a time, and how to read it: a cell to ms since 1970, NaN if it is none. */
  readonly time?: { readonly column: string; readonly read: (cell: string) => number };
}

export interface CsvTable {
  readonly columns: readonly string[];
  /** Row-major; NaN where a cell is empty. */
  readonly values: readonly number[];
}

/** @throws EW_EVALUATE_INPUT naming file, line, column, value and remedy */
export async function readCsv(file: string, options: CsvOptions): Promise<CsvTable> {
  const values: number[] = [];
  const { separator = ',' } = options;
  const split = (line: string) => (separator === ',' ? splitCsv(line) : line.split(separator));
  let head: Head | undefined;
  for (const [i, line] of (await textOf(file)).split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    if (head) takeRow(file, i + 1, head, split(line), values);
    else head = headOf(file, split(line.replace(/^\uFEFF/, '')), options);
  }
  if (!head) throw refusal(`${file} is empty. Give a CSV file with a header line.`);
  return { columns: head.kept.map(column => head.names[column]!), values };
}

interface Head {
  readonly names: readonly string[];
  /** Indices of those that are read. */
  readonly kept: readonly number[];
  readonly time: CsvOptions['time'];
}

function headOf(file: string, cells: readonly string[], { leaveOut, time }: CsvOptions): Head {
  const names = cells.map(name => name.trim());
  const kept = [...names.keys()].filter(column => !leaveOut.has(names[column]!));
  if (time && !names.includes(time.column))
    throw refusal(`${file}: line 1: no column ${time.column} in ${names.join(', ').slice(0, 80)}.`);
  if (kept.length > (time ? 1 : 0)) return { names, kept, time };
  throw refusal(`${file}: line 1: no column but ${names.join(', ')}. Add the measurements.`);
}

function takeRow(
  file: string,
  line: number,
  { names, kept, time }: Head,
  cells: readonly string[],
  values: number[],
): void {
  if (cells.length !== names.length)
    throw refusal(
      `${file}: line ${line}: ${cells.length} cells instead of ${names.length}. Every line needs one cell for each column.`,
    );
  for (const column of kept) {
    const name = names[column]!;
    const cell = cells[column]!.trim();
    if (name === time?.column) values.push(timeOf(file, line, name, cell, time.read));
    else values.push(numberOf(file, line, name, cell));
  }
}

function numberOf(file: string, line: number, column: string, cell: string): number {
  if (cell === '') return Number.NaN;
  const value = Number(cell);
  if (Number.isFinite(Math.fround(value))) return value;
  const remedy = 'Correct the cell, or leave it empty if the value is missing';
  throw refusal(
    `${file}: line ${line}, column ${column}: ${shown(cell)} is no number up to 3.4e38. ${remedy}.`,
  );
}

function timeOf(
  file: string,
  line: number,
  column: string,
  cell: string,
  read: (cell: string) => number,
): number {
  const timeMs = read(cell);
  if (Number.isFinite(timeMs)) return timeMs;
  throw refusal(`${file}: line ${line}, column ${column}: ${shown(cell)} is no time. Correct the cell.`);
}

function shown(cell: string): string {
  return JSON.stringify(cell.slice(0, 40));
}

async function textOf(file: string): Promise<string> {
  try {
    const bytes = await readFile(file);
    return new TextDecoder('utf-8', { fatal: true }).decode(
      file.endsWith('.gz') ? await gunzip(bytes) : bytes,
    );
  } catch (error) {
    throw refusal(`${file} cannot be read: ${messageOf(error)}. Give a whole CSV file.`, error);
  }
}

export function refusal(detail: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EW_EVALUATE_INPUT', detail, { cause });
}
