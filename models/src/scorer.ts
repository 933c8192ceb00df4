import type { RecordBatch, Stage } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import type { LoadedModel } from './engines.js';
import { type Judgement, ModelRun } from './model-run.js';

export interface ScorerOptions {
  readonly models: readonly LoadedModel[];
  readonly log: Logger;
}

/**
 * Scores batches with the model of their device type. Batches of other types pass untouched, and so do those
 * whose schema lacks a field that the model needs. Owns its detectors.
 *
 * Batches are scored one after the other even if `process` is called by several sources at once, because a
 * device's score depends on the rows before it.
 */
export class Scorer implements Stage, AsyncDisposable {
  readonly #runs = new Map<string, ModelRun>();
  readonly #log: Logger;
  readonly #warned = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();

  constructor({ models, log }: ScorerOptions) {
    this.#log = log;
    for (const model of models) this.#runs.set(model.bundle.card.deviceType, new ModelRun(model));
  }

  /** Device type → revision in use. */
  get revisions(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#runs].map(([type, run]) => [type, run.model.detector.revision]));
  }

  process(batch: RecordBatch): Promise<RecordBatch> {
    return this.#inTurn(() => this.#score(batch));
  }

  /**
   * Takes effect once the batches already handed over are scored; later ones see the new model only. Devices warm
   * up again, for the new model may look at other features. Resolves when the old detector is disposed.
   */
  swap(model: LoadedModel): Promise<void> {
    return this.#inTurn(async () => {
      const type = model.bundle.card.deviceType;
      const former = this.#runs.get(type);
      this.#runs.set(type, new ModelRun(model));
      await former?.model.detector[Symbol.asyncDispose]();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#inTurn(async () => {
      const runs = [...this.#runs.values()];
      this.#runs.clear();
      await Promise.all(runs.map(run => run.model.detector[Symbol.asyncDispose]()));
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #score(batch: RecordBatch): Promise<RecordBatch> {
    const run = this.#runs.get(batch.schema.type);
    if (!run || batch.time.length === 0) return batch;
    const lacking = run.lacking(batch);
    if (lacking.length > 0) {
      this.#warnOnce(batch.schema.type, lacking);
      return batch;
    }
    return merged(batch, await run.judge(batch), run.model.detector.revision);
  }

  #warnOnce(type: string, fields: readonly string[]): void {
    if (this.#warned.has(type)) return;
    this.#warned.add(type);
    this.#log.warn(
      { type, fields },
      'rows are not scored: the model needs fields that the devices do not have',
    );
  }
}

/** Four decimals: more mean nothing, and would be a fifth of what a row takes on its way. */
function rounded(score: number): number {
  return Math.round(score * 1e4) / 1e4;
}

/** Adds the model's judgement to what rules may have said already: the larger score, either flag, all evidence. */
function merged(batch: RecordBatch, judgement: Judgement, revision: string): RecordBatch {
  const { score, anomaly, warmUp } = judgement;
  const quality = warmUp.includes(1) ? batch.quality.slice() : batch.quality;
  for (let r = 0; r < score.length; r++) {
    if (warmUp[r]) quality[r]! |= Quality.warmUp;
    const before = batch.score?.[r] ?? Number.NaN;
    score[r] = before > score[r]! || Number.isNaN(score[r]!) ? before : rounded(score[r]!);
    if (batch.anomaly?.[r]) anomaly[r] = 1;
  }
  const found = judgement.evidence.map(one => ({ ...one, score: rounded(one.score) }));
  const evidence = [...(batch.evidence ?? []), ...found];
  return {
    ...batch,
    quality,
    score,
    anomaly,
    model: revision,
    ...(evidence.length > 0 && { evidence }),
  };
}
