/**
 * Keeps the journal within its quota, and no block longer than told. What everybody has stored goes first. Then a sink
 * that lags loses its oldest blocks, counted, and goes on behind them; but a sink that receipts wait for never loses
 * any: what is old is kept for it, and once the journal is full nothing more is taken in, and the gateways keep the data.
 */
import type { Clock } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { RangeSet } from '@edgeward/shared/ranges';
import { settled } from '@edgeward/shared/settled';
import type { Journal } from './journal/journal.js';
import type { Write } from './journal/layout.js';

/** A consumer, as far as it matters here. */
export interface Follower {
  readonly name: string;
  readonly position: number;
  between<T>(act: (position: number, inHand: number) => Promise<T>): Promise<T>;
}

export interface RetentionOptions {
  readonly journal: Journal;
  readonly consumers: () => readonly Follower[];
  /** Names of the consumers that must not lose anything. */
  readonly required: () => ReadonlySet<string>;
  readonly maxBytes: number;
  /** Absent: blocks are kept as long as there is room. */
  readonly maxAgeMs?: number | undefined;
  /** The disk takes nothing more, whatever the quota says: give it back what is not needed. */
  readonly diskIsFull?: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Deliveries kept behind the slowest consumer: what it has stored may survive a crash a little less far. */
const keepBehind = 1000;
/** How full it is after something was removed, so that it is not done for every block. */
const target = 0.95;
const checkEveryMs = 1000;
/** Between two looks at how old blocks are, at most. */
const ageEveryMs = 10_000;

export class Retention {
  readonly #options: RetentionOptions;
  #blocked: string | null = null;
  #agedAtMs = Number.NEGATIVE_INFINITY;
  #trimming: Promise<unknown> = Promise.resolve();

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** Why nothing more may be taken in; null = there is room. */
  get blocked(): string | null {
    return this.#blocked;
  }

  /** Ends on stop. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!stop.aborted) {
      await this.trim().catch((error: unknown) =>
        log.warn({ error: messageOf(error) }, 'trimming the journal failed; trying again'),
      );
      await clock.sleep(checkEveryMs, stop);
    }
  }

  trim(): Promise<void> {
    const done = this.#trimming.then(() => this.#trim());
    this.#trimming = settled(done);
    return done;
  }

  /** Resolves once whatever it is giving up is gone: what it gives up after that, it asks its consumers of now for. */
  async untilIdle(): Promise<void> {
    await this.#trimming;
  }

  async #trim(): Promise<void> {
    const { journal, diskIsFull } = this.#options;
    const consumers = this.#options.consumers();
    if (diskIsFull?.()) {
      await this.#remove(Math.min(...consumers.map(({ position }) => position), journal.position - 1));
      return journal.compact();
    }
    await journal.settle();
    const [bySize, byAge] = [await this.#cutoffBySize(), await this.#cutoffByAge()];
    const cutoff = Math.max(bySize, byAge);
    const passed = Math.min(...consumers.map(({ position }) => position)) - keepBehind;
    await this.#remove(Math.min(cutoff, passed));
    const needed = this.#requiredPosition();
    if (needed.position < bySize && passed < bySize) this.#block(needed.name);
    else this.#unblock();
    if (passed < cutoff) await this.#giveUp(Math.min(cutoff, needed.position), bySize);
  }

  /** The last position that has to go for the quota; 0 = none. */
  async #cutoffBySize(): Promise<number> {
    const { journal, maxBytes } = this.#options;
    const blocked = this.#blocked !== null;
    if ((await journal.bytes()) <= maxBytes * (blocked ? target : 1)) return 0;
    return journal.cutoff(maxBytes * target);
  }

  /** The last position that has to go for its age; 0 = none. Never the newest one. */
  async #cutoffByAge(): Promise<number> {
    const { journal, clock, maxAgeMs } = this.#options;
    const nowMs = clock.monotonic();
    if (maxAgeMs === undefined || nowMs - this.#agedAtMs < Math.min(ageEveryMs, maxAgeMs / 10)) return 0;
    this.#agedAtMs = nowMs;
    const through = await journal.positionBefore(clock.now() - maxAgeMs);
    const cutoff = Math.min(through, journal.position - 1);
    return journal.gone.missing(1, cutoff).length > 0 ? cutoff : 0;
  }

  #requiredPosition(): { name: string; position: number } {
    const required = this.#options.required();
    const all = this.#options.consumers().filter(({ name }) => required.has(name));
    return all.reduce((least, one) => (one.position < least.position ? one : least), {
      name: '',
      position: Number.POSITIVE_INFINITY,
    });
  }

  #block(name: string): void {
    const reason = `The journal is full, and receipts wait for sink ${name}, which has not stored its oldest blocks.`;
    if (this.#blocked === null) {
      this.#options.log.error({ sink: name }, 'journal is full: nothing is taken in until the sink moves');
      void this.#options.journal.tell('journal', `${reason} Gateways keep their data until it has.`, {
        sink: name,
      });
    }
    this.#blocked = reason;
  }

  #unblock(): void {
    if (this.#blocked !== null) this.#options.log.info('journal has room again');
    this.#blocked = null;
  }

  async #remove(through: number): Promise<void> {
    const { journal } = this.#options;
    const ranges = journal.gone.missing(1, through);
    if (ranges.length > 0) await journal.remove(ranges);
  }

  /** Removes up to there, at the cost of those that have not come so far; what they have in hand stays. */
  async #giveUp(through: number, bySize: number): Promise<void> {
    const [last, ...others] = this.#options.consumers();
    if (!last || through < 1) return;
    // None of them reads meanwhile, so that what is counted as lost is lost.
    const act = others.reduce<(kept: Kept[]) => Promise<void>>(
      (next, consumer) => kept =>
        consumer.between((from, inHand) => next([...kept, { name: consumer.name, from, inHand }])),
      kept =>
        last.between((from, inHand) =>
          this.#lose(through, through <= bySize, [...kept, { name: last.name, from, inHand }]),
        ),
    );
    await act([]);
  }

  async #lose(through: number, isFull: boolean, kept: readonly Kept[]): Promise<void> {
    const { journal, clock, log } = this.#options;
    const removed = new RangeSet([[1, through]]);
    for (const { from, inHand } of kept) if (inHand > from) removed.remove(from + 1, inHand);
    const nowMs = clock.now();
    const writes: Write[] = [];
    const told: { name: string; range: readonly [number, number]; blocks: number; rows: number }[] = [];
    for (const { name, inHand } of kept) {
      if (inHand >= through) continue;
      const lost = await journal.count(inHand + 1, through);
      if (lost.blocks === 0) continue;
      const range = [inHand + 1, through] as const;
      writes.push(journal.losses.add(name, range, lost, nowMs));
      told.push({ name, range, ...lost });
    }
    await journal.remove(removed.toJSON(), writes);
    for (const { name, range, blocks, rows } of told) {
      const [from, last] = range;
      const why = isFull ? 'the journal was full' : 'they were too old';
      log.error({ sink: name, blocks, rows, from, through: last }, `a sink has lost blocks: ${why}`);
      const text = `Sink ${name} lost ${blocks} blocks with ${rows} rows, at ${from} to ${last}: it lagged until ${why}.`;
      await journal.tell('journal', text, { sink: name, blocks, rows, from, through: last });
    }
  }
}

interface Kept {
  readonly name: string;
  readonly from: number;
  readonly inHand: number;
}
