/** When a gateway speaks, and how long its rows were on their way: what its health is made of, in bounded memory. */
import { quantile } from '@edgeward/models/statistics';

/** Of one block, seconds: from the last row to the block, to its arrival, to its commit. */
export interface Hops {
  readonly rows: number;
  readonly late: boolean;
  readonly readS: number;
  readonly sentS: number;
  readonly ingestedS: number;
}

/** Of the blocks of one look; those that waited in an outage are not among them. */
export interface HopTimes {
  readonly p50S: number;
  readonly p99S: number;
  readonly readS: number;
  readonly sentS: number;
  readonly ingestedS: number;
}

/** Blocks of a look that delays are taken of: the newest. */
const mostBlocks = 32;
/** Messages closer to each other are one. */
const oneMs = 100;
const halfLifeMs = 30 * 60_000;
/** A gap that was too long is only believed to be usual bit by bit. */
const leastLearnedMs = 10_000;

export class GatewayPulse {
  /** Of the monotonic clock; undefined = not since the start. */
  heardMs: number | undefined;
  firstMs: number | undefined;
  /** The longest of late. */
  usualGapMs = 0;
  gaps = 0;
  /** Rows of the look whose times are newer than any before: a backlog that drains is no burst. */
  freshRows = 0;
  lateRows = 0;
  #blocks: Hops[] = [];

  heard(nowMs: number): void {
    const gapMs = nowMs - (this.heardMs ?? nowMs);
    if (this.heardMs !== undefined && gapMs < oneMs) return;
    this.firstMs ??= nowMs;
    this.heardMs = nowMs;
    if (gapMs === 0) return;
    this.gaps += 1;
    const learned = this.gaps < 5 ? gapMs : Math.min(gapMs, Math.max(2 * this.usualGapMs, leastLearnedMs));
    this.usualGapMs = Math.max(learned, this.usualGapMs * 2 ** (-gapMs / halfLifeMs));
  }

  block(hops: Hops): void {
    if (hops.late) {
      this.lateRows += hops.rows;
      return;
    }
    if (this.#blocks.length >= mostBlocks) this.#blocks.shift();
    this.#blocks.push(hops);
  }

  /** Since the last call; undefined = no block came. */
  takeHops(): HopTimes | undefined {
    const blocks = this.#blocks;
    this.#blocks = [];
    const [first] = blocks;
    if (!first) return undefined;
    if (blocks.length === 1) {
      const { readS, sentS, ingestedS } = first;
      const wholeS = readS + sentS + ingestedS;
      return { p50S: wholeS, p99S: wholeS, readS, sentS, ingestedS };
    }
    const whole = Float64Array.from(
      blocks,
      ({ readS, sentS, ingestedS }) => readS + sentS + ingestedS,
    ).sort();
    const middle = (of: (hops: Hops) => number) => quantile(Float64Array.from(blocks, of).sort(), 0.5);
    return {
      p50S: quantile(whole, 0.5),
      p99S: quantile(whole, 0.99),
      readS: middle(({ readS }) => readS),
      sentS: middle(({ sentS }) => sentS),
      ingestedS: middle(({ ingestedS }) => ingestedS),
    };
  }

  takeRows(): { fresh: number; late: number } {
    const taken = { fresh: this.freshRows, late: this.lateRows };
    this.freshRows = 0;
    this.lateRows = 0;
    return taken;
  }
}
