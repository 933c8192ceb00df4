/**
 * What the scorer remembers of devices, from a clean stop to the next start: then they need not warm up again. The
 * file is gone before the first row is judged, so whoever starts after a kill finds none, and devices warm up: what
 * was saved before the rows that came since is never used.
 */
import { readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Scorer } from '@edgeward/models/scorer';
import { messageOf } from '@edgeward/shared/errors';
import { syncFolder, writeFileAtomic } from '@edgeward/shared/files';
import type { Logger } from '@edgeward/shared/log';

/** Thousands of devices; no start shall read more. */
const maxBytes = 64 * 1024 * 1024;

export class SavedScores {
  readonly #file: string;

  constructor(
    dataDir: string,
    private readonly log: Logger,
  ) {
    this.#file = path.join(dataDir, 'scorer.state');
  }

  /** Never fails. Nothing is used that could not be deleted for good. */
  async load(scorer: Scorer, nowMs: number): Promise<void> {
    const saved = await this.#take().catch((error: unknown) => {
      this.log.warn({ error: messageOf(error) }, 'devices warm up: what was saved of them cannot be used');
      return undefined;
    });
    if (saved) await scorer.load(saved, nowMs);
  }

  /** Never fails: a disk that takes nothing keeps no agent from stopping. */
  async save(scorer: Scorer): Promise<void> {
    try {
      const bytes = await scorer.save();
      if (bytes.length > maxBytes) throw new RangeError(`${bytes.length} bytes are more than ${maxBytes}`);
      await writeFileAtomic(this.#file, bytes);
      this.log.debug({ bytes: bytes.length }, 'saved what is remembered of devices');
    } catch (error) {
      await this.#remove().catch(() => undefined);
      this.log.warn(
        { error: messageOf(error) },
        'devices will warm up at the next start: nothing was saved of them',
      );
    }
  }

  async #take(): Promise<Uint8Array | undefined> {
    const size = await stat(this.#file).then(
      found => found.size,
      () => undefined,
    );
    if (size === undefined) return undefined;
    const saved = size <= maxBytes ? await readFile(this.#file) : undefined;
    await this.#remove();
    if (!saved) throw new RangeError(`${size} bytes are more than ${maxBytes}`);
    return saved;
  }

  async #remove(): Promise<void> {
    await rm(`${this.#file}.tmp`, { force: true });
    await rm(this.#file, { force: true });
    await syncFolder(path.dirname(this.#file));
  }
}
