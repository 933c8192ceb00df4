/**
 * Finds damage that LevelDB passes over. Most bit flips in its log, a cut or missing log file, even a missing CURRENT
 * file let it open as if all were well, with data gone.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

/** Sizes of a store's files by name, bytes. */
export type FileSizes = Readonly<Record<string, number>>;

const dataFile = /^(CURRENT|MANIFEST-\d+|\d+\.(log|ldb|sst))$/;

/** Only the files that hold data; empty for a folder that is not there. */
export async function dataFilesOf(directory: string): Promise<FileSizes> {
  const sizes: Record<string, number> = {};
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter(name => dataFile.test(name)).sort())
    sizes[name] = (await stat(path.join(directory, name))).size;
  return sizes;
}

/**
 * What is no longer as a clean end left it, in sentences.
 * @param before  what there was then; undefined after a crash, when only the log is sure to be there
 */
export function lostSince(before: FileSizes | undefined, now: FileSizes): string[] {
  if (!before) {
    const hasLog = Object.keys(now).some(name => name.endsWith('.log'));
    return hasLog ? [] : ['Its log file is gone: what was written last is lost.'];
  }
  return Object.entries(before).flatMap(([name, bytes]) => {
    const size = now[name];
    if (size === undefined) return [`${name} (${bytes} bytes) is gone.`];
    return size < bytes ? [`${name} was cut from ${bytes} to ${size} bytes.`] : [];
  });
}

/** What LevelDB itself noted about dropped bytes when it was opened last, line by line. */
export async function droppedBytes(directory: string): Promise<string[]> {
  const text = await readFile(path.join(directory, 'LOG'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter(line => /dropping \d+ bytes|ignoring error/i.test(line))
    .map(line => line.replace(/^\S+ \S+ /, '').slice(0, 200))
    .slice(0, 20);
}
