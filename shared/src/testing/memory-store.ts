/** Opens a store on a MemoryDisk: the part of LevelDB that outbox and journal use, and the marker beside it. */
import { EdgewardError } from '../errors.js';
import type { Store, StoreDatabase } from '../store.js';
import type { MemoryDisk, MemoryWrite } from './memory-disk.js';

interface Range {
  readonly gt?: Buffer;
  readonly gte?: Buffer;
  readonly lt?: Buffer;
  readonly lte?: Buffer;
  readonly reverse?: boolean;
  readonly limit?: number;
}

type BatchOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

let ids = 0;

/** @throws EW_STORE_WRITE if the disk does not let it be opened */
export async function openMemoryStore(disk: MemoryDisk): Promise<Store> {
  const { marker, process } = disk;
  await disk
    .call(process, 'open', () => disk.opened())
    .catch((error: unknown) => {
      throw new EdgewardError('EW_STORE_WRITE', String(error), { cause: error });
    });
  const fresh = marker.state === 'none';
  const closedCleanly = marker.state !== 'open';
  if (fresh) marker.id = String(++ids).padStart(16, '0');
  marker.starts += 1;
  marker.state = 'open';
  const db = new MemoryDatabase(disk);
  let closed: Promise<void> | undefined;
  return {
    db: db as unknown as StoreDatabase, // outbox and journal use no other part of it
    id: marker.id,
    starts: marker.starts,
    fresh,
    closedCleanly,
    damage: [],
    reopen: async () => {
      if (closed) return;
      await disk.call(process, 'reopen', () => disk.opened());
    },
    close: () => {
      closed ??= db.close().then(() => {
        marker.state = 'closed';
      });
      return closed;
    },
  };
}

class MemoryDatabase {
  readonly #disk: MemoryDisk;
  readonly #process: number;
  #writes: Promise<unknown> = Promise.resolve();

  constructor(disk: MemoryDisk) {
    this.#disk = disk;
    this.#process = disk.process;
  }

  batch(operations: readonly BatchOperation[], { sync = false }: { sync?: boolean } = {}): Promise<void> {
    const writes = operations.map(operation => ({ ...operation, key: operation.key.toString('latin1') }));
    return this.#inOrder(() => this.#disk.write(this.#process, writes, sync));
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#disk.call(this.#process, 'get', () => this.#disk.entries.get(key.toString('latin1')));
  }

  iterator(range: Range): AsyncGenerator<[Buffer, Buffer]> {
    const found = this.#within(range).map(key => [key, this.#disk.entries.get(key)!] as const);
    return this.#each(found, ([key, value]) => [Buffer.from(key, 'latin1'), value]);
  }

  keys(range: Range): AsyncGenerator<Buffer> {
    return this.#each(this.#within(range), key => Buffer.from(key, 'latin1'));
  }

  clear(range: Range): Promise<void> {
    return this.#inOrder(() => {
      const writes: MemoryWrite[] = this.#within(range).map(key => ({ type: 'del', key }));
      return this.#disk.write(this.#process, writes, false);
    });
  }

  approximateSize(from: Buffer, to: Buffer): Promise<number> {
    return this.#disk.call(this.#process, 'size', () =>
      this.#within({ gte: from, lt: to }).reduce((sum, key) => sum + this.#disk.entries.get(key)!.length, 0),
    );
  }

  compactRange(): Promise<void> {
    return this.#disk.call(this.#process, 'compact', () => undefined);
  }

  close(): Promise<void> {
    return this.#inOrder(() => this.#disk.call(this.#process, 'close', () => undefined));
  }

  /** What was there when it was asked for, as LevelDB's iterators see it. */
  async *#each<K, T>(found: readonly K[], toItem: (key: K) => T): AsyncGenerator<T> {
    await this.#disk.call(this.#process, 'iterator', () => undefined);
    for (const key of found) yield toItem(key);
  }

  #within({ gt, gte, lt, lte, reverse, limit = Number.POSITIVE_INFINITY }: Range): string[] {
    const [above, from] = [gt?.toString('latin1'), gte?.toString('latin1')];
    const [below, to] = [lt?.toString('latin1'), lte?.toString('latin1')];
    const keys = this.#disk.sorted.filter(
      key =>
        (above === undefined || key > above) &&
        (from === undefined || key >= from) &&
        (below === undefined || key < below) &&
        (to === undefined || key <= to),
    );
    return (reverse ? keys.reverse() : keys).slice(0, limit);
  }

  #inOrder(write: () => Promise<void>): Promise<void> {
    const done = this.#writes.then(write);
    this.#writes = done.catch(() => undefined);
    return done;
  }
}
