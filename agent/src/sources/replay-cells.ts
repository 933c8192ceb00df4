import { emptyColumn, setBit } from '@edgeward/shared/batch';
import type { Column } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import { parseDecimal, parseText, parseTruth, parseWhole, trimEnd, trimStart } from './csv-values.js';
import type { FieldColumn, ReplayColumns } from './replay-columns.js';
import type { ReplayRows } from './replay-rows.js';

/** The cells of some rows as columns, with what is wrong with them. */
export interface ReplayCells {
  readonly values: Column[];
  readonly missing: (Uint8Array | undefined)[];
  readonly fieldQuality: (Uint8Array | undefined)[];
  /** [n] Union of the fields' bits. */
  readonly quality: Uint16Array;
}

/** Stores one cell, unless the bytes are no value of the column's kind. */
type Store = (row: number, bytes: Uint8Array, start: number, end: number) => boolean;

/**
 * @param from  first row
 * @param through  row after the last
 */
export function readCells(
  rows: ReplayRows,
  from: number,
  through: number,
  { fields, width }: ReplayColumns,
): ReplayCells {
  const n = through - from;
  const cells: ReplayCells = { values: [], missing: [], fieldQuality: [], quality: new Uint16Array(n) };
  const misaligned = findMisaligned(rows, from, n, width);
  for (const field of fields) {
    const values = emptyColumn(field.field, n);
    const problems = readColumn(rows, from, n, field, storeOf(values, field), misaligned);
    cells.values.push(values);
    cells.fieldQuality.push(problems);
    cells.missing.push(problems && missingBits(problems));
    if (problems) for (let i = 0; i < n; i++) cells.quality[i]! |= problems[i]!;
  }
  return cells;
}

/** Returns the quality bits of the cells; undefined if all are good. */
function readColumn(
  rows: ReplayRows,
  from: number,
  n: number,
  { column, field }: FieldColumn,
  store: Store,
  misaligned: Uint8Array | undefined,
): Uint8Array | undefined {
  const { bytes, records } = rows.piece;
  let problems: Uint8Array | undefined;
  for (let i = 0; i < n; i++) {
    const record = rows.record[from + i]!;
    const cell = records.firstCell[record]! + column;
    let problem: number = Quality.missing | Quality.invalid;
    if (misaligned?.[i] !== 1 && cell < records.firstCell[record + 1]!) {
      let start = records.cellStart[cell]!;
      let end = records.cellEnd[cell]!;
      if (field.kind !== 'string') {
        end = trimEnd(bytes, start, end);
        start = trimStart(bytes, start, end);
      }
      if (start === end) problem = Quality.missing;
      else if (store(i, bytes, start, end)) problem = 0;
    }
    if (problem === 0) continue;
    problems ??= new Uint8Array(n);
    problems[i] = problem;
  }
  return problems;
}

function storeOf(values: Column, { scale, offset }: FieldColumn): Store {
  if (values instanceof Float64Array) {
    return (i, bytes, start, end) => {
      const value = parseDecimal(bytes, start, end) * scale + offset;
      // In-band "not a number" would look like a value; the caller marks the cell instead.
      if (!Number.isFinite(value)) return false;
      values[i] = value;
      return true;
    };
  }
  if (values instanceof BigInt64Array)
    return storeParsed(parseWhole, (i, value) => {
      values[i] = value;
    });
  if (values instanceof Uint8Array)
    return storeParsed(parseTruth, (i, value) => {
      values[i] = Number(value);
    });
  const texts = values as string[];
  return storeParsed(parseText, (i, value) => {
    texts[i] = value;
  });
}

function storeParsed<T>(
  parse: (bytes: Uint8Array, start: number, end: number) => T | undefined,
  put: (row: number, value: T) => void,
): Store {
  return (i, bytes, start, end) => {
    const value = parse(bytes, start, end);
    if (value === undefined) return false;
    put(i, value);
    return true;
  };
}

/** Rows with more cells than the header: nothing says which value belongs where. Empty cells at the end are fine. */
function findMisaligned(rows: ReplayRows, from: number, n: number, width: number): Uint8Array | undefined {
  const { firstCell, cellStart, cellEnd } = rows.piece.records;
  let found: Uint8Array | undefined;
  for (let i = 0; i < n; i++) {
    const record = rows.record[from + i]!;
    const last = firstCell[record + 1]!;
    for (let cell = firstCell[record]! + width; cell < last; cell++) {
      if (cellStart[cell] === cellEnd[cell]) continue;
      found ??= new Uint8Array(n);
      found[i] = 1;
    }
  }
  return found;
}

function missingBits(problems: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(problems.length / 8));
  for (let i = 0; i < problems.length; i++) if (problems[i] !== 0) setBit(bits, i);
  return bits;
}
