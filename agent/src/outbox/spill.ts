/** When a block that waits in memory for its receipt is written after all. */
import type { Clock } from '@edgeward/shared/contracts';
import type { Fresh, FreshBlock } from './fresh.js';

/**
 * A receipt that takes a moment longer than usual does not cost a write: with few readings, one such commit in ten
 * minutes would be more than all else that is written. It stays within what may be lost at a kill.
 */
const minSpillAfterMs = 500;
/** In an outage so much is worth a commit by itself: pages that are written twice weigh little in it. */
const spillBytes = 64 * 1024;
/**
 * A commit takes no more, unless one block does: it becomes a table by itself, and a walk over the backlog has so many
 * tables in memory.
 */
export const maxCommitBytes = 1024 * 1024;
/** What is journaled and not released may stay in memory up to this. */
const maxKeptBytes = 8 * 1024 * 1024;

export interface SpillOptions {
  /** Age that may be lost at a kill. */
  readonly maxLossMs: number;
  readonly clock: Clock;
}

export class Spill {
  readonly #options: SpillOptions;
  readonly #fresh: Fresh;
  #up = false;
  #spillAfterMs: number;

  constructor(options: SpillOptions, fresh: Fresh) {
    this.#options = options;
    this.#fresh = fresh;
    this.#spillAfterMs = options.maxLossMs;
  }

  get up(): boolean {
    return this.#up;
  }

  link(up: boolean, roundTripP99Ms: number | undefined): void {
    const { maxLossMs } = this.#options;
    this.#up = up;
    this.#spillAfterMs =
      roundTripP99Ms === undefined
        ? maxLossMs
        : Math.min(maxLossMs, Math.max(minSpillAfterMs, 2 * roundTripP99Ms));
  }

  /** Monotonic time at which something is to be written; Infinity with nothing in sight. */
  dueMs(): number {
    if (this.#fresh.bytes('kept') > maxKeptBytes) return Number.NEGATIVE_INFINITY;
    const oldest = this.#oldest();
    if (!oldest) return Number.POSITIVE_INFINITY;
    if (this.#sendable(oldest)) return oldest.bornMs + this.#spillAfterMs;
    if (this.#fresh.bytes('volatile') >= spillBytes) return Number.NEGATIVE_INFINITY;
    return oldest.bornMs + this.#options.maxLossMs;
  }

  /** What the next commit takes along; nothing if nothing is due. */
  take(): FreshBlock[] {
    const nowMs = this.#options.clock.monotonic();
    if (this.dueMs() > nowMs) return [];
    const taken = this.#takeKept();
    let bytes = 0;
    for (const block of this.#fresh.volatile()) {
      if (bytes >= maxCommitBytes) break;
      if (block.urgent) continue;
      // One late receipt is seldom the only one: those that are half as old go along.
      if (this.#sendable(block) && nowMs - block.bornMs < this.#spillAfterMs / 2) continue;
      taken.push(block);
      bytes += block.bytes.length;
    }
    return taken;
  }

  #takeKept(): FreshBlock[] {
    const taken: FreshBlock[] = [];
    if (this.#fresh.bytes('kept') <= maxKeptBytes) return taken;
    let left = maxCommitBytes;
    for (const block of this.#fresh.kept()) {
      if (left <= 0) break;
      taken.push(block);
      left -= block.bytes.length;
    }
    return taken;
  }

  #sendable({ id }: FreshBlock): boolean {
    return this.#up && !id.clock;
  }

  #oldest(): FreshBlock | undefined {
    for (const block of this.#fresh.volatile()) if (!block.urgent) return block;
    return undefined;
  }
}
