/**
 * Opens a store whatever a disk has done to its tables. LevelDB does not look at a table's checksums when it reads,
 * and ends the whole process when a later compaction meets keys that are out of order. So tables are looked through
 * before it opens them, and what is damaged in them is left out. A value with a flipped bit may stay: what must be right has its own checksum.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from './errors.js';
import { openStore, type Store, type StoreOptions } from './store.js';
import { copyAside } from './store-snapshot.js';
import { faultyTables, mendTables, type TableFault } from './store-tables.js';

/** @throws what `openStore` throws; EW_STORE_WRITE also if a damaged store cannot be copied aside first */
export async function openMendedStore(options: StoreOptions): Promise<Store> {
  const { directory, log } = options;
  const faults = await faultyTables(directory);
  if (faults.length === 0) return openStore(options);
  const texts = faults.map(({ text }) => text);
  const aside = await copyAside(options);
  log.error({ directory, aside, damage: texts }, 'store has damaged tables: copied aside, mended');
  await mendTables(directory, faults);
  // Over a table that is none LevelDB opens, and fails at every read. A missing one it says, and can be repaired.
  for (const { name, mended } of faults) if (!mended) await rm(path.join(directory, name));
  const store = await openReadable(options, faults);
  return { ...store, damage: [...texts, ...store.damage] };
}

/** Should LevelDB not be able to read what was mended after all, it does without those tables. */
async function openReadable(options: StoreOptions, faults: readonly TableFault[]): Promise<Store> {
  const store = await openStore(options);
  const error = await unreadable(store);
  if (!error) return store;
  options.log.error({ directory: options.directory, error }, 'mended tables cannot be read: left out');
  await store.db.close();
  for (const { name } of faults) await rm(path.join(options.directory, name), { force: true });
  return openStore(options);
}

async function unreadable({ db }: Store): Promise<string | undefined> {
  try {
    for await (const _ of db.iterator({ fillCache: false }));
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
