/**
 * How every LevelDB of ours is opened.
 *
 * LevelDB hides damage: a missing CURRENT file makes it open "OK" as a new, empty store. So a small marker file
 * stands beside the directory, and once the marker says "ready" the store is only ever opened as existing.
 * Damage is copied aside, repaired and reported, and the process runs. The marker also counts the starts, so
 * that the count survives whatever happens to the database.
 */
import { randomBytes } from 'node:crypto';
import { access, constants, cp, rename } from 'node:fs/promises';
import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { EdgewardError, messageOf } from './errors.js';
import { makeFolder, removeFolder } from './files.js';
import type { Logger } from './log.js';
import { dataFilesOf, droppedBytes, type FileSizes, lostSince } from './store-damage.js';
import { isThere, type Marker, parseMarker, readMarker, writeMarker } from './store-marker.js';

export type StoreDatabase = ClassicLevel<Buffer, Buffer>;

export interface StoreOptions {
  readonly directory: string;
  /** What is kept in it, for example `outbox`: a store is refused under another name. */
  readonly kind: string;
  /** Layout version; a store with a higher one is refused untouched. */
  readonly version: number;
  /**
   * Where within the store a copy of the marker is kept. With it a store opens whatever became of the marker: it is
   * read back from the store, else the store is moved aside and a new one begun. Without it the store is refused.
   */
  readonly markerKey?: Buffer;
  /** What LevelDB keeps in memory, up to twice, before it writes a table; 4 MiB unless told. */
  readonly writeBufferBytes?: number;
  /**
   * Tables that LevelDB holds open, each mapped into memory whole: a walk over a large store counts as so much memory
   * of the process. 1000 unless told; it takes no fewer than 64.
   */
  readonly maxOpenTables?: number;
  /** Size of a table; 2 MiB unless told, 1 MiB at least. */
  readonly tableBytes?: number;
  readonly log: Logger;
}

export interface Store {
  readonly db: StoreDatabase;
  /** Random, given once. */
  readonly id: string;
  /** How often it has been opened, this time included. */
  readonly starts: number;
  /** Made just now. */
  readonly fresh: boolean;
  /** The last process closed it properly. */
  readonly closedCleanly: boolean;
  /** What was found broken or gone when it was opened, in sentences; empty = nothing. */
  readonly damage: readonly string[];
  /** Set when it had to be repaired: where the damaged files were copied. */
  readonly repairedFrom?: string;
  /** Set when it is a new one because the old could not be identified: where that was moved. */
  readonly movedTo?: string;
  /** After a failed write LevelDB refuses all further ones until it is opened again: call this before the next try. */
  reopen(): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

/**
 * @throws EW_STORE_VERSION, EW_STORE_LOCKED; EW_STORE_WRITE if the folder may not be written; EW_STORE_DAMAGED if the
 * marker is lost and there is no `markerKey`, or if damaged files cannot be copied aside (a full disk): then all is
 * left as it is
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { directory, kind, version, markerKey, log } = options;
  const markerFile = `${directory}.json`;
  await writing(options, prepareFolder(directory));
  const read = await readMarker(markerFile, options);
  const { found, movedTo } = read === 'lost' ? await recall(options, markerFile) : { found: read };
  const made: Marker = { kind, version, id: randomBytes(8).toString('hex'), starts: 0, state: 'creating' };
  const marker = found === 'none' ? made : found;
  const fresh = marker.state === 'creating';
  if (found === 'none') await writing(options, writeMarker(markerFile, marker));

  const lost = fresh ? [] : lostSince(filesOf(marker), await dataFilesOf(directory));
  const { db, repairedFrom } = await openOrRepair(options, fresh);
  const damage = [...lost, ...(await droppedBytes(directory))];
  if (damage.length) log.error({ directory, damage }, 'store has lost data to damage on disk');
  const starts = marker.starts + 1;
  const { files: _, ...lasting } = marker;
  const opened: Marker = { ...lasting, starts, state: 'open' };
  try {
    await writing(options, writeMarker(markerFile, opened));
    if (markerKey)
      await writing(
        options,
        db.batch([{ type: 'put', key: markerKey, value: jsonValue(opened) }], { sync: true }),
      );
  } catch (error) {
    await db.close();
    throw error;
  }
  let closed: Promise<void> | undefined;
  return {
    db,
    id: marker.id,
    starts,
    fresh,
    damage,
    closedCleanly: fresh || marker.state === 'closed',
    ...(repairedFrom && { repairedFrom }),
    ...(movedTo && { movedTo }),
    reopen: async () => {
      if (closed) return;
      await db.close();
      await db.open({ createIfMissing: false });
    },
    close: () => {
      closed ??= closeCleanly(db, markerFile, opened, directory);
      return closed;
    },
  };
}

async function closeCleanly(db: StoreDatabase, markerFile: string, opened: Marker, directory: string) {
  await db.close();
  await writeMarker(markerFile, { ...opened, state: 'closed', files: await dataFilesOf(directory) });
}

/** Undefined if it did not end cleanly: its files have changed since they were noted. */
function filesOf({ state, files }: Marker): FileSizes | undefined {
  return state === 'closed' ? files : undefined;
}

async function prepareFolder(directory: string): Promise<void> {
  const parent = path.dirname(directory);
  await makeFolder(parent);
  for (const folder of [parent, directory]) {
    if (await isThere(folder)) await access(folder, constants.R_OK | constants.W_OK);
  }
}

/** @throws EW_STORE_WRITE that says what to do about it */
async function writing<T>({ directory }: StoreOptions, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new EdgewardError(
      'EW_STORE_WRITE',
      `${path.dirname(directory)} cannot be used as dataDir (${messageOf(error)}): make it a folder with free space that this user may write, or choose another dataDir.`,
      { cause: error },
    );
  }
}

/** What to go by when the marker is lost. */
async function recall(
  options: StoreOptions,
  markerFile: string,
): Promise<{ found: Marker | 'none'; movedTo?: string }> {
  const { directory, markerKey, log } = options;
  if (!markerKey) {
    throw new EdgewardError(
      'EW_STORE_DAMAGED',
      `${markerFile} is gone or unreadable: restore it or move the folder beside it away.`,
    );
  }
  const copy = await markerWithin(options, markerKey);
  if (copy) {
    log.warn({ markerFile }, 'marker of the store was lost: read back from the store');
    return { found: { ...copy, state: 'open' } };
  }
  const movedTo = asideOf(directory);
  await writing(options, moveAll([directory, movedTo], [markerFile, `${movedTo}.json`]));
  log.error({ directory, movedTo }, 'store cannot be identified: moved aside, starting an empty one');
  return { found: 'none', movedTo };
}

async function markerWithin(options: StoreOptions, key: Buffer): Promise<Marker | undefined> {
  let db: StoreDatabase | undefined;
  try {
    db = await openDatabase(options, false);
    const copy = await db.get(key);
    return copy && parseMarker(copy.toString('utf8'), options);
  } catch (error) {
    if (error instanceof EdgewardError) throw error;
    if (isLocked(error)) throw locked(options.directory, error);
    return undefined;
  } finally {
    await db?.close();
  }
}

async function moveAll(...moves: readonly (readonly [from: string, to: string])[]): Promise<void> {
  for (const [from, to] of moves) if (await isThere(from)) await rename(from, to);
}

function asideOf(directory: string): string {
  return `${directory}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, '')}`;
}

export function locked(directory: string, cause: unknown): EdgewardError {
  const detail = `${directory}: stop the other process or give each its own dataDir.`;
  return new EdgewardError('EW_STORE_LOCKED', detail, { cause });
}

async function openOrRepair(
  options: StoreOptions,
  fresh: boolean,
): Promise<{ db: StoreDatabase; repairedFrom?: string }> {
  try {
    return { db: await openDatabase(options, fresh) };
  } catch (error) {
    if (isLocked(error)) throw locked(options.directory, error);
    if (isUnwritable(error)) return writing(options, Promise.reject(error));
    return repair(options, error);
  }
}

/** Copy aside, repair, else start anew: the process runs on any disk content. */
async function repair(options: StoreOptions, reason: unknown) {
  const { directory, log } = options;
  const aside = asideOf(directory);
  await copyAside(directory, aside, reason);
  log.error({ directory, aside, reason: messageOf(reason) }, 'store is damaged: copied aside, repairing');
  try {
    await ClassicLevel.repair(directory);
    return { db: await openDatabase(options, false), repairedFrom: aside };
  } catch (error) {
    log.error(
      { directory, aside, reason: messageOf(error) },
      'store cannot be repaired: starting an empty one',
    );
    await removeFolder(directory);
    return { db: await openDatabase(options, true), repairedFrom: aside };
  }
}

/** Without the copy nothing may be touched: a full disk looks like damage, and its data is whole. */
async function copyAside(directory: string, aside: string, reason: unknown): Promise<void> {
  if (!(await isThere(directory))) return;
  try {
    await cp(directory, aside, { recursive: true, force: true });
  } catch (error) {
    await removeFolder(aside).catch(() => undefined);
    throw new EdgewardError(
      'EW_STORE_DAMAGED',
      `${directory} cannot be opened (${messageOf(reason)}) nor copied aside (${messageOf(error)}): is the disk full?`,
      { cause: reason },
    );
  }
}

/** LevelDB keeps so many of its open files for other things than tables. */
const filesBesideTables = 10;

export async function openDatabase(
  {
    directory,
    writeBufferBytes,
    maxOpenTables,
    tableBytes,
  }: Pick<StoreOptions, 'directory' | 'writeBufferBytes' | 'maxOpenTables' | 'tableBytes'>,
  createIfMissing: boolean,
): Promise<StoreDatabase> {
  const db: StoreDatabase = new ClassicLevel(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
    createIfMissing,
    ...(writeBufferBytes !== undefined && { writeBufferSize: writeBufferBytes }),
    ...(maxOpenTables !== undefined && { maxOpenFiles: maxOpenTables + filesBesideTables }),
    ...(tableBytes !== undefined && { maxFileSize: tableBytes }),
  });
  await db.open();
  return db;
}

/** A full or read-only disk looks like damage to LevelDB, and its data is whole. */
function isUnwritable(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (/no space left|read-only file system|permission denied|too many open files/i.test(e.message))
      return true;
  }
  return false;
}

export function isLocked(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ((e as { code?: unknown }).code === 'LEVEL_LOCKED') return true;
  }
  return false;
}

/** LevelDB could not read something. */
export function isLevelError(error: unknown): boolean {
  return error instanceof Error && String((error as { code?: unknown }).code).startsWith('LEVEL_');
}

/** Lets LevelDB keep of a store's files what it can make out. Only after a copy was put aside. */
export async function salvage(directory: string): Promise<void> {
  await ClassicLevel.repair(directory);
}

/** Fixed-width big-endian key: byte order is number order. @throws RangeError unless they are whole, from 0 on */
export function numberKey(prefix: string, ...numbers: readonly number[]): Buffer {
  const key = Buffer.allocUnsafe(prefix.length + 8 * numbers.length);
  let at = key.write(prefix, 'latin1');
  for (const n of numbers) {
    if (!Number.isSafeInteger(n)) throw new RangeError(`${n} makes no key`);
    at = key.writeUInt32BE(Math.floor(n / 2 ** 32), at);
    at = key.writeUInt32BE(n >>> 0, at);
  }
  return key;
}

/** The i-th number behind a prefix of one character. */
export function numberInKey(key: Buffer, i: number): number {
  return Number(key.readBigUInt64BE(1 + 8 * i));
}

export function textKey(prefix: string, text: string): Buffer {
  return Buffer.from(prefix + text, 'utf8');
}

export function jsonValue(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}
