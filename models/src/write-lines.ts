import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';

/**
 * Writes a CSV file, compressed if its name ends in .gz: whole or not at all, so that it may be one that `lines` reads.
 * @param lines  below the head, each with its line break, in pieces of any size
 * @returns      exit code: 0 all written, 1 stopped before the end
 * @throws       EW_USAGE if `out` cannot be written, and what `lines` throws
 */
export async function writeLines(
  out: string,
  columns: readonly string[],
  lines: AsyncIterable<string>,
  stop: AbortSignal,
): Promise<number> {
  const text = Readable.from(breathing(columns, lines), { highWaterMark: 2 });
  const part = `${out}.part-${process.pid}`;
  try {
    const file = createWriteStream(part);
    if (out.endsWith('.gz')) await pipeline(text, createGzip({ level: 1 }), file, { signal: stop });
    else await pipeline(text, file, { signal: stop });
    await rename(part, out);
    return 0;
  } catch (error) {
    await rm(part, { force: true });
    if (stop.aborted) return 1;
    if (!isOf(error, part)) throw error;
    const detail = `--out ${JSON.stringify(out)} cannot be written (${messageOf(error)}): name another file.`;
    throw new EdgewardError('EW_USAGE', detail, { cause: error });
  }
}

/** Scoring leaves no pause in which a signal could be seen. */
async function* breathing(columns: readonly string[], lines: AsyncIterable<string>): AsyncGenerator<string> {
  yield `${columns.join()}\n`;
  for await (const piece of lines) {
    yield piece;
    await setImmediate();
  }
}

function isOf(error: unknown, path: string): boolean {
  return error instanceof Error && 'path' in error && error.path === path;
}
