/**
 * The models that the collector sent, on this gateway's disk. For each device type: the version that is active, the
 * one before it, and at most one candidate. `state.json` alone says which is which and is replaced whole, so whatever
 * moment the process is killed at, the next start finds the former version or the new one, both complete.
 *
 *     <type>/state.json   <type>/versions/<bundle>/…   <type>/incoming/<bundle>/…   <type>/opening/<bundle>
 */
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { EdgewardError } from '@edgeward/shared/errors';
import { failpoint } from '@edgeward/shared/failpoint';
import { isAbsent, makeFolder, removeFolder, syncFolder, writeFileAtomic } from '@edgeward/shared/files';
import type { Logger } from '@edgeward/shared/log';
import { bundleIdOf, bundlePattern, type ModelManifest } from '@edgeward/shared/models/manifest';
import { namePattern } from '@edgeward/shared/topics';
import { z } from 'zod';
import { checkFiles, refusal } from './check-files.js';
import { Incoming } from './incoming.js';

const bundleSchema = z.string().regex(bundlePattern);

const stateSchema = z.object({
  format: z.literal(1),
  /** Null = what the configuration of this gateway names. */
  active: bundleSchema.nullable(),
  previous: bundleSchema.nullable(),
  /** Complete, and not active. */
  candidate: bundleSchema.nullable(),
  /** What came of the collector's last order. */
  outcome: z
    .object({
      order: z.string(),
      revision: z.string().nullable(),
      state: z.enum(['active', 'refused', 'rolled-back']),
      code: z.string().exactOptional(),
      text: z.string().exactOptional(),
    })
    .nullable(),
});
export type TypeState = z.output<typeof stateSchema>;
export type Outcome = NonNullable<TypeState['outcome']>;

/** A process that ends so often while it opens a bundle ends of it. */
const openingTries = 2;

const nothing: TypeState = { format: 1, active: null, previous: null, candidate: null, outcome: null };

export class ModelStore {
  readonly #directory: string;
  readonly #log: Logger;
  readonly #states = new Map<string, TypeState>();

  private constructor(directory: string, log: Logger) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Never fails: what cannot be read is as good as not there, and the agent starts without it. */
  static async open(directory: string, log: Logger): Promise<ModelStore> {
    const store = new ModelStore(directory, log);
    for (const type of await names(directory)) if (namePattern.test(type)) await store.#load(type);
    return store;
  }

  get types(): string[] {
    return [...this.#states.keys()];
  }

  stateOf(type: string): TypeState {
    return this.#states.get(type) ?? nothing;
  }

  folderOf(type: string, bundle: string): string {
    return path.join(this.#directory, type, 'versions', bundle);
  }

  /** Whole and unaltered. @throws EW_MODEL_BUNDLE */
  async check(type: string, bundle: string): Promise<void> {
    const manifest = await checkFiles(this.folderOf(type, bundle));
    if (manifest.type !== type || bundleIdOf(manifest) !== bundle)
      throw refusal('manifest.json is of another bundle');
  }

  has(type: string, bundle: string): Promise<boolean> {
    return this.check(type, bundle).then(
      () => true,
      () => false,
    );
  }

  /** Goes on with what an earlier try has left. */
  async receive(manifest: ModelManifest): Promise<Incoming> {
    const folder = path.join(this.#directory, manifest.type, 'incoming', bundleIdOf(manifest));
    await makeFolder(folder);
    return Incoming.open(folder, manifest);
  }

  /** From here on it is a version, whole. @throws EW_MODEL_BUNDLE for a file that is not what the manifest says */
  async accept(incoming: Incoming): Promise<void> {
    const { type } = incoming.manifest;
    const bundle = bundleIdOf(incoming.manifest);
    await incoming.finish();
    const target = this.folderOf(type, bundle);
    await removeFolder(target);
    await makeFolder(path.dirname(target));
    failpoint('models.before-version');
    await rename(incoming.folder, target);
    await syncFolder(path.dirname(target));
    await syncFolder(path.dirname(incoming.folder));
    failpoint('models.after-version');
    await this.#set(type, { candidate: bundle });
  }

  /** The switch: until it resolves the former is active, also after a kill. */
  async activate(type: string, bundle: string | null, outcome: Outcome): Promise<void> {
    const { active, previous } = this.stateOf(type);
    failpoint('models.before-switch');
    const former = active === bundle ? previous : active;
    await this.#set(type, { active: bundle, previous: former, candidate: null, outcome });
    failpoint('models.after-switch');
    await this.#prune(type);
  }

  /** What came of an order that changed nothing. */
  async note(type: string, outcome: Outcome): Promise<void> {
    await this.#set(type, { candidate: null, outcome });
    await this.#unmark(type);
    await this.#prune(type);
  }

  /**
   * The active version cannot be used: the one before it is active now.
   * @param forget  its files are of no use
   * @returns whether the next start knows it, too
   */
  async fallBack(type: string, outcome: Outcome | null, forget: boolean): Promise<boolean> {
    const { active, previous } = this.stateOf(type);
    const change = { active: previous, previous: null, outcome };
    try {
      await this.#set(type, change);
    } catch (error) {
      // A disk that takes nothing keeps no gateway from reading; the next start finds out the same.
      this.#log.error({ type, err: error }, 'which model is active cannot be kept');
      this.#states.set(type, { ...this.stateOf(type), ...change });
      return false;
    }
    await this.#unmark(type);
    if (forget && active) await this.#remove(this.folderOf(type, active));
    await this.#prune(type);
    return true;
  }

  /**
   * Opens a version under a mark that a process which dies of it leaves behind: native code that crashes, memory that
   * does not suffice. Once may have been a power cut. @throws EW_MODEL_BUNDLE after that, without opening it
   */
  async opening<T>(type: string, bundle: string, open: () => Promise<T>): Promise<T> {
    const folder = this.#marks(type);
    const mark = path.join(folder, bundle);
    const before = Number((await jsonOf(mark)) ?? 0);
    if (before >= openingTries)
      throw new EdgewardError(
        'EW_MODEL_BUNDLE',
        `The agent ended ${before} times while it opened it: assign another, or the same to have it tried again.`,
      );
    // Where nothing can be marked, models are used all the same.
    await makeFolder(folder)
      .then(() => writeFileAtomic(mark, String(before + 1)))
      .catch((error: unknown) => this.#log.warn({ type, err: error }, 'a model is opened without a mark'));
    try {
      return await open();
    } finally {
      await this.#unmark(type, bundle);
    }
  }

  /** What an earlier order has left half fetched goes. */
  async keepIncoming(type: string, bundle: string | undefined): Promise<void> {
    const folder = path.join(this.#directory, type, 'incoming');
    for (const name of await names(folder)) if (name !== bundle) await removeFolder(path.join(folder, name));
  }

  /** What a trial has counted; undefined forgets it. */
  async saveTrial(type: string, trial: object | undefined): Promise<void> {
    const file = path.join(this.#directory, type, 'trial.json');
    if (trial) await writeFileAtomic(file, `${JSON.stringify(trial)}\n`);
    else await rm(file, { force: true });
  }

  /** As it was saved; undefined if it cannot be read. */
  async savedTrial(type: string): Promise<unknown> {
    return jsonOf(path.join(this.#directory, type, 'trial.json'));
  }

  async #set(type: string, change: Partial<TypeState>): Promise<void> {
    const state = { ...this.stateOf(type), ...change };
    await makeFolder(path.join(this.#directory, type));
    await writeFileAtomic(this.#stateFile(type), `${JSON.stringify(state)}\n`);
    this.#states.set(type, state);
  }

  /** What no state names is left over from a kill, or has had its time. */
  async #prune(type: string): Promise<void> {
    const { active, previous, candidate } = this.stateOf(type);
    const folder = path.join(this.#directory, type, 'versions');
    for (const name of await names(folder))
      if (name !== active && name !== previous && name !== candidate)
        await this.#remove(path.join(folder, name));
  }

  /** What cannot be deleted is in nobody's way. */
  async #remove(folder: string): Promise<void> {
    await removeFolder(folder).catch((error: unknown) => {
      this.#log.warn({ folder, err: error }, 'a model that is used no more could not be deleted');
    });
  }

  /** @param bundle  none: of all of them */
  async #unmark(type: string, bundle = ''): Promise<void> {
    const folder = this.#marks(type);
    await removeFolder(path.join(folder, bundle))
      .then(() => syncFolder(bundle ? folder : path.dirname(folder)))
      .catch((error: unknown) => {
        if (!isAbsent(error)) this.#log.warn({ type, err: error }, 'the mark of an opening stays');
      });
  }

  async #load(type: string): Promise<void> {
    try {
      const json: unknown = JSON.parse(await readFile(this.#stateFile(type), 'utf8'));
      this.#states.set(type, stateSchema.parse(json));
    } catch (error) {
      this.#log.warn({ type, err: error }, 'the state of the models of this type is lost; as configured');
    }
  }

  #stateFile(type: string): string {
    return path.join(this.#directory, type, 'state.json');
  }

  /** A file for each bundle that is being opened: how many processes have tried. */
  #marks(type: string): string {
    return path.join(this.#directory, type, 'opening');
  }
}

/** Undefined if it cannot be read. */
async function jsonOf(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
