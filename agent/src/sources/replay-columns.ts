import type { Field } from '@edgeward/shared/contracts';
import { didYouMean } from '@edgeward/shared/nearest';
import { namePattern } from '@edgeward/shared/topics';
import { type CsvFile, inputError } from './csv-file.js';
import { parseDecimal, trimEnd, trimStart } from './csv-values.js';
import { columnOptions, fieldOf, type ReplayConfig } from './replay-config.js';

/** Looked at to see whether a column holds numbers. */
const sampleRecords = 200;

/** A field and the column it comes from. */
export interface FieldColumn {
  readonly field: Field;
  readonly column: number;
  readonly scale: number;
  readonly offset: number;
}

export interface ReplayColumns {
  /** How many columns the file has. */
  readonly width: number;
  readonly time: number;
  readonly device: number | undefined;
  readonly fields: readonly FieldColumn[];
}

/** @throws EW_SOURCE_INPUT if the file lacks a column that the configuration names */
export function resolveColumns(config: ReplayConfig, file: CsvFile): ReplayColumns {
  const indexOf = (name: string) => {
    const index = file.header.indexOf(name);
    if (index >= 0) return index;
    const known = file.header.join(', ');
    throw inputError(file.path, `has no column "${name}".${didYouMean(name, file.header)} It has: ${known}.`);
  };
  const time = indexOf(config.timeColumn);
  const device = config.deviceColumn === undefined ? undefined : indexOf(config.deviceColumn);
  const fields = config.columns
    ? Object.entries(config.columns).map(([name, value]) => {
        const options = columnOptions(value);
        const { scale, offset } = options;
        return { field: fieldOf(options), column: indexOf(name), scale, offset };
      })
    : numericColumns(file, [time, device]);
  if (fields.length === 0) {
    throw inputError(file.path, 'has no column of numbers. Name the columns to read under "columns".');
  }
  return { width: file.header.length, time, device, fields };
}

function numericColumns(file: CsvFile, taken: readonly (number | undefined)[]): FieldColumn[] {
  const names = new Set<string>();
  const found: FieldColumn[] = [];
  file.header.forEach((title, column) => {
    if (taken.includes(column) || !holdsNumbers(file, column)) return;
    const name = uniqueFieldName(title, column, names);
    found.push({ field: { name, kind: 'float' }, column, scale: 1, offset: 0 });
  });
  return found;
}

/** True if all its cells in the sample are numbers or empty, and not all empty; in a file without rows, always. */
function holdsNumbers({ sample: { bytes, records } }: CsvFile, column: number): boolean {
  let numbers = 0;
  let filled = 0;
  for (let record = 0; record < Math.min(records.count, sampleRecords); record++) {
    const cell = records.firstCell[record]! + column;
    if (cell >= records.firstCell[record + 1]!) continue;
    const end = trimEnd(bytes, records.cellStart[cell]!, records.cellEnd[cell]!);
    const start = trimStart(bytes, records.cellStart[cell]!, end);
    if (start === end) continue;
    filled += 1;
    if (!Number.isNaN(parseDecimal(bytes, start, end))) numbers += 1;
  }
  return records.count === 0 || (numbers > 0 && numbers === filled);
}

/** A column title as a field name: `Temp (°C)` → `Temp_C`. */
function uniqueFieldName(title: string, column: number, taken: Set<string>): string {
  const safe = title.replace(/_*[^A-Za-z0-9_.-]+_*/g, '_').replace(/^[^A-Za-z0-9]+|_+$/g, '');
  const base = namePattern.test(safe.slice(0, 60)) ? safe.slice(0, 60) : `column_${column + 1}`;
  let name = base;
  for (let n = 2; taken.has(name); n++) name = `${base}_${n}`;
  taken.add(name);
  return name;
}
