/** What the file sink has stored, read as its users read it. */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
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
  return new SinkTail(folder).more();
}

/** Reads only what is new since the last look, so that looking often costs little. */
export class SinkTail {
  readonly #folder: string;
  readonly #read = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  more(): StoredRow[] {
    if (!existsSync(this.#folder)) return [];
    const names = readdirSync(this.#folder).filter(name => name.endsWith('.ndjson'));
    return names.sort().flatMap(name => this.#moreOf(name));
  }

  #moreOf(name: string): StoredRow[] {
    const from = this.#read.get(name) ?? 0;
    const file = openSync(path.join(this.#folder, name), 'r');
    try {
      const bytes = Buffer.alloc(fstatSync(file).size - from);
      const text = bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from));
      const whole = text.subarray(0, text.lastIndexOf(0x0a) + 1);
      this.#read.set(name, from + whole.length);
      const lines = whole.toString('utf8').split('\n').slice(0, -1);
      return lines.map(line => JSON.parse(line) as StoredRow);
    } finally {
      closeSync(file);
    }
  }
}
