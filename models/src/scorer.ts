import type { RecordBatch, Stage } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import { type Card, maxGapMsOf } from './card.js';
import type { LoadedModel } from './engines.js';
import { type Judge, judgeBy } from './judge.js';
import type { Judgement } from './judgement.js';
import type { DeviceMemory } from './memory.js';
import { packState, unpackState } from './scorer-state.js';
import { lackingFields, SeenSchemas } from './seen-schemas.js';
import type { Observer, Verdict } from './shadow.js';
import { SurpriseJudge, type SurpriseOptions } from './surprise/surprise-judge.js';

export interface ScorerOptions {
  readonly models: readonly LoadedModel[];
  readonly log: Logger;
  /** Of every batch that a model judged, before anything else is done with it. Must not throw. */
  readonly onJudged?: (batch: RecordBatch, judgement: Judgement, card: Card) => void;
  /** Fields that no model looks at are watched for surprises; without it they pass untouched. */
  readonly surprises?: Pick<SurpriseOptions, 'alarmsADay' | 'deviceTypes' | 'except'>;
}

interface Looking {
  readonly observer: Observer;
  readonly onFailure: (error: unknown) => void;
}

/** Under which `save` keeps what the surprises remember: no revision of a model. */
const surpriseRevision = 'surprises';

/**
 * Scores batches with the model of their device type. Batches of other types, and those whose schema lacks a field that
 * the model needs, are watched for surprises, or pass untouched. Owns its detectors.
 *
 * Batches are scored one after the other even if `process` is called by several sources at once, because a
 * device's score depends on the rows before it.
 */
export class Scorer implements Stage, AsyncDisposable {
  readonly #runs = new Map<string, Judge>();
  readonly #log: Logger;
  readonly #onJudged: ScorerOptions['onJudged'];
  readonly #warned = new Set<string>();
  /** Types whose model has failed and was told. */
  readonly #failed = new Set<string>();
  /** Of all batches so far, scored or not. */
  readonly seen = new SeenSchemas();
  readonly #observers = new Map<string, Looking>();
  #last: Promise<unknown> = Promise.resolve();

  #surprises: SurpriseJudge | undefined;
  readonly #surpriseOptions: ScorerOptions['surprises'];

  constructor({ models, log, onJudged, surprises }: ScorerOptions) {
    this.#log = log;
    this.#surpriseOptions = surprises;
    this.#surprises = this.#newSurprises();
    this.#onJudged = onJudged;
    for (const model of models) this.#runs.set(model.bundle.card.deviceType, judgeBy(model));
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
    const type = model.bundle.card.deviceType;
    return this.#inTurn(() => this.#replace(type, judgeBy(model)));
  }

  /** As `swap`: later batches of this type pass unscored. */
  drop(type: string): Promise<void> {
    return this.#inTurn(() => this.#replace(type, undefined));
  }

  /**
   * From the next batch of this type on, after it has gone its way. One that throws looks on no more.
   * @param onFailure  told what it threw, unless it had been dismissed by then
   */
  observe(type: string, observer: Observer, onFailure: (error: unknown) => void = () => undefined): void {
    this.#observers.set(type, { observer, onFailure });
  }

  /** Nobody looks on any more. Resolves once the one who did has come to the end of what it was looking at. */
  dismiss(type: string): Promise<void> {
    this.#observers.delete(type);
    return this.#inTurn(async () => undefined);
  }

  /**
   * Fields for want of which devices that have been seen would not be scored by it, though now they are, or though
   * nothing would be then. Empty = it fits.
   */
  misfit({ bundle }: LoadedModel): string[] {
    const { deviceType, fields } = bundle.card;
    const former = this.#runs.get(deviceType)?.model.bundle.card.fields;
    const lacking = this.seen.of(deviceType).map(schema => lackingFields(fields, schema));
    const scoredNow = this.seen
      .of(deviceType)
      .map(schema => former !== undefined && lackingFields(former, schema).length === 0);
    const lost = lacking.filter((missing, i) => missing.length > 0 && scoredNow[i]);
    const useless = lacking.length > 0 && lacking.every(missing => missing.length > 0);
    return [...new Set((useless ? lacking : lost).flat())];
  }

  /** What it remembers of devices, once the batches already handed over are scored. */
  save(): Promise<Uint8Array> {
    return this.#inTurn(async () =>
      packState([
        ...[...this.#runs].map(([type, run]) => ({ type, revision: revisionOf(run), devices: run.save() })),
        ...(this.#surprises?.save() ?? []).map(saved => ({ ...saved, revision: surpriseRevision })),
      ]),
    );
  }

  /**
   * Devices go on where they were, if the same version of the program saved it and the same revision of their model
   * is in use. Those of which nothing was saved or can be used warm up, which is logged. Never fails. Before the
   * first batch.
   * @param nowMs  a device whose newest row lies much later than this would hold all its rows for late ones
   */
  async load(saved: Uint8Array, nowMs: number): Promise<void> {
    await this.#inTurn(async () => {
      for (const { type, revision, devices } of unpackState(saved)) {
        const run = this.#runs.get(type);
        if (revision === surpriseRevision) this.#surprises?.load({ type, devices }, nowMs);
        else if (run && revisionOf(run) === revision) this.#goOn(run, devices, nowMs);
        else this.#log.info({ type, revision }, 'devices warm up: another model looks at them now');
      }
    }).catch((error: unknown) => {
      this.#surprises = this.#newSurprises();
      this.#log.warn({ error: messageOf(error) }, 'devices warm up: what was saved of them cannot be used');
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

  #goOn({ model }: Judge, devices: readonly DeviceMemory[], nowMs: number): void {
    const { card } = model.bundle;
    const run = judgeBy(model);
    run.load(devices.filter(({ newestMs }) => newestMs <= nowMs + maxGapMsOf(card)));
    this.#runs.set(card.deviceType, run);
  }

  async #replace(type: string, run: Judge | undefined): Promise<void> {
    const former = this.#runs.get(type);
    if (run) this.#runs.set(type, run);
    else this.#runs.delete(type);
    if (run) this.#surprises?.forget(type);
    this.#warned.delete(type);
    this.#failed.delete(type);
    await former?.model.detector[Symbol.asyncDispose]();
  }

  async #score(batch: RecordBatch): Promise<RecordBatch> {
    this.seen.note(batch.schema);
    const run = this.#runs.get(batch.schema.type);
    if (batch.time.length === 0) return batch;
    const lacking = run ? lackingFields(run.model.bundle.card.fields, batch.schema) : [];
    if (lacking.length > 0) this.#warnOnce(batch.schema.type, lacking);
    if (!run || lacking.length > 0) {
      this.#show(batch, undefined);
      return this.#watched(batch);
    }
    const judgement = await this.#judged(run, batch);
    if (!judgement) {
      this.#show(batch, undefined);
      return batch;
    }
    this.#onJudged?.(batch, judgement, run.model.bundle.card);
    this.#show(batch, judgement);
    return merged(batch, judgement, run.model.detector.revision);
  }

  #watched(batch: RecordBatch): RecordBatch {
    try {
      const judgement = this.#surprises?.judge(batch);
      return judgement ? merged(batch, judgement) : batch;
    } catch (error) {
      this.#log.error({ err: error }, 'surprises fail; rows without a model pass unscored from now on');
      this.#surprises = undefined;
      return batch;
    }
  }

  #newSurprises(): SurpriseJudge | undefined {
    const onFull = (device: string, maxFields: number) =>
      this.#log.warn(
        { device, maxFields },
        'further fields are not watched for surprises: leave out device types with surprises.except, or give them models',
      );
    return this.#surpriseOptions && new SurpriseJudge({ ...this.#surpriseOptions, onFull });
  }

  /** Readings matter more than scores: what a model fails at passes unscored. */
  async #judged(run: Judge, batch: RecordBatch): Promise<Judgement | undefined> {
    try {
      return await run.judge(batch);
    } catch (error) {
      const { type } = batch.schema;
      if (!this.#failed.has(type))
        this.#log.error({ type, err: error }, 'the model fails; rows pass unscored');
      this.#failed.add(type);
      return undefined;
    }
  }

  /** In its own turn, behind batches that wait already: what is scored does not wait for who looks on. */
  #show(batch: RecordBatch, judgement: Judgement | undefined): void {
    const { type } = batch.schema;
    const looking = this.#observers.get(type);
    if (!looking) return;
    // Flags of rules are put into the judgement's own.
    const verdict: Verdict | undefined = judgement && { ...judgement, anomaly: judgement.anomaly.slice() };
    const look = async () => {
      if (this.#observers.get(type) === looking) await looking.observer.take(batch, verdict);
    };
    void this.#inTurn(look).catch((error: unknown) => {
      this.#log.error({ type, err: error }, 'whoever looked on at the scoring has failed');
      if (this.#observers.get(type) !== looking) return;
      this.#observers.delete(type);
      looking.onFailure(error);
    });
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

function revisionOf({ model }: Judge): string {
  return model.detector.revision;
}

/** Four decimals: more mean nothing, and would be a fifth of what a row takes on its way. */
function rounded(score: number): number {
  return Math.round(score * 1e4) / 1e4;
}

/** Adds a judgement to what rules may have said already: the larger score, either flag, all evidence. */
function merged(batch: RecordBatch, judgement: Judgement, revision?: string): RecordBatch {
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
    ...(revision !== undefined && { model: revision }),
    ...(evidence.length > 0 && { evidence }),
  };
}
