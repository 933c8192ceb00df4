/**
 * How every LevelDB of ours is opened.
 *
 * LevelDB hides damage: a missing CURRENT file makes it open "OK" as a new, empty store. So a small marker file
 * stands beside the directory, and once the marker says "ready" the store is only ever opened as existing.
 * Damage is copied aside, repaired and reported, and the process runs. The marker also counts the starts, so
 * that the count survives whatever happens to the database.
 */
import { randomBytes } from 'node:crypto';
import { cp, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { EdgewardError, messageOf } from './errors.js';
import { makeFolder, removeFolder, writeFileAtomic } from './files.js';
import type { Logger } from './log.js';

export type StoreDatabase = ClassicLevel<Buffer, Buffer>;

export interface StoreOptions {
  readonly directory: string;
  /** What is kept in it, for example `outbox`: a store is refused under another name. */
  readonly kind: string;
  /** Layout version; a store with a higher one is refused untouched. */
  readonly version: number;
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
  /** Set when it had to be repaired: where the damaged files were copied. */
  readonly repairedFrom?: string;
  /** After a failed write LevelDB refuses all further ones until it is opened again: call this before the next try. */
  reopen(): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

interface Marker {
  readonly kind: string;
  readonly version: number;
  readonly id: string;
  readonly starts: number;
  readonly state: 'creating' | 'open' | 'closed';
}

/**
 * @throws EW_STORE_VERSION, EW_STORE_LOCKED; EW_STORE_DAMAGED if the marker is gone or unreadable, or if damaged
 * files cannot be copied aside (a full disk): then all is left as it is
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { directory, kind, version } = options;
  const markerFile = `${directory}.json`;
  await makeFolder(path.dirname(directory));
  const found = await readMarker(markerFile, options);
  const fresh = found === undefined || found.state === 'creating';
  const marker = found ?? { kind, version, id: randomBytes(8).toString('hex'), starts: 0, state: 'creating' };
  if (found === undefined) await writeMarker(markerFile, marker);

  const { db, repairedFrom } = await openOrRepair(options, fresh);
  const starts = marker.starts + 1;
  try {
    await writeMarker(markerFile, { ...marker, starts, state: 'open' });
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
    closedCleanly: fresh || marker.state === 'closed',
    ...(repairedFrom && { repairedFrom }),
    reopen: async () => {
      if (closed) return;
      await db.close();
      await db.open({ createIfMissing: false });
    },
    close: () => {
      closed ??= db.close().then(() => writeMarker(markerFile, { ...marker, starts, state: 'closed' }));
      return closed;
    },
  };
}

async function readMarker(file: string, options: StoreOptions): Promise<Marker | undefined> {
  const text = await readIfThere(file);
  // It is written before the store is made: a store without one lost it, and with it the count of its starts.
  if (text === undefined && !(await isThere(options.directory))) return undefined;
  const marker = parseMarker(text ?? '');
  // The marker is replaced atomically, so only the disk itself or an editor can have broken it.
  if (!marker)
    throw new EdgewardError(
      'EW_STORE_DAMAGED',
      `${file} is ${text === undefined ? 'gone' : 'unreadable'}: restore it or move the folder beside it away.`,
    );
  if (marker.version > options.version) {
    throw new EdgewardError(
      'EW_STORE_VERSION',
      `${options.directory} has layout ${marker.version}, this release knows up to ${options.version}: install the newer release again.`,
    );
  }
  if (marker.kind !== options.kind) {
    throw new EdgewardError(
      'EW_STORE_VERSION',
      `${options.directory} holds a ${marker.kind}, not a ${options.kind}: choose another dataDir.`,
    );
  }
  return marker;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw new EdgewardError('EW_STORE_DAMAGED', `${file} cannot be read: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}

function parseMarker(text: string): Marker | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const marker = value as Partial<Marker>;
    const whole =
      typeof marker.kind === 'string' &&
      typeof marker.id === 'string' &&
      Number.isSafeInteger(marker.version) &&
      Number.isSafeInteger(marker.starts);
    return whole ? (marker as Marker) : undefined;
  } catch {
    return undefined;
  }
}

function writeMarker(file: string, marker: Marker): Promise<void> {
  return writeFileAtomic(file, `${JSON.stringify(marker)}\n`);
}

async function openOrRepair(
  options: StoreOptions,
  fresh: boolean,
): Promise<{ db: StoreDatabase; repairedFrom?: string }> {
  try {
    return { db: await openDatabase(options.directory, fresh) };
  } catch (error) {
    if (isLocked(error)) {
      throw new EdgewardError(
        'EW_STORE_LOCKED',
        `${options.directory}: stop the other process or give each its own dataDir.`,
        { cause: error },
      );
    }
    return repair(options, error);
  }
}

/** Copy aside, repair, else start anew: the process runs on any disk content. */
async function repair(options: StoreOptions, reason: unknown) {
  const { directory, log } = options;
  const aside = `${directory}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, '')}`;
  await copyAside(directory, aside, reason);
  log.error({ directory, aside, reason: messageOf(reason) }, 'store is damaged: copied aside, repairing');
  try {
    await ClassicLevel.repair(directory);
    return { db: await openDatabase(directory, false), repairedFrom: aside };
  } catch (error) {
    log.error(
      { directory, aside, reason: messageOf(error) },
      'store cannot be repaired: starting an empty one',
    );
    await removeFolder(directory);
    return { db: await openDatabase(directory, true), repairedFrom: aside };
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

async function openDatabase(directory: string, createIfMissing: boolean): Promise<StoreDatabase> {
  const db: StoreDatabase = new ClassicLevel(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
    createIfMissing,
  });
  await db.open();
  return db;
}

function isLocked(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ((e as { code?: unknown }).code === 'LEVEL_LOCKED') return true;
  }
  return false;
}

/** Fixed-width big-endian key: byte order is number order. */
export function numberKey(prefix: string, ...numbers: readonly number[]): Buffer {
  const key = Buffer.alloc(prefix.length + 8 * numbers.length);
  key.write(prefix, 'latin1');
  for (const [i, n] of numbers.entries()) key.writeBigUInt64BE(BigInt(n), prefix.length + 8 * i);
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
