/**
 * The model bundles that this collector hands to its gateways: `bundles/<id>/`, complete or not there. A bundle is
 * checked here as an agent checks it, so that what cannot work is refused where it is added.
 */
import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openModel } from '@edgeward/models/engines';
import type { Clock } from '@edgeward/shared/contracts';
import { detailOf, EdgewardError, messageOf } from '@edgeward/shared/errors';
import { makeFolder, removeFolder, syncFolder, writeFileAtomic } from '@edgeward/shared/files';
import type { Logger } from '@edgeward/shared/log';
import {
  bundleIdOf,
  bundlePattern,
  type ModelManifest,
  manifestOf,
  manifestSchema,
} from '@edgeward/shared/models/manifest';
import { z } from 'zod';

const recordSchema = z.object({ manifest: manifestSchema, name: z.string(), addedMs: z.number() });

export interface Registered extends z.output<typeof recordSchema> {
  readonly id: string;
}

/** Of those that nobody is to run and that no rollback leads to; the oldest go. */
const maxUnused = 32;
const recordName = 'manifest.json';

export class ModelRegistry {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #bundles = new Map<string, Registered>();

  private constructor(directory: string, clock: Clock, log: Logger) {
    this.#directory = path.join(directory, 'bundles');
    this.#clock = clock;
    this.#log = log;
  }

  /** What cannot be read is told and left out. */
  static async open(directory: string, clock: Clock, log: Logger): Promise<ModelRegistry> {
    const registry = new ModelRegistry(directory, clock, log);
    for (const name of await readdir(registry.#directory).catch(() => []))
      if (bundlePattern.test(name)) await registry.#load(name);
      else await removeFolder(path.join(registry.#directory, name)); // half added when the process ended
    return registry;
  }

  /** Newest first. */
  all(): Registered[] {
    return [...this.#bundles.values()].sort((a, b) => b.addedMs - a.addedMs);
  }

  get(id: string): Registered | undefined {
    return this.#bundles.get(id);
  }

  /** The newest bundle with this revision. */
  find(type: string, revision: string): Registered | undefined {
    return this.all().find(({ manifest }) => manifest.type === type && manifest.revision === revision);
  }

  /**
   * Durable when it resolves. Adding it again changes nothing but what was damaged on the disk.
   * @throws EW_MODEL_BUNDLE, EW_MODEL_GOLDEN
   */
  async add(files: Readonly<Record<string, Uint8Array>>): Promise<Registered> {
    checkNames(files);
    const fresh = path.join(this.#directory, `.new-${randomBytes(8).toString('hex')}`);
    await makeFolder(fresh);
    try {
      for (const [name, data] of Object.entries(files)) await writeSynced(path.join(fresh, name), data);
      const added = await this.#check(fresh, files);
      const known = this.#bundles.get(added.id);
      if (known && (await isWhole(path.join(this.#directory, known.id), files))) return known;
      await this.#keep(fresh, added);
      return added;
    } finally {
      await removeFolder(fresh);
    }
  }

  /** @throws what the file system says */
  async read(id: string, name: string, offset: number, bytes: number): Promise<Uint8Array> {
    await using file = await open(path.join(this.#directory, id, name));
    const data = Buffer.alloc(bytes);
    const { bytesRead } = await file.read(data, 0, bytes, offset);
    return data.subarray(0, bytesRead);
  }

  /** @param used  ids that must stay */
  async prune(used: ReadonlySet<string>): Promise<void> {
    const unused = this.all().filter(({ id }) => !used.has(id));
    for (const { id } of unused.slice(maxUnused)) {
      this.#bundles.delete(id);
      await removeFolder(path.join(this.#directory, id));
    }
  }

  async #check(folder: string, files: Readonly<Record<string, Uint8Array>>): Promise<Registered> {
    const { card } = await cardOf(folder, this.#log);
    const { deviceType: type, revision, name } = card;
    const parsed = manifestSchema.safeParse(manifestOf({ type, revision }, files));
    if (!parsed.success) throw refusal(oneLine(z.prettifyError(parsed.error)));
    return { id: bundleIdOf(parsed.data), manifest: parsed.data, name, addedMs: this.#clock.now() };
  }

  async #keep(fresh: string, added: Registered): Promise<void> {
    const { id, ...record } = added;
    await writeFileAtomic(path.join(fresh, recordName), `${JSON.stringify(record)}\n`);
    const target = path.join(this.#directory, id);
    await removeFolder(target);
    await rename(fresh, target);
    await syncFolder(this.#directory);
    this.#bundles.set(id, added);
  }

  async #load(id: string): Promise<void> {
    const folder = path.join(this.#directory, id);
    try {
      const json: unknown = JSON.parse(await readFile(path.join(folder, recordName), 'utf8'));
      const { data: record, error } = recordSchema.safeParse(json);
      if (error) throw new Error(oneLine(z.prettifyError(error)));
      await checkSizes(folder, record.manifest);
      if (bundleIdOf(record.manifest) === id) this.#bundles.set(id, { id, ...record });
    } catch (error) {
      this.#log.error(
        { bundle: id, error: messageOf(error) },
        'a model bundle cannot be handed out, and is left aside',
      );
    }
  }
}

async function isWhole(folder: string, files: Readonly<Record<string, Uint8Array>>): Promise<boolean> {
  for (const [name, data] of Object.entries(files)) {
    const kept = await readFile(path.join(folder, name)).catch(() => undefined);
    if (!kept || Buffer.compare(kept, data) !== 0) return false;
  }
  return true;
}

/** Agents take nothing that is not what the manifest says; this only spares them the way. */
async function checkSizes(folder: string, { files }: ModelManifest): Promise<void> {
  for (const { name, bytes } of files)
    if ((await stat(path.join(folder, name))).size !== bytes)
      throw new Error(`${name} has another size; add the bundle again`);
}

/** Before they become paths. */
function checkNames(files: Readonly<Record<string, Uint8Array>>): void {
  const { error } = manifestSchema.safeParse(manifestOf({ type: 'any', revision: '0'.repeat(12) }, files));
  if (error) throw refusal(oneLine(z.prettifyError(error)));
}

async function cardOf(folder: string, log: Logger) {
  try {
    const { bundle, detector } = await openModel(folder, { engine: 'typescript', log });
    await detector[Symbol.asyncDispose]();
    return bundle;
  } catch (error) {
    if (!(error instanceof EdgewardError)) throw error;
    const text = error.message.replaceAll(`${folder}: `, '').replaceAll(`${folder}${path.sep}`, '');
    throw new EdgewardError(error.code, detailOf(error.code, text), { cause: error });
  }
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}

async function writeSynced(file: string, data: Uint8Array): Promise<void> {
  await writeFile(file, data, { mode: 0o600 });
  await using handle = await open(file, 'r+');
  await handle.sync();
}

function refusal(what: string): EdgewardError {
  return new EdgewardError('EW_MODEL_BUNDLE', `${what}. Train or copy the bundle again.`);
}
