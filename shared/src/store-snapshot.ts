/**
 * Looks into a store whose process is stopped, and leaves it as it is.
 *
 * LevelDB has no reading alone: whoever opens it replays its log into new files and throws away what it cannot read.
 * So a copy is opened. Tables are never changed in place and are linked, which costs nothing; the rest is small.
 * Meanwhile the store's lock is held, by way of a link to its lock file, so that nobody starts to write.
 */
import { copyFile, link, mkdir, mkdtemp, readdir } from 'node:fs/promises';
import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { EdgewardError, messageOf } from './errors.js';
import { removeFolder } from './files.js';
import { isLocked, locked, openDatabase, type StoreDatabase, type StoreOptions } from './store.js';
import { dataFilesOf, droppedBytes, lostSince } from './store-damage.js';
import { isThere, type Marker, readMarker } from './store-marker.js';
import { faultyTables, mendTables } from './store-tables.js';

export interface StoreSnapshot extends AsyncDisposable {
  /** A copy: whatever is written to it is gone with it. */
  readonly db: StoreDatabase;
  /** Undefined if it is lost. */
  readonly marker: Marker | undefined;
  /** What is broken or gone, in sentences; empty = nothing. */
  readonly damage: readonly string[];
}

type Which = Pick<StoreOptions, 'directory' | 'kind' | 'version'>;

const immutable = /\.(ldb|sst)$/;

/**
 * @returns undefined where there is no store
 * @throws EW_STORE_LOCKED, EW_STORE_VERSION; EW_STORE_DAMAGED if LevelDB cannot open it; EW_STORE_WRITE if the folder
 * has no room or may not be written
 */
export async function openSnapshot(which: Which): Promise<StoreSnapshot | undefined> {
  const marker = await readMarker(`${which.directory}.json`, which);
  if (!(await isThere(which.directory))) {
    if (marker === 'none' || marker === 'lost' || marker.state === 'creating') return undefined;
    throw new EdgewardError('EW_STORE_DAMAGED', `${which.directory} is gone; its marker is still there.`);
  }
  const undo: (() => Promise<void>)[] = [];
  const end = async () => {
    for (const one of undo.splice(0).reverse()) await one();
  };
  try {
    const copy = await makeCopyFolder(which);
    undo.push(() => removeFolder(copy));
    const lock = await lockStore(which, path.join(copy, 'lock'));
    undo.push(() => lock.close());
    const known = typeof marker === 'object' ? marker : undefined;
    const lost = known ? await missingFrom(which.directory, known) : [];
    const directory = path.join(copy, 'store');
    await copyStore(which, directory);
    const faults = await faultyTables(directory);
    await mendTables(directory, faults);
    const db = await openCopy(which, directory);
    undo.push(() => db.close());
    const damage = [...lost, ...faults.map(({ text }) => text), ...(await droppedBytes(directory))];
    return { db, marker: known, damage, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function missingFrom(directory: string, marker: Marker): Promise<string[]> {
  if (marker.state === 'creating') return [];
  return lostSince(marker.state === 'closed' ? marker.files : undefined, await dataFilesOf(directory));
}

/** Beside the store, so that its tables can be linked. */
function makeCopyFolder({ directory }: Which): Promise<string> {
  return mkdtemp(`${directory}.look-`).catch(error => {
    throw new EdgewardError(
      'EW_STORE_WRITE',
      `No copy of ${directory} can be made to look into (${messageOf(error)}): run this as the user of the process.`,
      { cause: error },
    );
  });
}

/** An empty database under the lock of the real one. */
async function lockStore({ directory }: Which, folder: string): Promise<StoreDatabase> {
  await mkdir(folder);
  await link(path.join(directory, 'LOCK'), path.join(folder, 'LOCK')).catch(error => {
    if (error.code !== 'ENOENT') throw error; // never opened, or the file was taken away: nobody has it open
  });
  try {
    return await openDatabase({ directory: folder }, true);
  } catch (error) {
    throw isLocked(error) ? locked(directory, error) : error;
  }
}

async function copyStore({ directory }: Which, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const { name } = entry;
    // A folder is where LevelDB put what an earlier repair gave up.
    if (!entry.isFile() || name === 'LOCK' || name === 'LOG' || name === 'LOG.old') continue;
    const [from, into] = [path.join(directory, name), path.join(to, name)];
    if (!(immutable.test(name) && (await tryLink(from, into)))) await copyFile(from, into);
  }
}

/** Not every file system has links. */
function tryLink(from: string, to: string): Promise<boolean> {
  return link(from, to).then(
    () => true,
    () => false,
  );
}

async function openCopy({ directory }: Which, copy: string): Promise<StoreDatabase> {
  const db: StoreDatabase = new ClassicLevel(copy, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  try {
    await db.open({ createIfMissing: false });
    return db;
  } catch (error) {
    throw new EdgewardError('EW_STORE_DAMAGED', `${directory} cannot be opened: ${causesOf(error)}`, {
      cause: error,
    });
  }
}

/** LevelDB's own words are in the cause. */
function causesOf(error: unknown): string {
  const texts: string[] = [];
  for (let e = error; e instanceof Error; e = e.cause) texts.push(e.message);
  return texts.join(': ');
}

/**
 * Puts a copy of a store and its marker aside, whatever state it is in.
 * @returns where it is
 * @throws EW_STORE_LOCKED, EW_STORE_VERSION; EW_STORE_WRITE if there is no room for it
 */
export async function copyAside(which: Which): Promise<string> {
  await readMarker(`${which.directory}.json`, which);
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '');
  const aside = `${which.directory}.before-repair-${stamp}`;
  if (!(await isThere(which.directory))) return copyMarker(which, aside);
  const probe = await makeCopyFolder(which);
  try {
    const lock = await lockStore(which, path.join(probe, 'lock'));
    try {
      await copyStore(which, aside);
    } finally {
      await lock.close();
    }
    return await copyMarker(which, aside);
  } catch (error) {
    await removeFolder(aside);
    if (error instanceof EdgewardError) throw error;
    const detail = `${which.directory} cannot be copied aside (${messageOf(error)}), so it is left as it is.`;
    throw new EdgewardError('EW_STORE_WRITE', detail, { cause: error });
  } finally {
    await removeFolder(probe);
  }
}

async function copyMarker({ directory }: Which, aside: string): Promise<string> {
  const marker = `${directory}.json`;
  if (await isThere(marker)) await copyFile(marker, `${aside}.json`);
  return aside;
}
