import type { Core } from './core.js';
import { blockKey } from './layout.js';
import { openValue } from './reader.js';

/** When the oldest block was made. Read from the store now and then, since no block is known by itself. */
export class OldestBlock {
  readonly #core: Core;
  #known: { readonly counter: number; readonly seq: number; readonly atMs: number } | undefined;
  #looking = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /** ms since Unix epoch; null = nothing is held. As of the last look where the oldest is on disk. */
  atMs(): number | null {
    const { epochs, fresh } = this.#core;
    const epoch = epochs.oldest();
    if (!epoch) {
      for (const { id } of fresh.volatile()) return id.atMs;
      for (const { id } of fresh.kept()) return id.atMs;
      return null;
    }
    if (this.#known?.counter !== epoch.counter || this.#known.seq !== epoch.stored.first) void this.look();
    return this.#known?.atMs ?? null;
  }

  async look(): Promise<void> {
    const { epochs, store, schemas, closing } = this.#core;
    const epoch = epochs.oldest();
    const seq = epoch?.stored.first;
    if (!epoch || seq === undefined || this.#looking || closing) return;
    this.#looking = true;
    try {
      const value = await this.#core.exclusive.run(() => store.db.get(blockKey(epoch.counter, seq)));
      const block = value && openValue(value, id => schemas.get(id));
      if (block) this.#known = { counter: epoch.counter, seq, atMs: block.header.atMs };
    } catch {
      // It is only a hint; the next look may see it.
    } finally {
      this.#looking = false;
    }
  }
}
