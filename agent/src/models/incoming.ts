/** A bundle that is being received: what has come is on disk, so that a cut or a restart costs little of it. */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { failpoint } from '@edgeward/shared/failpoint';
import { syncFolder, writeFileAtomic } from '@edgeward/shared/files';
import { bytesOf, type ModelFile, type ModelManifest } from '@edgeward/shared/models/manifest';
import { checkFile, manifestName } from './check-files.js';

/** So much at most is fetched again after a power cut. */
const syncEveryBytes = 256 * 1024;

export class Incoming {
  readonly folder: string;
  readonly manifest: ModelManifest;
  /** Bytes of each file that are there. */
  readonly #have = new Map<string, number>();
  /** Of these something was there before this try. */
  readonly #resumed = new Set<string>();
  #open: { readonly name: string; readonly handle: FileHandle } | undefined;
  #unsynced = 0;

  private constructor(folder: string, manifest: ModelManifest) {
    this.folder = folder;
    this.manifest = manifest;
  }

  static async open(folder: string, manifest: ModelManifest): Promise<Incoming> {
    const incoming = new Incoming(folder, manifest);
    for (const file of manifest.files) await incoming.#find(file);
    return incoming;
  }

  get doneBytes(): number {
    return [...this.#have.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  get bytes(): number {
    return bytesOf(this.manifest);
  }

  /** Where to go on; undefined = all of it is there. */
  get next(): { readonly file: string; readonly offset: number; readonly left: number } | undefined {
    for (const { name, bytes } of this.manifest.files) {
      const offset = this.#have.get(name) ?? 0;
      if (offset < bytes) return { file: name, offset, left: bytes - offset };
    }
    return undefined;
  }

  /** The piece that `next` named, or the first part of it. */
  async write(data: Uint8Array): Promise<void> {
    const { next } = this;
    if (!next || data.length === 0 || data.length > next.left) throw new RangeError('not the next piece');
    const handle = await this.#handleOf(next.file);
    await handle.write(data, 0, data.length, next.offset);
    this.#have.set(next.file, next.offset + data.length);
    this.#unsynced += data.length;
    if (this.#unsynced >= syncEveryBytes || data.length === next.left) await this.#sync(handle);
    failpoint('models.after-part');
  }

  /**
   * All files as the manifest says, under their names. One that is wrong is gone afterwards.
   * @throws EW_MODEL_BUNDLE
   */
  async finish(): Promise<void> {
    await this.close();
    for (const file of this.manifest.files) {
      const part = this.#part(file.name);
      try {
        await checkFile(part, file);
      } catch (error) {
        await rm(part, { force: true });
        this.#have.set(file.name, 0);
        throw error;
      }
    }
    for (const { name } of this.manifest.files) await rename(this.#part(name), path.join(this.folder, name));
    await writeFileAtomic(path.join(this.folder, manifestName), `${JSON.stringify(this.manifest)}\n`);
    await syncFolder(this.folder);
  }

  /** Something of it came with an earlier try: a power cut may have spoilt it, so it is worth another one. */
  takeResumed(): boolean {
    const resumed = this.#resumed.size > 0;
    this.#resumed.clear();
    return resumed;
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.handle.close();
  }

  async #find({ name, bytes }: ModelFile): Promise<void> {
    // A kill in the midst of `finish` leaves some under their names.
    await rename(path.join(this.folder, name), this.#part(name)).catch(() => undefined);
    const size = await stat(this.#part(name)).then(
      found => found.size,
      () => 0,
    );
    if (size > bytes) await rm(this.#part(name), { force: true });
    const have = size > bytes ? 0 : size;
    this.#have.set(name, have);
    if (have > 0) this.#resumed.add(name);
  }

  async #handleOf(name: string): Promise<FileHandle> {
    if (this.#open?.name === name) return this.#open.handle;
    await this.close();
    const handle = await open(this.#part(name), (this.#have.get(name) ?? 0) > 0 ? 'r+' : 'w', 0o600);
    this.#open = { name, handle };
    return handle;
  }

  async #sync(handle: FileHandle): Promise<void> {
    await handle.datasync();
    this.#unsynced = 0;
  }

  #part(name: string): string {
    return path.join(this.folder, `${name}.part`);
  }
}
