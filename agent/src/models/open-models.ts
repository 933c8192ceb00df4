/** Which models an agent starts with. It always starts: readings matter more than scores. */
import { type EngineName, type LoadedModel, openModel } from '@edgeward/models/engines';
import type { AgentEvent } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { loadModels } from '../models.js';
import type { ModelStore } from './store.js';

export type Notice = Pick<AgentEvent, 'kind' | 'text' | 'details'>;

export interface ModelOptions {
  readonly store: ModelStore;
  /** Of bundles, as configured. */
  readonly folders: readonly string[];
  readonly engine: EngineName;
  readonly log: Logger;
  readonly onEvent: (event: Notice) => void;
}

export interface OpenedModels {
  readonly models: readonly LoadedModel[];
  /** Device type → the folder that the configuration names for it, if that could be used. */
  readonly configured: ReadonlyMap<string, string>;
}

/** What the collector sent goes before what is configured. */
export async function openModels(options: ModelOptions): Promise<OpenedModels> {
  const { store, folders, engine, log, onEvent } = options;
  const models = new Map<string, LoadedModel>();
  const configured = new Map<string, string>();
  for (const folder of folders)
    for (const model of await loadModels([folder], engine, log, onEvent)) {
      const { deviceType } = model.bundle.card;
      await models.get(deviceType)?.detector[Symbol.asyncDispose]();
      models.set(deviceType, model);
      configured.set(deviceType, folder);
    }
  for (const type of store.types) {
    const stored = await openStored(type, options);
    if (!stored) continue;
    await models.get(type)?.detector[Symbol.asyncDispose]();
    models.set(type, stored);
  }
  return { models: [...models.values()], configured };
}

/** The active version; where it is damaged or does not do what it should, the one before it. */
export async function openStored(
  type: string,
  options: Omit<ModelOptions, 'folders'>,
): Promise<LoadedModel | undefined> {
  const { store, engine, log } = options;
  for (;;) {
    const { active } = store.stateOf(type);
    if (active === null) return undefined;
    const damage = await failureOf(() => store.check(type, active));
    if (damage) {
      // Its order stands: it is fetched again.
      await store.fallBack(type, null, true);
      tell(options, type, active, 'is damaged on this disk and is fetched again', damage);
      continue;
    }
    const open = () => openModel(store.folderOf(type, active), { engine, log });
    const opened = await store.opening(type, active, open).catch(asError);
    if (!(opened instanceof Error)) return opened;
    await giveUp(type, opened, store);
    tell(options, type, active, 'cannot be used any more', opened);
  }
}

/** It is what was sent, and still no use: not again by the same order. */
async function giveUp(type: string, error: Error, store: ModelStore): Promise<void> {
  const { outcome } = store.stateOf(type);
  const why = { ...codeOf(error), text: error.message.slice(0, 400) };
  await store.fallBack(type, outcome && { ...outcome, state: 'rolled-back', ...why }, true);
}

function tell(
  { log, onEvent }: Pick<ModelOptions, 'log' | 'onEvent'>,
  type: string,
  bundle: string,
  what: string,
  error: Error,
): void {
  log.error({ type, bundle, error: error.message }, 'stored model is not used');
  onEvent({
    kind: 'model',
    text: `The model for ${type} ${what}; the one before it goes on.`,
    details: { type, bundle, error: error.message.slice(0, 400) },
  });
}

async function failureOf(act: () => Promise<void>): Promise<Error | undefined> {
  return act().then(() => undefined, asError);
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error));
}

export function codeOf(error: unknown): { readonly code?: string } {
  return error instanceof EdgewardError ? { code: error.code } : {};
}
