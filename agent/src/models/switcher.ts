/** Makes another model the active one: first in the store, so that a kill finds it there, then between two batches. */
import { type LoadedModel, openModel } from '@edgeward/models/engines';
import type { Scorer } from '@edgeward/models/scorer';
import { asError, type ModelOptions, openStored } from './open-models.js';
import type { Outcome } from './store.js';

export interface SwitcherOptions extends Omit<ModelOptions, 'folders'> {
  readonly scorer: Scorer;
  /** Device type → folder. */
  readonly configured: ReadonlyMap<string, string>;
}

export class Switcher {
  readonly #options: SwitcherOptions;

  constructor(options: SwitcherOptions) {
    this.#options = options;
  }

  /**
   * If it throws, nothing has changed, and the model is still the caller's.
   * @param bundle  null = as configured
   */
  async activate(
    type: string,
    bundle: string | null,
    model: LoadedModel | undefined,
    outcome: Outcome,
  ): Promise<void> {
    const { store, scorer, log, onEvent } = this.#options;
    const former = scorer.revisions[type] ?? 'none';
    await store.activate(type, bundle, outcome);
    await this.#swap(type, model);
    const revision = scorer.revisions[type] ?? 'none';
    log.info({ type, revision, former }, 'model switched');
    onEvent({
      kind: 'model',
      text: `The model for ${type} is ${revision} now; it was ${former}.`,
      details: { type, revision, former },
    });
  }

  async activateConfigured(type: string, outcome: Outcome): Promise<void> {
    const { configured, engine, log } = this.#options;
    const folder = configured.get(type);
    const model = folder === undefined ? undefined : await openModel(folder, { engine, log });
    await orDispose(model, () => this.activate(type, null, model, outcome));
  }

  /** To the version before; below it is what is configured. @returns whether the next start knows it, too */
  async fallBack(type: string, outcome: Outcome): Promise<boolean> {
    const { store, configured, engine, log, onEvent } = this.#options;
    const kept = await store.fallBack(type, outcome, false);
    const folder = configured.get(type);
    const stored = await openStored(type, this.#options);
    const former =
      stored ?? (folder === undefined ? undefined : await openModel(folder, { engine, log }).catch(asError));
    if (former instanceof Error)
      log.error({ type, error: former.message }, 'the configured model is not used');
    await this.#swap(type, former instanceof Error ? undefined : former);
    onEvent({
      kind: 'model',
      text: `The model for ${type} gave way to the one before it: ${outcome.text}`.slice(0, 900),
      details: { type, revision: outcome.revision },
    });
    return kept;
  }

  async #swap(type: string, model: LoadedModel | undefined): Promise<void> {
    const { scorer, log } = this.#options;
    // The new one is in its place by then, whatever its former does at its end.
    await (model ? scorer.swap(model) : scorer.drop(type)).catch((error: unknown) =>
      log.warn({ type, err: error }, 'the former model did not end as it should'),
    );
  }
}

/** The model is of no use where the switch to it fails. */
export async function orDispose<T>(model: LoadedModel | undefined, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    await model?.detector[Symbol.asyncDispose]();
    throw error;
  }
}
