import type { RangeList } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import { type Store, textKey } from '@edgeward/shared/store';
import { z } from 'zod';
import { del, jsonRecords, put, type Write } from './layout.js';

const schema = z.object({
  blocks: z.number(),
  rows: z.number(),
  ranges: z.array(z.tuple([z.number(), z.number()])),
  lastMs: z.number(),
});

/** What a sink will never get, because it lagged until the journal gave its blocks up. */
export interface Loss {
  readonly blocks: number;
  readonly rows: number;
  /** Journal positions. */
  readonly ranges: RangeList;
  readonly lastMs: number;
}

export class Losses {
  readonly #sinks = new Map<string, Loss>();

  static async load(store: Pick<Store, 'db'>): Promise<Losses> {
    const losses = new Losses();
    for await (const [sink, json] of jsonRecords(store, 'l')) {
      const { data } = schema.safeParse(json);
      if (data) losses.#sinks.set(sink, data);
    }
    return losses;
  }

  all(): ReadonlyMap<string, Loss> {
    return this.#sinks;
  }

  /** What it lost is no longer asked for. @param write  as long as that has not worked, it is */
  async forget(sink: string, write: (writes: readonly Write[]) => Promise<void>): Promise<void> {
    await write(this.#sinks.has(sink) ? [del(textKey('l', sink))] : []);
    this.#sinks.delete(sink);
  }

  /** @returns what to write */
  add(
    sink: string,
    [from, through]: readonly [number, number],
    lost: { blocks: number; rows: number },
    nowMs: number,
  ): Write {
    const before = this.#sinks.get(sink);
    const ranges = new RangeSet(before?.ranges);
    ranges.add(from, through);
    const loss = {
      blocks: (before?.blocks ?? 0) + lost.blocks,
      rows: (before?.rows ?? 0) + lost.rows,
      ranges: ranges.toJSON(),
      lastMs: nowMs,
    };
    this.#sinks.set(sink, loss);
    return put(textKey('l', sink), loss);
  }
}
