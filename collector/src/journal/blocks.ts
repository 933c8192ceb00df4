import type { Delivery, Described } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { RangeSet } from '@edgeward/shared/ranges';
import { numberInKey, type Store } from '@edgeward/shared/store';
import type { ClockSteps } from './clock-steps.js';
import {
  blockEnd,
  blockKey,
  ingestedMsOf,
  type NextTrace,
  storedBlock,
  storedBytes,
  storedHeader,
  toDelivery,
} from './layout.js';
import { Tail, type TailLimits } from './tail.js';

/** What a read found. `through` is the last position looked at: the next read goes on behind it. */
export interface Reading {
  readonly deliveries: readonly Delivery[];
  readonly through: number;
}

export interface BlockName {
  readonly position: number;
  readonly gateway: string;
  readonly epoch: string;
  readonly seq: number;
}

export interface BlocksOptions {
  readonly store: Store;
  /** Positions without a block. */
  readonly gone: RangeSet;
  readonly described: (id: string) => Described | undefined;
  readonly nextTrace?: NextTrace | undefined;
  /** There must be blocks from…through and there are none. */
  readonly onLost: (from: number, through: number) => Promise<void>;
  /** A block cannot be read. */
  readonly onBroken: (position: number, why: string) => Promise<void>;
}

const tailLimits: TailLimits = { maxBytes: 48 * 1024 * 1024, maxAgeMs: 3000 };
const maxSamples = 32;
/** Names read at once for receipts. */
const maxNames = 10_000;

/** The blocks on disk, by position, and the newest of them in memory. */
export class Blocks {
  readonly #options: BlocksOptions;
  #tail = new Tail(tailLimits);

  constructor(options: BlocksOptions) {
    this.#options = options;
  }

  get tailBytes(): number {
    return this.#tail.bytes;
  }

  /** It is stored. */
  add(delivery: Delivery): void {
    this.#tail.add(delivery);
  }

  /** Positions were skipped: the tail knows no holes. */
  forgetTail(): void {
    this.#tail = new Tail(tailLimits);
  }

  /** What stands behind a position, in order; a block that the disk has damaged is left out with a word. */
  async read(
    after: number,
    newest: number,
    limits: { maxDeliveries: number; maxBytes: number },
  ): Promise<Reading> {
    if (after >= newest) return { deliveries: [], through: after };
    const cached = this.#tail.after(after, limits.maxDeliveries);
    if (cached) return { deliveries: cached, through: cached.at(-1)!.position };
    const deliveries: Delivery[] = [];
    let [bytes, through] = [0, after];
    for await (const [key, value] of this.#stored(after)) {
      const position = numberInKey(key, 0);
      await this.expect(through + 1, position - 1);
      through = position;
      const delivery = await this.#decode(position, value);
      if (delivery) deliveries.push(delivery);
      bytes += value.length;
      if (deliveries.length >= limits.maxDeliveries || bytes >= limits.maxBytes)
        return { deliveries, through };
    }
    await this.expect(through + 1, newest);
    return { deliveries, through: Math.max(through, newest) };
  }

  /**
   * Blocks from behind a position as they lie there, some of them; what cannot be read or is gone is left out, and
   * told by others. `through` is the last position looked at.
   */
  async encoded(
    after: number,
    newest: number,
    maxBytes: number,
  ): Promise<{ blocks: ReturnType<typeof storedBytes>[]; through: number }> {
    const blocks: ReturnType<typeof storedBytes>[] = [];
    let bytes = 0;
    const range = { gt: blockKey(after), lte: blockKey(newest), fillCache: false };
    for await (const [key, value] of this.#options.store.db.iterator(range)) {
      try {
        blocks.push(storedBytes(value));
      } catch {
        // Whoever follows the journal tells it.
      }
      bytes += value.length;
      if (bytes >= maxBytes) return { blocks, through: numberInKey(key, 0) };
    }
    return { blocks, through: newest };
  }

  /** Names of the blocks behind a position, at most some thousands; `through` as in `read`. */
  async names(after: number, newest: number): Promise<{ names: readonly BlockName[]; through: number }> {
    if (after >= newest) return { names: [], through: after };
    const cached = this.#tail.after(after, maxNames);
    if (cached) return { names: cached, through: cached.at(-1)!.position };
    const names: BlockName[] = [];
    for await (const [key, value] of this.#stored(after)) {
      const position = numberInKey(key, 0);
      const name = nameOf(position, value);
      if (name) names.push(name);
      if (names.length >= maxNames) return { names, through: position };
    }
    return { names, through: newest };
  }

  /** What from…through holds. */
  async count(from: number, through: number): Promise<{ blocks: number; rows: number }> {
    const sum = { blocks: 0, rows: 0 };
    for await (const [key, value] of this.#stored(from - 1)) {
      if (numberInKey(key, 0) > through) break;
      sum.blocks += 1;
      sum.rows += rowsOf(value);
    }
    return sum;
  }

  /** Bytes on disk, nearly: what LevelDB still has in memory is not counted. */
  bytes(newest: number): Promise<number> {
    return this.#size(this.#oldest(), newest);
  }

  /** When the oldest block came. */
  async oldestMs(): Promise<number | undefined> {
    // From where one may be: LevelDB would go through all that was deleted before it.
    for await (const [, value] of this.#stored(this.#oldest() - 1)) return ingestedMsOf(value);
    return undefined;
  }

  /** The last position that has to go so that at most so many bytes are left; 0 = none. Never the newest one. */
  async cutoff(bytes: number, newest: number): Promise<number> {
    let [low, high] = [this.#oldest() - 1, newest - 1];
    if ((await this.bytes(newest)) <= bytes) return 0;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await this.#size(middle + 1, newest)) <= bytes) high = middle;
      else low = middle + 1;
    }
    return Math.max(0, high);
  }

  /** Some blocks from the oldest to the newest. */
  async samples(newest: number): Promise<{ position: number; ingestedMs: number; rows: number }[]> {
    const oldest = this.#oldest();
    const step = Math.max(1, (newest - oldest) / (maxSamples - 1));
    const found: { position: number; ingestedMs: number; rows: number }[] = [];
    for (let at = oldest; at <= newest; at += step) {
      const from = Math.max(Math.floor(at), (found.at(-1)?.position ?? 0) + 1);
      const range = { gte: blockKey(from), lt: blockEnd, limit: 1 };
      for await (const [key, value] of this.#options.store.db.iterator(range))
        if (value.length >= 16)
          found.push({
            position: numberInKey(key, 0),
            ingestedMs: value.readDoubleLE(0),
            rows: rowsOf(value),
          });
    }
    return found;
  }

  /** The last position before the first block that came at this time or later. */
  async before(ms: number, newest: number, steps: ClockSteps): Promise<number> {
    const { from, through } = steps.around(ms, newest);
    // From where one may be: LevelDB would go through all that was deleted before it.
    let [low, high] = [Math.min(Math.max(this.#oldest(), from) - 1, newest), Math.min(through, newest)];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const next = await this.#nextAfter(middle);
      if (!next || next.position > high || next.ingestedMs >= ms) high = middle;
      else low = next.position;
    }
    return low;
  }

  async clear(ranges: Iterable<readonly [number, number]>): Promise<void> {
    for (const [from, through] of ranges)
      await this.#options.store.db.clear({ gte: blockKey(from), lte: blockKey(through) });
  }

  /** Gives the disk back what was removed. */
  async compact(newest: number): Promise<void> {
    await this.#options.store.db.compactRange(blockKey(0), blockKey(newest + 1));
  }

  /** There must be blocks from…through, unless they are known to be gone. */
  async expect(from: number, through: number): Promise<void> {
    if (from > through) return;
    for (const [low, high] of this.#options.gone.missing(from, through))
      await this.#options.onLost(low, high);
  }

  #stored(after: number) {
    return this.#options.store.db.iterator({ gt: blockKey(after), lt: blockEnd });
  }

  async #nextAfter(position: number): Promise<{ position: number; ingestedMs: number } | undefined> {
    for await (const [key, value] of this.#options.store.db.iterator({
      gt: blockKey(position),
      lt: blockEnd,
      limit: 1,
    }))
      return { position: numberInKey(key, 0), ingestedMs: ingestedMsOf(value) ?? 0 };
    return undefined;
  }

  #size(from: number, through: number): Promise<number> {
    return this.#options.store.db.approximateSize(blockKey(from), blockKey(through + 1));
  }

  /** The first position that may still have a block. */
  #oldest(): number {
    const [first] = this.#options.gone.toJSON();
    return first && first[0] <= 1 ? first[1] + 1 : 1;
  }

  async #decode(position: number, value: Buffer): Promise<Delivery | undefined> {
    try {
      const { described, nextTrace } = this.#options;
      return toDelivery(position, storedBlock(value, described), nextTrace);
    } catch (error) {
      await this.#options.onBroken(position, messageOf(error));
      return undefined;
    }
  }
}

function nameOf(position: number, value: Buffer): BlockName | undefined {
  try {
    const { gateway, header } = storedHeader(value);
    return { position, gateway, epoch: header.epoch, seq: header.seq };
  } catch {
    return undefined; // told by whoever reads it
  }
}

function rowsOf(value: Buffer): number {
  try {
    return storedHeader(value).header.devices.reduce((sum, { count }) => sum + count, 0);
  } catch {
    return 0;
  }
}
