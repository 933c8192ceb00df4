import type { Cursor, Delivery, Sink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { notYetStored } from '../sinks/received.js';

/** A server that outlives the sinks on it, and may be down. */
export class FakeServer {
  isDown = false;
  /** Answers nothing at all. */
  hangs = false;
  /** Seqs that it will never take. */
  refused: ReadonlySet<number> = new Set();
  readonly kept: Delivery[] = [];
  cursor: Cursor | undefined;
  /** What closing a sink waits for. */
  closes: Promise<void> = Promise.resolve();
  /** Sinks that were disposed. */
  closed = 0;

  get isAway(): boolean {
    return this.isDown || this.hangs;
  }

  get seqs(): number[] {
    return this.kept.map(({ seq }) => seq);
  }

  /** Somebody has deleted all that was there. */
  wipe(): void {
    this.kept.length = 0;
    this.cursor = undefined;
  }

  /** @param own  it keeps the cursor beside the rows; else the journal does */
  sink(own = true): Sink {
    const write: Sink['write'] = async (deliveries, after) => {
      await this.#ask();
      const bad = deliveries.find(({ seq }) => this.refused.has(seq));
      if (bad) throw new EdgewardError('EW_SINK_REFUSED', `there is no room for ${bad.seq}`);
      this.kept.push(...(own ? notYetStored(deliveries, this.cursor, after.journal) : deliveries));
      this.cursor = after;
    };
    const cursor = async () => {
      await this.#ask();
      return this.cursor;
    };
    return {
      write,
      ...(own && { cursor }),
      [Symbol.asyncDispose]: async () => {
        await this.closes;
        this.closed += 1;
      },
    };
  }

  async #ask(): Promise<void> {
    if (this.hangs) await new Promise(() => undefined);
    if (this.isDown) throw new EdgewardError('EW_SINK_WRITE', 'server is down');
  }
}
