import type { RecordBatch } from '@edgeward/shared/contracts';
import { sliceBatch } from '../slice-batch.js';
import { type CsvOptions, readCsv } from './numeric-csv.js';

/** Rows of one device in order of time, as a gateway would have read them. */
export type Series = RecordBatch;

/**
 * A CSV file as the rows of one device.
 * @param missing  a value that stands for none
 * @throws EW_EVALUATE_INPUT naming file, line, column, value and remedy
 */
export async function readSeries(
  path: string,
  options: CsvOptions & Required<Pick<CsvOptions, 'time'>>,
  missing?: number,
): Promise<Series> {
  const { columns, values } = await readCsv(path, options);
  const n = values.length / columns.length;
  const column = (c: number) => Float64Array.from({ length: n }, (_, r) => values[r * columns.length + c]!);
  const time = columns.indexOf(options.time.column);
  const fields = [...columns.keys()].filter(c => c !== time);
  return {
    schema: {
      type: 'series',
      fields: fields.map(c => ({ name: columns[c]!, kind: 'float' })),
      devices: ['device'],
    },
    time: column(time),
    device: new Uint16Array(n),
    row: Float64Array.from({ length: n }, (_, r) => r + 1),
    values: fields.map(c => column(c).map(value => (value === missing ? Number.NaN : value))),
    quality: new Uint16Array(n),
  };
}

/** It in batches, as a gateway reads rows: some now, some later. */
export function* inBatches(series: Series, rows = 64): Generator<Series> {
  const n = series.time.length;
  for (let from = 0; from < n; from += rows) yield sliceBatch(series, from, Math.min(n, from + rows));
}

/** ISO 8601 without a zone, as in the public data sets: taken as UTC. */
export function isoTime(cell: string): number {
  return /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d/.test(cell)
    ? Date.parse(`${cell.slice(0, 19).replace(' ', 'T')}Z`)
    : Number.NaN;
}

/** Seconds since 1970. */
export function unixTime(cell: string): number {
  return cell === '' ? Number.NaN : Number(cell) * 1000;
}
