/**
 * Where blocks in the order of their positions are not in the order of their times, because the collector's clock was
 * set back: after a wrong time, or to one, as when a machine starts before its clock is set. Between two such steps
 * times rise, and can be searched.
 */
import type { Store } from '@edgeward/shared/store';
import { z } from 'zod';
import { blockEnd, blockKey, clockStepsKey, ingestedMsOf, parseJson, put, type Write } from './layout.js';

/** A first position behind a step, and the latest time before it. */
type Step = readonly [position: number, latestMs: number];

const schema = z.array(z.tuple([z.number(), z.number()]));
/** What came at once may stand in any order. */
const leastMs = 1000;
/** Of more, the first are forgotten: a search among what came before is a guess again. */
const maxSteps = 1000;

export interface Arrived {
  readonly position: number;
  readonly ingestedMs: number;
}

export class ClockSteps {
  readonly #steps: readonly Step[];
  /** The latest time since the last step. */
  readonly #lastMs: number;

  private constructor(steps: readonly Step[], lastMs: number) {
    this.#steps = steps;
    this.#lastMs = lastMs;
  }

  static async load({ db }: Pick<Store, 'db'>): Promise<ClockSteps> {
    const value = await db.get(clockStepsKey);
    const steps = (value && schema.safeParse(parseJson(value)).data) ?? [];
    let lastMs = Number.NEGATIVE_INFINITY;
    for await (const [, block] of db.iterator({ gt: blockKey(0), lt: blockEnd, reverse: true, limit: 1 }))
      lastMs = ingestedMsOf(block) ?? lastMs;
    return new ClockSteps(steps, lastMs);
  }

  /** Once these are stored, in their order. */
  with(blocks: readonly Arrived[]): ClockSteps {
    let steps = this.#steps;
    let lastMs = this.#lastMs;
    for (const { position, ingestedMs } of blocks) {
      if (ingestedMs < lastMs - leastMs) {
        const latestMs = Math.max(steps.at(-1)?.[1] ?? lastMs, lastMs);
        steps = [...steps, [position, latestMs] as const].slice(-maxSteps);
        lastMs = ingestedMs;
      } else lastMs = Math.max(lastMs, ingestedMs);
    }
    return new ClockSteps(steps, lastMs);
  }

  /** What to write for it, if this is what is on disk. */
  writes(onDisk: ClockSteps): Write[] {
    return this.#steps === onDisk.#steps ? [] : [put(clockStepsKey, this.#steps)];
  }

  /** Times rise from one to the other, and the first block that came at this time or later is among these, if any is. */
  around(ms: number, newest: number): { from: number; through: number } {
    const at = this.#steps.findIndex(([, latestMs]) => latestMs >= ms);
    const step = (i: number) => this.#steps[i]?.[0];
    if (at < 0) return { from: step(this.#steps.length - 1) ?? 1, through: newest };
    return { from: step(at - 1) ?? 1, through: step(at)! - 1 };
  }
}
