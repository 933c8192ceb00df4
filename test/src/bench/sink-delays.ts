import { total } from './collector-probe.js';

const longestMs = 1_800_000;

/**
 * How long ago the oldest block came that a sink has yet to store, seen from outside, in seconds of the collector's
 * clock; 0 = it has stored all.
 */
export class SinkDelays {
  readonly #url: string;
  readonly #factor: number;
  readonly #sinks: readonly string[];
  /** When the journal was first seen to have so many blocks. */
  readonly #seen: { readonly atMs: number; readonly blocks: number }[] = [];
  readonly #delays = new Map<string, number>();
  rows = 0;
  /** Blocks that one of the sinks has yet to store. */
  lag = 0;

  constructor(apiPort: number, factor: number, sinks: readonly string[]) {
    this.#url = `http://127.0.0.1:${apiPort}/metrics`;
    this.#factor = factor;
    this.#sinks = sinks;
  }

  of(sink: string): number {
    return this.#delays.get(sink) ?? Number.POSITIVE_INFINITY;
  }

  /** @returns what was seen at every look */
  async watch(seconds: number, everyMs: number): Promise<Record<string, number>[]> {
    const seen: Record<string, number>[] = [];
    const endMs = performance.now() + seconds * 1000;
    while (performance.now() < endMs) {
      await this.look();
      seen.push(Object.fromEntries(this.#delays));
      await pause(everyMs);
    }
    return seen;
  }

  async until(what: string, everyMs: number, holds: () => boolean): Promise<void> {
    const endMs = performance.now() + longestMs;
    do {
      if (performance.now() > endMs) throw new Error(`waited too long for ${what}`);
      await this.look();
      await pause(everyMs);
    } while (!holds());
  }

  async look(): Promise<void> {
    const atMs = performance.now();
    const text = await (await fetch(this.#url, { signal: AbortSignal.timeout(10_000) })).text();
    const blocks = total(text, 'collector_blocks_stored_total');
    this.rows = total(text, 'collector_rows_stored_total');
    this.#seen.push({ atMs, blocks });
    this.lag = 0;
    for (const sink of this.#sinks) {
      const lag = total(text, `collector_sink_lag_blocks{sink="${sink}"}`);
      this.lag = Math.max(this.lag, lag);
      const then = this.#seen.find(one => one.blocks > blocks - lag);
      this.#delays.set(sink, lag === 0 ? 0 : ((atMs - (then?.atMs ?? 0)) / 1000) * this.#factor);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
