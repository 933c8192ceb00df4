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
import { messageOf } from '@edgeward/shared/errors';
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
  /** Those that count no more, and why. */
  readonly #failures = new Map<Trial, string>();
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
  async watch({ type, order, policy, run }: Shadow): Promise<void> {
    const limits = watchLimits(policy, run.counts);
    if (limits.deviceMs <= 0) return this.forget(type);
    this.#watch(type, order, limits, maxGapMsOf(run.model.bundle.card));
    await this.save(true);
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

  /** One that can be judged. @param isDue  of its order; others are passed over */
  ripe(isDue: (order: string) => boolean): Ripe | undefined {
    for (const trial of this.#trials.values()) {
      const ripe = isDue(trial.order) && (this.#failed(trial) ?? judged(trial));
      if (ripe) return ripe;
    }
    return undefined;
  }

  /**
   * Nobody looks on any more; what was counted stays on disk until `forget`, for what came of the trial must be there
   * before. @param keepModel  it has another owner now
   */
  async end(type: string, keepModel = false): Promise<void> {
    const trial = this.#trials.get(type);
    if (!trial) return;
    this.#trials.delete(type);
    this.#failures.delete(trial);
    await this.#options.scorer.dismiss(type);
    if (trial.kind === 'shadow' && !keepModel) await trial.run.model.detector[Symbol.asyncDispose]();
  }

  /** What was counted is of no use any more. Never fails: at worst a start finds it, of an order that is done. */
  async forget(type: string): Promise<void> {
    const { store, log } = this.#options;
    await store.saveTrial(type, undefined).catch((error: unknown) => {
      log.warn({ type, err: error }, 'what a trial has counted could not be deleted');
    });
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
    const { scorer, onTaken } = this.#options;
    this.#trials.set(trial.type, trial);
    scorer.observe(trial.type, trial.run, error => {
      this.#failures.set(trial, messageOf(error));
      onTaken();
    });
  }

  /** A candidate that cannot score is none; a model that nobody can watch stays. */
  #failed(trial: Trial): Ripe | undefined {
    const text = this.#failures.get(trial);
    if (text === undefined) return undefined;
    return trial.kind === 'watch'
      ? { trial, verdict: 'stays' }
      : { trial, verdict: { reason: `It failed at rows that it was to score: ${text}` } };
  }

  async #saved(type: string, order: string): Promise<SavedTrial | undefined> {
    const { data } = trialSchema.safeParse(await this.#options.store.savedTrial(type));
    return data?.order === order ? data : undefined;
  }
}

function judged(trial: Trial): Ripe | undefined {
  if (trial.kind === 'shadow') {
    const verdict = judgeShadow(trial.policy, trial.run.counts);
    return verdict === 'more' ? undefined : { trial, verdict };
  }
  const verdict = judgeWatch(trial.limits, trial.run.counts);
  return verdict === 'more' ? undefined : { trial, verdict };
}

type SavedWatch = NonNullable<SavedTrial['watch']>;

function savedOf(trial: Trial): SavedTrial {
  const { order } = trial;
  if (trial.kind === 'shadow') return { order, shadow: trial.run.counts };
  const { limits } = trial;
  return { order, watch: { limits, counts: trial.run.counts, maxGapMs: trial.run.maxGapMs } };
}
