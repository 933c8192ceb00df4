/** What the file sink has stored, read as its users read it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface StoredRow {
  readonly gateway: string;
  readonly device: string;
  readonly epoch: string;
  readonly seq: number;
  readonly row: number;
  readonly time: number;
  readonly late: boolean;
  readonly values: Readonly<Record<string, number | null>>;
}

/** In the order of the files. A last line without its end is not committed yet. */
export function readSink(folder: string): StoredRow[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter(name => name.endsWith('.ndjson'))
    .sort()
    .flatMap(name => readLines(path.join(folder, name)));
}

function readLines(file: string): StoredRow[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.slice(0, -1).map(line => JSON.parse(line) as StoredRow);
}
