/**
 * Which marks blocks have. `released` lets an agent forget, so with `receiptAfter` it waits until the named sinks
 * have stored the block; until then a receipt says `journaled`. What is known here can be told again at any time:
 * a receipt that got lost on its way is made good when the gateway comes back.
 */
import { Backoff } from '@edgeward/shared/clock';
import type { Clock, Delivery, Mark, Receipt } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { receiptsOf } from '@edgeward/shared/receipts';
import { epochsOf } from './journal/accounts.js';
import type { Journal } from './journal/journal.js';

export interface ReleasesOptions {
  readonly journal: Journal;
  /** What must have passed a block before it is released; may change at any time, see `moved`. */
  readonly required: () => readonly { readonly position: number }[];
  readonly send: (gateway: string, receipts: readonly Receipt[]) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Releases {
  readonly #options: ReleasesOptions;
  readonly #changed = new Gate();
  /** Seqs that are journaled and not released, by gateway and epoch. */
  readonly #pending = new Map<string, Map<string, RangeSet>>();
  /** The last position that is released; nothing before it is pending. */
  #position = 0;

  constructor(options: ReleasesOptions) {
    this.#options = options;
  }

  /** After the consumers are open: what they have not stored is pending. */
  async open(): Promise<void> {
    const { journal } = this.#options;
    this.#position = Math.min(this.#passed(), journal.position);
    for (let at = this.#position; at < journal.position; ) {
      const { names, through } = await journal.names(at);
      for (const { gateway, epoch, seq } of names) this.#pendingOf(gateway, epoch).add(seq);
      at = through;
    }
  }

  journaled(deliveries: readonly Delivery[]): void {
    if (this.#options.required().length > 0)
      for (const { gateway, epoch, seq } of deliveries) this.#pendingOf(gateway, epoch).add(seq);
    // Should a sink be required from now on, it is for what comes behind these.
    else if (this.#pending.size === 0) this.#position = deliveries.at(-1)?.position ?? this.#position;
  }

  /** The mark of a block that the journal has. */
  markOf(gateway: string, epoch: string, seq: number): Mark {
    return this.#pending.get(gateway)?.get(epoch)?.has(seq) ? 'journaled' : 'released';
  }

  /** All that is known of what an outbox may still hold. */
  standing(gateway: string, outbox: string): Receipt[] {
    const epochs = epochsOf(this.#options.journal.received, gateway, outbox);
    return [...epochs].flatMap(([epoch, { seqs }]) => {
      const pending = this.#pending.get(gateway)?.get(epoch)?.toJSON() ?? [];
      const free = seqs.clone();
      for (const [from, through] of pending) free.remove(from, through);
      return [...rangesAs(epoch, pending, 'journaled'), ...rangesAs(epoch, free.toJSON(), 'released')];
    });
  }

  /** A required sink has stored more, or others are required than before. */
  moved(): void {
    this.#changed.open();
  }

  /** Sends `released` for what all required sinks have passed; ends on stop. What the disk refuses is tried again. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const backoff = new Backoff(500, 30_000);
    while (!stop.aborted) {
      try {
        await this.advance();
        backoff.reset();
        await this.#changed.wait(stop);
      } catch (error) {
        const waitMs = backoff.next();
        log.warn(
          { error: messageOf(error), waitMs: Math.round(waitMs) },
          'journal failed; releasing again later',
        );
        await clock.sleep(waitMs, stop);
      }
    }
  }

  /** @throws what reading the journal throws; nothing is forgotten then */
  async advance(): Promise<void> {
    const { journal, send } = this.#options;
    while (this.#pending.size > 0 && this.#position < Math.min(this.#passed(), journal.position)) {
      const passed = this.#passed();
      const { names, through } = await journal.names(this.#position);
      const freed = new Map<string, Map<string, number[]>>();
      for (const { gateway, epoch, seq, position } of names) {
        if (position > passed) break;
        const own = getOrMake(freed, gateway, () => new Map<string, number[]>());
        getOrMake(own, epoch, () => []).push(seq);
      }
      this.#position = Math.min(passed, through);
      for (const [gateway, epochs] of freed) {
        for (const [epoch, seqs] of epochs) this.#free(gateway, epoch, seqs);
        await send(
          gateway,
          [...epochs].flatMap(([epoch, seqs]) => receiptsOf(epoch, seqs, 'released')),
        );
      }
    }
  }

  #passed(): number {
    return Math.min(...this.#options.required().map(({ position }) => position));
  }

  #free(gateway: string, epoch: string, seqs: readonly number[]): void {
    const own = this.#pending.get(gateway);
    const pending = own?.get(epoch);
    for (const seq of seqs) pending?.remove(seq);
    if (pending?.isEmpty) own?.delete(epoch);
    if (own?.size === 0) this.#pending.delete(gateway);
  }

  #pendingOf(gateway: string, epoch: string): RangeSet {
    const own = getOrMake(this.#pending, gateway, () => new Map<string, RangeSet>());
    return getOrMake(own, epoch, () => new RangeSet());
  }
}

function rangesAs(epoch: string, ranges: readonly (readonly [number, number])[], mark: Mark): Receipt[] {
  return ranges.map(([from, through]) => ({ epoch, from, through, mark }));
}
