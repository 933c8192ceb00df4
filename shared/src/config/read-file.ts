import { readFile, stat } from 'node:fs/promises';
import { EdgewardError, messageOf } from '../errors.js';
import { ConfigError } from './issue.js';

const maxBytes = 1024 * 1024;

/**
 * @throws EW_CONFIG_FILE if there is no readable file of at most 1 MiB; EW_CONFIG_INVALID if it is not UTF-8
 */
export async function readConfigText(file: string): Promise<string> {
  return decode(file, await readBytes(file));
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    // Before opening: to open a pipe would wait for a writer.
    const found = await stat(file);
    if (found.isDirectory()) throw unreadable(file, 'It is a directory. Name the YAML file in it.');
    if (!found.isFile()) throw unreadable(file, 'It is not a regular file. Name a YAML file.');
    if (found.size > maxBytes) throw unreadable(file, 'It is larger than 1 MiB, so it is no configuration.');
    return await readFile(file);
  } catch (error) {
    if (error instanceof EdgewardError) throw error;
    throw unreadable(file, reasonOf(error), error);
  }
}

function unreadable(file: string, why: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EW_CONFIG_FILE', `${file}: ${why}`, { cause });
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'It does not exist. Check the path after -c.';
  if (code === 'EACCES' || code === 'EPERM') return 'This user may not read it. Check its owner and mode.';
  return messageOf(error);
}

function decode(file: string, bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ConfigError([
      {
        file,
        line: firstBadLine(bytes),
        column: 1,
        field: '',
        problem: 'bytes that are not UTF-8 text',
        remedy: 'save the file as UTF-8',
      },
    ]);
  }
}

function firstBadLine(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let line = 1, from = 0; ; line++) {
    const end = bytes.indexOf(0x0a, from);
    try {
      decoder.decode(bytes.subarray(from, end < 0 ? bytes.length : end));
    } catch {
      return line;
    }
    if (end < 0) return line;
    from = end + 1;
  }
}
