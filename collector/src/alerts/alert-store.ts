/**
 * The one store of incidents and mails, so that both change together or not at all. What has to be told of a full disk
 * has to be stored, too: room is kept for that (a ballast), and given up at the first write that finds none.
 */
import { Ballast } from '@edgeward/shared/ballast';
import { isDiskFull } from '@edgeward/shared/disk-full';
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
const holdEveryMs = 60_000;

export interface AlertStoreOptions {
  readonly directory: string;
  readonly log: Logger;
  /** Room that is kept for a full disk; none unless told. */
  readonly ballastBytes?: number;
}

export class AlertStore implements AsyncDisposable {
  readonly #options: AlertStoreOptions;
  readonly #ballast: Ballast | undefined;
  #heldMs = Number.NEGATIVE_INFINITY;
  #store: Store | undefined;
  /** Keys of values that were left out. */
  readonly #damaged = new Set<string>();
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: AlertStoreOptions) {
    const { directory, ballastBytes = 0 } = options;
    this.#options = options;
    if (ballastBytes > 0) this.#ballast = new Ballast({ file: `${directory}.ballast`, bytes: ballastBytes });
  }

  /**
   * One synced batch.
   * @throws EW_STORE_WRITE; it may have been stored nevertheless, so call again with at least the same operations
   */
  commit(operations: readonly Operation[]): Promise<void> {
    return this.#exclusively(async () => {
      try {
        await this.#write(operations).catch(async error => {
          if (!isDiskFull(error) || !(await this.#makeRoom())) throw error;
          await this.#write(operations);
        });
        await this.#holdRoom();
      } catch (error) {
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

  /** The same; one that the disk has damaged is missing. */
  getSound(key: string): Promise<object | undefined> {
    return this.#exclusively(async () => {
      const value = await (await this.#opened()).db.get(textKey('', key));
      const record = value && recordIn(value);
      if (value && !record) this.#tellDamaged(key);
      return record;
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

  /** Which store it is: another one after the disk was lost. */
  id(): Promise<string> {
    return this.#exclusively(async () => (await this.#opened()).id);
  }

  /** The first and the last key under a prefix, without it. */
  ends(prefix: string): Promise<[string | undefined, string | undefined]> {
    return this.#exclusively(async () => {
      const { db } = await this.#opened();
      const range = { gte: textKey(prefix, ''), lt: textKey(prefix, '\u{10ffff}'), limit: 1 };
      const end = async (reverse: boolean) =>
        (await db.keys({ ...range, reverse }).all())[0]?.toString('utf8').slice(prefix.length);
      return [await end(false), await end(true)];
    });
  }

  /**
   * Values from one key through another, in key order, at most so many; with their whole keys. One that the disk has
   * damaged is left out with a word.
   */
  between(from: string, through: string, most: number): Promise<[string, unknown][]> {
    return this.#exclusively(async () => {
      const { db } = await this.#opened();
      const range = { gte: textKey('', from), lte: textKey('', through) };
      const found: [string, unknown][] = [];
      for await (const [bytes, value] of db.iterator(range)) {
        if (found.length >= most) break;
        const key = bytes.toString('utf8');
        const record = recordIn(value);
        if (record) found.push([key, record]);
        else this.#tellDamaged(key);
      }
      return found;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#exclusively(() => this.#close());
  }

  async #write(operations: readonly Operation[]): Promise<void> {
    try {
      const { db } = await this.#opened();
      await db.batch(operations.map(batchOperation), { sync: true });
    } catch (error) {
      // After a failed write LevelDB refuses all further ones until it is opened again.
      await this.#close().catch(() => undefined);
      throw error;
    }
  }

  async #makeRoom(): Promise<boolean> {
    const made = (await this.#ballast?.free().catch(() => false)) === true;
    if (made)
      this.#options.log.error({}, 'disk is full: incidents and mails go on in the room kept for that');
    return made;
  }

  /** Takes it back once there is much more. */
  async #holdRoom(): Promise<void> {
    const nowMs = performance.now();
    if (!this.#ballast || nowMs - this.#heldMs < holdEveryMs) return;
    this.#heldMs = nowMs;
    await this.#ballast.hold();
  }

  /** Once: whoever reads it again finds the same. */
  #tellDamaged(key: string): void {
    if (this.#damaged.has(key)) return;
    this.#damaged.add(key);
    const count = this.#damaged.size;
    this.#options.log.error({ key, count }, 'a stored value is damaged and left out');
  }

  async #opened(): Promise<Store> {
    const { directory, log } = this.#options;
    const open = () => openMendedStore({ directory, log, kind: 'incidents', version: alertStoreVersion });
    this.#store ??= await open().catch(async error => {
      if (!isDiskFull(error) || !(await this.#makeRoom())) throw error;
      return open();
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

/** Undefined where it is none. */
function recordIn(value: Buffer): object | undefined {
  try {
    const json: unknown = JSON.parse(value.toString('utf8'));
    return typeof json === 'object' && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}

function batchOperation({ key, value }: Operation) {
  if (value === undefined) return { type: 'del' as const, key: textKey('', key) };
  return { type: 'put' as const, key: textKey('', key), value: jsonValue(value) };
}
