/**
 * Files of rows with one checkpoint beside them. What the checkpoint names is committed, and nothing else:
 * data is fsynced first, then the checkpoint is replaced atomically. After a crash or a failed write `recover`
 * cuts the current file back to its committed length and removes files that were begun later, so a row is in
 * the files exactly if the cursor has passed it. A reader who wants only committed rows reads the last file up
 * to the checkpoint's `bytes`.
 */
import { type FileHandle, open, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock, Cursor } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { isAbsent, makeFolder, syncFolder, writeFileAtomic } from '@edgeward/shared/files';
import type { Logger } from '@edgeward/shared/log';
import { z } from 'zod';

export interface SegmentOptions {
  readonly directory: string;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** How many files to keep, the current one included; undefined = all. */
  readonly keepFiles: number | undefined;
  readonly log: Logger;
  readonly clock: Clock;
  /** For tests that need a failing disk. */
  readonly openFile?: typeof open;
}

const rangeList = z.array(z.tuple([z.int(), z.int()]));

const checkpointSchema = z.strictObject({
  version: z.literal(1),
  cursor: z
    .strictObject({ journal: z.string(), position: z.int(), received: z.record(z.string(), rangeList) })
    .nullable(),
  /** The running number of the newest file; 0 = none yet. */
  number: z.int().min(0),
  /** Null once the file is gone or none was begun. */
  file: z.strictObject({ name: z.string(), bytes: z.int().min(0), openedMs: z.number() }).nullable(),
  /** The last dead letters that were replayed; absent = none. */
  letters: z.array(z.string()).optional(),
});

export type Checkpoint = z.output<typeof checkpointSchema>;

interface Segment {
  readonly handle: FileHandle;
  readonly name: string;
  readonly openedMs: number;
  bytes: number;
  /** Written to since its last fsync. */
  dirty: boolean;
}

/** A replay that was cut off is repeated soon, if at all. */
const maxLetters = 1000;
const checkpointName = 'checkpoint.json';
const namePattern = /^readings-\d{8}T\d{6}Z-(\d{6,})\.ndjson$/;

export class Segments {
  cursor: Cursor | undefined;
  /** Of dead letters that are among the rows. */
  letters: readonly string[] = [];
  readonly #options: SegmentOptions;
  readonly #open: typeof open;
  #number = 0;
  #current: Segment | undefined;

  constructor(options: SegmentOptions) {
    this.#options = options;
    this.#open = options.openFile ?? open;
  }

  /** @throws EW_SINK_STATE if the folder holds what no checkpoint of ours explains */
  async recover(): Promise<void> {
    await this.close();
    await makeFolder(this.#options.directory);
    const checkpoint = (await readCheckpoint(this.#path(checkpointName))) ?? (await this.#firstCheckpoint());
    await this.#removeNewerThan(checkpoint.number);
    this.#number = checkpoint.number;
    this.cursor = checkpoint.cursor ?? undefined;
    this.letters = checkpoint.letters ?? [];
    this.#current = checkpoint.file ? await this.#reopen(checkpoint.file) : undefined;
  }

  /** Behind the last row, in a new file if this one is full or old. Not committed yet. */
  async append(data: Uint8Array): Promise<void> {
    if (data.length === 0) return;
    if (this.#current && this.#isFull(this.#current, data.length)) await this.#finish();
    this.#current ??= await this.#begin();
    const segment = this.#current;
    segment.dirty = true;
    for (let done = 0; done < data.length; ) {
      const { bytesWritten } = await segment.handle.write(
        data,
        done,
        data.length - done,
        segment.bytes + done,
      );
      done += bytesWritten;
    }
    segment.bytes += data.length;
  }

  /** Resolves once all that was appended, and the cursor with it, would survive a power cut. */
  async commit(cursor: Cursor | undefined, letters = this.letters): Promise<void> {
    const segment = this.#current;
    if (segment) await flush(segment);
    const file = segment ? { name: segment.name, bytes: segment.bytes, openedMs: segment.openedMs } : null;
    const kept = letters.slice(-maxLetters);
    await this.#writeCheckpoint({
      version: 1,
      cursor: cursor ? asStored(cursor) : null,
      number: this.#number,
      file,
      ...(kept.length > 0 && { letters: kept }),
    });
    this.cursor = cursor;
    this.letters = kept;
    await this.#removeOldest();
  }

  /** Forgets what was not committed, as far as this process is concerned; `recover` cleans the files. */
  async close(): Promise<void> {
    const segment = this.#current;
    this.#current = undefined;
    await segment?.handle.close();
  }

  #isFull(segment: Segment, more: number): boolean {
    if (segment.bytes === 0) return false;
    const age = this.#options.clock.now() - segment.openedMs;
    return segment.bytes + more > this.#options.maxBytes || age >= this.#options.maxAgeMs;
  }

  async #begin(): Promise<Segment> {
    const openedMs = this.#options.clock.now();
    const time = new Date(openedMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
    const name = `readings-${time}-${String(this.#number + 1).padStart(6, '0')}.ndjson`;
    const handle = await this.#open(this.#path(name), 'wx', 0o640);
    this.#number += 1;
    // The checkpoint must never name a file whose directory entry a power cut could take back.
    await syncFolder(this.#options.directory);
    return { handle, name, openedMs, bytes: 0, dirty: false };
  }

  async #finish(): Promise<void> {
    if (this.#current) await flush(this.#current);
    await this.close();
  }

  async #reopen(file: NonNullable<Checkpoint['file']>): Promise<Segment | undefined> {
    const handle = await this.#open(this.#path(file.name), 'r+').catch(error => {
      if (!isAbsent(error)) throw error;
    });
    if (!handle) {
      this.#options.log.warn({ file: file.name }, 'the current file was taken away: beginning another');
      return undefined;
    }
    const { size } = await handle.stat();
    if (size < file.bytes) {
      await handle.close();
      this.#options.log.error(
        { file: file.name, bytes: size, committedBytes: file.bytes },
        'the current file is shorter than what was committed to it: rows were lost outside this process',
      );
      return undefined;
    }
    if (size > file.bytes) {
      await handle.truncate(file.bytes);
      await handle.datasync();
    }
    return { handle, ...file, dirty: false };
  }

  /** Written before any row, so that rows without a checkpoint are never ours to delete. */
  async #firstCheckpoint(): Promise<Checkpoint> {
    const [stray] = await segmentFiles(this.#options.directory);
    if (stray) {
      throw new EdgewardError(
        'EW_SINK_STATE',
        `${this.#options.directory} has ${stray.name} but no ${checkpointName}: move the files away or restore it.`,
      );
    }
    const checkpoint: Checkpoint = { version: 1, cursor: null, number: 0, file: null };
    await this.#writeCheckpoint(checkpoint);
    return checkpoint;
  }

  #writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return writeFileAtomic(this.#path(checkpointName), `${JSON.stringify(checkpoint)}\n`);
  }

  async #removeNewerThan(number: number): Promise<void> {
    for (const file of await segmentFiles(this.#options.directory))
      if (file.number > number) await rm(this.#path(file.name));
  }

  async #removeOldest(): Promise<void> {
    const { keepFiles, log } = this.#options;
    if (keepFiles === undefined) return;
    const files = await segmentFiles(this.#options.directory);
    for (const file of files.slice(0, Math.max(0, files.length - keepFiles))) {
      // The rows are committed: a file that will not go is not worth failing for.
      await rm(this.#path(file.name)).catch(error =>
        log.warn({ file: file.name, reason: messageOf(error) }, 'an old file could not be removed'),
      );
    }
  }

  #path(name: string): string {
    return path.join(this.#options.directory, name);
  }
}

/**
 * Undefined if there is none.
 * @throws EW_SINK_STATE if it is unreadable
 */
export async function readCheckpoint(file: string): Promise<Checkpoint | undefined> {
  try {
    return checkpointSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
    throw new EdgewardError(
      'EW_SINK_STATE',
      `${file} is unreadable: restore it, or move the whole folder away to start again.`,
      { cause: error },
    );
  }
}

/** Files of rows, oldest first. */
export async function segmentFiles(directory: string): Promise<{ name: string; number: number }[]> {
  const names = await readdir(directory);
  return names
    .map(name => ({ name, number: Number(namePattern.exec(name)?.[1] ?? 0) }))
    .filter(file => file.number > 0)
    .sort((a, b) => a.number - b.number);
}

async function flush(segment: Segment): Promise<void> {
  if (segment.dirty) await segment.handle.datasync();
  segment.dirty = false;
}

function asStored({ journal, position, received }: Cursor): NonNullable<Checkpoint['cursor']> {
  const lists = Object.entries(received).map(([key, list]) => [
    key,
    list.map(([from, through]): [number, number] => [from, through]),
  ]);
  return { journal, position, received: Object.fromEntries(lists) };
}
