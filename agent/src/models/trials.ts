/**
 * Candidates that run in the shadow of the active model, and models that have just taken over. What was counted is kept
 * on disk now and then, so that a restart does not begin them anew.
 */

import { maxGapMsOf } from '@edgeward/models/card';
import type { LoadedModel } from '@edgeward/models/engines';
import type { Scorer } from '@edgeward/models/scorer';
import { AlarmWatch, ShadowRun } from '@edgeward/models/shadow';
import {
  judgeShadow,
  judgeWatch,
  type ShadowVerdict,
  type WatchLimits,
  type WatchVerdict,
  watchLimits,
} from '@edgeward/models/shadow-rules';
import type { Clock, ShadowReport } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import type { ShadowPolicy } from '@edgeward/shared/models/manifest';
import { type SavedTrial, trialSchema } from './saved-trial.js';
import type { ModelStore } from './store.js';

interface Shadow {
  readonly kind: 'shadow';
  readonly type: string;
  readonly order: string;
  readonly policy: ShadowPolicy;
  readonly run: ShadowRun;
}

interface Watch {
  readonly kind: 'watch';
  readonly type: string;
  readonly order: string;
  readonly limits: WatchLimits;
  readonly run: AlarmWatch;
}

export type Trial = Shadow | Watch;

export type Ripe =
  | { readonly trial: Shadow; readonly verdict: Exclude<ShadowVerdict, 'more'> }
  | { readonly trial: Watch; readonly verdict: Exclude<WatchVerdict, 'more'> };

export interface TrialsOptions {
  readonly store: ModelStore;
  readonly scorer: Scorer;
  readonly clock: Clock;
  readonly log: Logger;
  /** One may be ripe for a verdict. */
  readonly onTaken: () => void;
}

const saveEveryMs = 60_000;

export class Trials {
  readonly #options: TrialsOptions;
  readonly #trials = new Map<string, Trial>();
  #savedMs: number;

  constructor(options: TrialsOptions) {
    this.#options = options;
    this.#savedMs = options.clock.monotonic();
  }

  of(type: string): Trial | undefined {
    return this.#trials.get(type);
  }

  all(): Trial[] {
    return [...this.#trials.values()];
  }

  reportOf(type: string): ShadowReport | undefined {
    const trial = this.#trials.get(type);
    return trial?.kind === 'shadow' ? trial.run.report() : undefined;
  }

  /** Owns the model until it is promoted or the trial ends. */
  async shadow(type: string, order: string, model: LoadedModel, policy: ShadowPolicy): Promise<void> {
    const saved = await this.#saved(type, order);
    const run = new ShadowRun(model, this.#options.onTaken, saved?.shadow);
    this.#begin({ kind: 'shadow', type, order, policy, run });
  }

  /** The candidate of this trial is the active model now. */
  watch({ type, order, policy, run }: Shadow): void {
    const limits = watchLimits(policy, run.counts);
    if (limits.deviceMs > 0) this.#watch(type, order, limits, maxGapMsOf(run.model.bundle.card));
  }

  /** After a start: what had just taken over is watched on. */
  async resume(): Promise<void> {
    const { store, scorer } = this.#options;
    for (const type of store.types) {
      const { outcome } = store.stateOf(type);
      const saved = outcome?.state === 'active' ? await this.#saved(type, outcome.order) : undefined;
      const { limits, counts, maxGapMs } = saved?.watch ?? {};
      if (outcome && limits && maxGapMs !== undefined && scorer.revisions[type] === outcome.revision)
        this.#watch(type, outcome.order, limits, maxGapMs, counts);
    }
  }

  /** Those that can be judged. */
  ripe(): Ripe | undefined {
    for (const trial of this.#trials.values())
      if (trial.kind === 'shadow') {
        const verdict = judgeShadow(trial.policy, trial.run.counts);
        if (verdict !== 'more') return { trial, verdict };
      } else {
        const verdict = judgeWatch(trial.limits, trial.run.counts);
        if (verdict !== 'more') return { trial, verdict };
      }
    return undefined;
  }

  /** Nobody looks on any more. @param keepModel  it has another owner now */
  async end(type: string, keepModel = false): Promise<void> {
    const trial = this.#trials.get(type);
    if (!trial) return;
    this.#trials.delete(type);
    await this.#options.scorer.dismiss(type);
    if (trial.kind === 'shadow' && !keepModel) await trial.run.model.detector[Symbol.asyncDispose]();
    await this.#options.store.saveTrial(type, undefined);
  }

  /** At most once a minute, and at the end. */
  async save(now = false): Promise<void> {
    const { clock, store, log } = this.#options;
    if (!now && clock.monotonic() - this.#savedMs < saveEveryMs) return;
    this.#savedMs = clock.monotonic();
    for (const trial of this.#trials.values())
      await store.saveTrial(trial.type, savedOf(trial)).catch((error: unknown) => {
        log.warn({ type: trial.type, err: error }, 'what a trial has counted could not be kept');
      });
  }

  async dispose(): Promise<void> {
    await this.save(true);
    for (const trial of this.#trials.values()) {
      await this.#options.scorer.dismiss(trial.type);
      if (trial.kind === 'shadow') await trial.run.model.detector[Symbol.asyncDispose]();
    }
    this.#trials.clear();
  }

  #watch(
    type: string,
    order: string,
    limits: WatchLimits,
    maxGapMs: number,
    counts?: SavedWatch['counts'],
  ): void {
    const run = new AlarmWatch(maxGapMs, this.#options.onTaken, counts);
    this.#begin({ kind: 'watch', type, order, limits, run });
  }

  #begin(trial: Trial): void {
    this.#trials.set(trial.type, trial);
    this.#options.scorer.observe(trial.type, trial.run);
  }

  async #saved(type: string, order: string): Promise<SavedTrial | undefined> {
    const { data } = trialSchema.safeParse(await this.#options.store.savedTrial(type));
    return data?.order === order ? data : undefined;
  }
}

type SavedWatch = NonNullable<SavedTrial['watch']>;

function savedOf(trial: Trial): SavedTrial {
  const { order } = trial;
  if (trial.kind === 'shadow') return { order, shadow: trial.run.counts };
  const { limits } = trial;
  return { order, watch: { limits, counts: trial.run.counts, maxGapMs: trial.run.maxGapMs } };
}
