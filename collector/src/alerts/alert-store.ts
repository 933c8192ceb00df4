/** The one store of incidents and mails, so that both change together or not at all. */
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { settled } from '@edgeward/shared/settled';
import { jsonValue, type Store, textKey } from '@edgeward/shared/store';
import { openMendedStore } from '@edgeward/shared/store-mend';

/** A JSON value under a key; undefined deletes it. */
export interface Operation {
  readonly key: string;
  readonly value: unknown;
}

export const alertStoreVersion = 1;

export class AlertStore implements AsyncDisposable {
  readonly #options: { readonly directory: string; readonly log: Logger };
  #store: Store | undefined;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: { readonly directory: string; readonly log: Logger }) {
    this.#options = options;
  }

  /**
   * One synced batch.
   * @throws EW_STORE_WRITE; it may have been stored nevertheless, so call again with at least the same operations
   */
  commit(operations: readonly Operation[]): Promise<void> {
    return this.#exclusively(async () => {
      try {
        const { db } = await this.#opened();
        await db.batch(operations.map(batchOperation), { sync: true });
      } catch (error) {
        // After a failed write LevelDB refuses all further ones until it is opened again.
        await this.#close().catch(() => undefined);
        if (error instanceof EdgewardError) throw error;
        throw new EdgewardError('EW_STORE_WRITE', messageOf(error), { cause: error });
      }
    });
  }

  get(key: string): Promise<unknown> {
    return this.#exclusively(async () => {
      const value = await (await this.#opened()).db.get(textKey('', key));
      return value === undefined ? undefined : JSON.parse(value.toString('utf8'));
    });
  }

  /** All values whose key begins with the prefix, in key order; the keys without it. */
  list(prefix: string): Promise<[string, unknown][]> {
    return this.#exclusively(async () => {
      const { db } = await this.#opened();
      const range = { gte: textKey(prefix, ''), lt: textKey(prefix, '\u{10ffff}') };
      const found: [string, unknown][] = [];
      for await (const [key, value] of db.iterator(range))
        found.push([key.toString('utf8').slice(prefix.length), JSON.parse(value.toString('utf8'))]);
      return found;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#exclusively(() => this.#close());
  }

  async #opened(): Promise<Store> {
    this.#store ??= await openMendedStore({
      ...this.#options,
      kind: 'incidents',
      version: alertStoreVersion,
    });
    return this.#store;
  }

  async #close(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    await store?.close();
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = settled(done);
    return done;
  }
}

function batchOperation({ key, value }: Operation) {
  if (value === undefined) return { type: 'del' as const, key: textKey('', key) };
  return { type: 'put' as const, key: textKey('', key), value: jsonValue(value) };
}
