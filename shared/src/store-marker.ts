/** The small file beside a store that says what it is; see store.ts. */
import { readFile, stat } from 'node:fs/promises';
import { EdgewardError, messageOf } from './errors.js';
import { writeFileAtomic } from './files.js';
import type { FileSizes } from './store-damage.js';

export interface Marker {
  readonly kind: string;
  readonly version: number;
  readonly id: string;
  readonly starts: number;
  readonly state: 'creating' | 'open' | 'closed';
  /** Sizes of its files, bytes, at its clean end. */
  readonly files?: FileSizes;
}

interface Expected {
  readonly directory: string;
  readonly kind: string;
  readonly version: number;
}

/**
 * @returns `none` where there is no store yet, `lost` if the marker is gone or unreadable: it is written before the
 * store is made and replaced atomically, so only the disk itself or an editor can have broken it
 * @throws EW_STORE_VERSION, EW_STORE_WRITE
 */
export async function readMarker(file: string, expected: Expected): Promise<Marker | 'none' | 'lost'> {
  const text = await readIfThere(file);
  if (text === undefined) return (await isThere(expected.directory)) ? 'lost' : 'none';
  return parseMarker(text, expected) ?? 'lost';
}

/** @throws EW_STORE_VERSION, also if nothing but its version can be made out */
export function parseMarker(text: string, { directory, kind, version }: Expected): Marker | undefined {
  const marker = parseObject(text);
  if (Number.isSafeInteger(marker.version) && Number(marker.version) > version) {
    throw new EdgewardError(
      'EW_STORE_VERSION',
      `${directory} has layout ${marker.version}, this release knows up to ${version}: install the newer release again.`,
    );
  }
  if (!isWhole(marker)) return undefined;
  if (marker.kind !== kind) {
    throw new EdgewardError(
      'EW_STORE_VERSION',
      `${directory} holds a ${marker.kind}, not a ${kind}: choose another dataDir.`,
    );
  }
  return marker;
}

export function writeMarker(file: string, marker: Marker): Promise<void> {
  return writeFileAtomic(file, `${JSON.stringify(marker)}\n`);
}

export function isThere(name: string): Promise<boolean> {
  return stat(name).then(
    () => true,
    () => false,
  );
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw new EdgewardError(
      'EW_STORE_WRITE',
      `${file} cannot be read (${messageOf(error)}): let this user read and write its folder, or choose another dataDir.`,
      { cause: error },
    );
  }
}

function parseObject(text: string): Partial<Marker> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function isWhole(marker: Partial<Marker>): marker is Marker {
  return (
    typeof marker.kind === 'string' &&
    typeof marker.id === 'string' &&
    Number.isSafeInteger(marker.version) &&
    Number.isSafeInteger(marker.starts)
  );
}
