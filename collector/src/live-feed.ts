import type { Clock, Delivery } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import type { Journal } from './journal/journal.js';

/** History for plots that is read back at start. */
const historyDeliveries = 2000;
const limits = { maxDeliveries: 500, maxBytes: 4 * 1024 * 1024 };

export interface FeedOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly stop: AbortSignal;
}

/**
 * Feeds the plots: from a stretch back in the journal, and from there on with what ingest has just stored, so that
 * no block is decoded once more for them. Loses nothing that matters.
 */
export class LiveFeed {
  readonly #show: (deliveries: readonly Delivery[]) => void;
  /** The last position that was shown; undefined while the journal is read back. */
  #shown: number | undefined;

  constructor(show: (deliveries: readonly Delivery[]) => void) {
    this.#show = show;
  }

  /** What is stored, in order; ignored while the journal is read back, which will come to it. */
  take(deliveries: readonly Delivery[]): void {
    const shown = this.#shown;
    if (shown === undefined) return;
    const fresh = deliveries.filter(({ position }) => position > shown);
    this.#shown = fresh.at(-1)?.position ?? shown;
    if (fresh.length > 0) this.#show(fresh);
  }

  /** A journal that cannot be read, because it is being opened again, is tried again. */
  async readBack(journal: Journal, { clock, log, stop }: FeedOptions): Promise<void> {
    let position = Math.max(0, journal.position - historyDeliveries);
    while (!stop.aborted && position < journal.position) {
      try {
        const { deliveries, through } = await journal.read(position, limits);
        this.#show(deliveries);
        position = through;
      } catch (error) {
        log.warn({ error: messageOf(error) }, 'the live page is not fed; trying again');
        await clock.sleep(1000, stop);
      }
    }
    this.#shown = position;
  }
}
