/** Blocks, and bytes of them, that are read again at most when the journal is opened. */
const maxBlocks = 60_000;
const maxBytes = 64 * 1024 * 1024;

/**
 * Which received ranges are not on disk yet. A block's own header tells what it adds to them, so they are written only
 * now and then, those first that have waited longest; what is missing is made good from the blocks behind the
 * checkpoint when the journal is opened.
 */
export class Checkpoint {
  /** By `gateway/epoch`, in the order in which they changed first. */
  readonly #unsaved = new Map<string, { readonly position: number; readonly bytes: number }>();
  #bytes = 0;

  /** These changed by blocks from this position on. */
  note(keys: Iterable<string>, position: number, bytes: number): void {
    for (const key of keys)
      if (!this.#unsaved.has(key)) this.#unsaved.set(key, { position, bytes: this.#bytes });
    this.#bytes += bytes;
  }

  /** Those that have waited long enough. */
  due(newest: number): string[] {
    const keys: string[] = [];
    for (const [key, { position, bytes }] of this.#unsaved) {
      if (newest - position < maxBlocks && this.#bytes - bytes < maxBytes) break;
      keys.push(key);
    }
    return keys;
  }

  all(): string[] {
    return [...this.#unsaved.keys()];
  }

  /** The position through which nothing is missing on disk but what is being written. */
  position(newest: number): number {
    for (const { position } of this.#unsaved.values()) return position - 1;
    return newest;
  }

  /** These are being written. @returns what takes that back */
  take(keys: readonly string[]): () => void {
    const taken = keys.flatMap(key => {
      const at = this.#unsaved.get(key);
      this.#unsaved.delete(key);
      return at ? [[key, at] as const] : [];
    });
    return () => {
      const later = [...this.#unsaved];
      this.#unsaved.clear();
      for (const [key, at] of [...taken, ...later]) if (!this.#unsaved.has(key)) this.#unsaved.set(key, at);
    };
  }
}
