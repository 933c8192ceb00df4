/** Rows that a sink has written as JSON, put together again for an audit. */
import { z } from 'zod';
import type { SinkRows } from './audit.js';

const rowSchema = z.object({
  gateway: z.string(),
  device: z.string(),
  epoch: z.string(),
  seq: z.number(),
  row: z.number(),
});

type Row = z.output<typeof rowSchema>;

/** A row as json-rows.ts writes it; undefined = it is none. */
export function parseRow(text: string): Row | undefined {
  try {
    return rowSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

interface Run extends Omit<SinkRows, 'last' | 'count' | 'rows'> {
  last: number;
  count: number;
  readonly rows: [number, number][];
}

/** Rows of one block that follow each other, device by device. */
export class Runs {
  #block = '';
  readonly #open = new Map<string, Run>();
  /** Rows that came before. */
  readonly #again: SinkRows[] = [];

  *add({ row, ...line }: Row): Generator<SinkRows> {
    const block = `${line.gateway}/${line.epoch}/${line.seq}`;
    if (block !== this.#block) yield* this.end();
    this.#block = block;
    const run = this.#open.get(line.device);
    const alone = { ...line, first: row, last: row, count: 1 };
    if (!run) this.#open.set(line.device, { ...alone, rows: [[row, row]] });
    else if (row <= run.last) this.#again.push(alone);
    else {
      const piece = run.rows.at(-1)!;
      if (row === run.last + 1) piece[1] = row;
      else run.rows.push([row, row]);
      run.last = row;
      run.count += 1;
    }
  }

  *end(): Generator<SinkRows> {
    for (const { rows, ...run } of this.#open.values()) yield rows.length > 1 ? { ...run, rows } : run;
    yield* this.#again.splice(0);
    this.#open.clear();
  }
}
