import { pathOption } from '@edgeward/shared/config';
import type { Cursor, Delivery, Note, Sink } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { settled } from '@edgeward/shared/settled';
import { z } from 'zod';
import { defineSink } from './define.js';
import { auditFiles } from './file-audit.js';
import { type SegmentOptions, Segments } from './file-segments.js';
import { encodeRows } from './ndjson.js';
import { notYetStored } from './received.js';

export const fileConfig = z.strictObject({
  directory: pathOption().meta({
    description: 'Folder for the files and their checkpoint',
    examples: ['./readings'],
  }),
  maxBytes: z
    .int()
    .min(1024)
    .default(64 * 1024 * 1024)
    .meta({ description: 'Begin a new file before this one grows beyond', unit: 'bytes' }),
  maxAgeMs: z
    .int()
    .min(1)
    .default(3_600_000)
    .meta({ description: 'Begin a new file once this one is that old, with the next row', unit: 'ms' }),
  keepFiles: z
    .int()
    .min(1)
    .optional()
    .meta({ description: 'Delete the oldest files beyond this number; absent: keep all' }),
});

/** NDJSON files (see ndjson.ts), rotated by size and age; no row twice or missing after a crash. */
export const file = defineSink({
  type: 'file',
  config: fileConfig,
  create: (config, { log, clock }) => new FileSink({ ...config, keepFiles: config.keepFiles, log, clock }),
  audit: ({ directory }) => auditFiles(directory),
});

export class FileSink implements Sink {
  readonly #segments: Segments;
  #recovered = false;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: SegmentOptions) {
    this.#segments = new Segments(options);
  }

  cursor(): Promise<Cursor | undefined> {
    return this.#exclusively(async () => {
      await this.#recover();
      return this.#segments.cursor;
    });
  }

  /** @throws EW_SINK_WRITE with nothing committed; the same call may be made again */
  write(deliveries: readonly Delivery[], after: Cursor, deadline: AbortSignal): Promise<void> {
    return this.#changing(async () => {
      await this.#append(notYetStored(deliveries, this.#segments.cursor, after.journal), deadline);
      await this.#segments.commit(after);
    });
  }

  /** @throws as `write` */
  replay(
    letter: string,
    deliveries: readonly Delivery[],
    _notes: readonly Note[],
    deadline: AbortSignal,
  ): Promise<void> {
    return this.#changing(async () => {
      const { letters, cursor } = this.#segments;
      if (letters.includes(letter)) return;
      await this.#append(deliveries, deadline);
      await this.#segments.commit(cursor, [...letters, letter]);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#exclusively(async () => {
      this.#recovered = false;
      await this.#segments.close();
    });
  }

  #changing(change: () => Promise<void>): Promise<void> {
    return this.#exclusively(async () => {
      await this.#recover();
      try {
        await change();
      } catch (error) {
        // The way back is the same as after a crash: from the checkpoint.
        this.#recovered = false;
        throw unwritable(error);
      }
    });
  }

  async #append(deliveries: readonly Delivery[], deadline: AbortSignal): Promise<void> {
    for (const delivery of deliveries) {
      deadline.throwIfAborted();
      await this.#segments.append(encodeRows(delivery));
    }
    deadline.throwIfAborted();
  }

  async #recover(): Promise<void> {
    if (this.#recovered) return;
    try {
      await this.#segments.recover();
    } catch (error) {
      throw error instanceof EdgewardError ? error : unwritable(error);
    }
    this.#recovered = true;
  }

  /** Dispose may come while a write is under way. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = settled(done);
    return done;
  }
}

function unwritable(error: unknown): EdgewardError {
  return new EdgewardError('EW_SINK_WRITE', messageOf(error), { cause: error });
}
