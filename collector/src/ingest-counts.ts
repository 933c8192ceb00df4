/** What ingest counts as it goes, for whoever looks from time to time. */
import type { Delivery, Receipt } from '@edgeward/shared/contracts';
import { Histogram, longBounds, shortBounds } from '@edgeward/shared/metrics/histogram';
import type { TopicKind } from '@edgeward/shared/topics';
import type { Incoming } from './journal/journal.js';
import type { Hops } from './pipeline/pulse.js';

const uplinkKinds: readonly TopicKind[] = ['block', 'state', 'reported', 'events', 'json'];

export class IngestDelays {
  /** From a block's last row to its commit. */
  readonly whole = new Histogram(longBounds);
  /**
   * read: to when its agent made the block. sent: to its arrival, through the outbox, the network, and the queue here.
   * ingested: to its commit. The clocks of two machines meet in `sent`.
   */
  readonly hops = {
    read: new Histogram(longBounds),
    sent: new Histogram(longBounds),
    ingested: new Histogram(shortBounds),
  };

  /**
   * @param stored  what of the blocks is new, in their order
   * @param told    gets the same of each block
   */
  note(
    blocks: readonly Incoming[],
    stored: readonly Delivery[],
    nowMs: number,
    told?: (gateway: string, hops: Hops) => void,
  ): void {
    let at = 0;
    for (const { gateway, batch, header, ingestedMs } of blocks) {
      const next = stored[at];
      if (next?.seq !== header.seq || next.gateway !== gateway || next.epoch !== header.epoch) continue;
      at += 1;
      const rowMs = batch.time.at(-1) ?? ingestedMs;
      this.whole.observe(seconds(rowMs, nowMs));
      const readS = seconds(rowMs, header.atMs);
      const sentS = seconds(header.atMs, ingestedMs);
      const ingestedS = seconds(ingestedMs, nowMs);
      this.hops.read.observe(readS);
      this.hops.sent.observe(sentS);
      this.hops.ingested.observe(ingestedS);
      told?.(gateway, { rows: batch.time.length, late: next.late, readS, sentS, ingestedS });
    }
  }
}

/** What came and what was answered, since the start. */
export class Traffic {
  readonly messages = new Map<TopicKind, { count: number; bytes: number }>(
    uplinkKinds.map(kind => [kind, { count: 0, bytes: 0 }]),
  );
  /** By mark; one names a range of blocks. */
  readonly receipts = { journaled: 0, released: 0 };

  received(kind: TopicKind, bytes: number): void {
    const known = this.messages.get(kind);
    if (!known) return;
    known.count += 1;
    known.bytes += bytes;
  }

  answered(receipts: readonly Receipt[]): void {
    for (const { mark } of receipts) this.receipts[mark] += 1;
  }
}

/** A row's clock may be ahead of ours. */
function seconds(fromMs: number, toMs: number): number {
  return Math.max(0, toMs - fromMs) / 1000;
}
