/** Reads the files of a file sink back, and changes nothing. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { SinkAudit, SinkRows } from './audit.js';
import { type Checkpoint, readCheckpoint, segmentFiles } from './file-segments.js';

const lineSchema = z.object({
  gateway: z.string(),
  device: z.string(),
  epoch: z.string(),
  seq: z.number(),
  row: z.number(),
});

type Line = z.output<typeof lineSchema>;

interface Part {
  readonly name: string;
  /** How much of it is committed, bytes. */
  readonly bytes: number;
}

/** @throws EW_SINK_STATE if the checkpoint is unreadable */
export async function auditFiles(directory: string): Promise<SinkAudit> {
  const checkpoint = await readCheckpoint(path.join(directory, 'checkpoint.json'));
  const problems: string[] = [];
  const files = checkpoint
    ? (await segmentFiles(directory)).filter(({ number }) => number <= checkpoint.number)
    : [];
  const parts = await committed(directory, files, checkpoint?.file ?? null, problems);
  const begunLater = (checkpoint?.number ?? 0) > 0 && files[0]?.number !== 1;
  return {
    cursor: checkpoint?.cursor ?? undefined,
    begunLater,
    problems,
    rows: () => rowsOf(directory, parts, problems),
  };
}

async function committed(
  directory: string,
  files: readonly { name: string }[],
  current: Checkpoint['file'],
  problems: string[],
): Promise<Part[]> {
  const parts: Part[] = [];
  for (const { name } of files) {
    const { size } = await stat(path.join(directory, name));
    const bytes = name === current?.name ? Math.min(size, current.bytes) : size;
    parts.push({ name, bytes });
    if (name === current?.name && size < current.bytes)
      problems.push(`${name} has ${size} bytes, and ${current.bytes} were committed to it.`);
  }
  if (current && !files.some(({ name }) => name === current.name))
    problems.push(`${current.name}, its newest file, is gone.`);
  return parts;
}

async function* rowsOf(
  directory: string,
  parts: readonly Part[],
  problems: string[],
): AsyncGenerator<SinkRows> {
  for (const part of parts) {
    if (part.bytes === 0) continue;
    const runs = new Runs();
    let bad = 0;
    for await (const text of linesOf(path.join(directory, part.name), part.bytes)) {
      const line = parseLine(text);
      if (line) yield* runs.add(line);
      else bad += 1;
    }
    yield* runs.end();
    if (bad > 0) problems.push(`${part.name} has ${bad} lines that are no rows.`);
  }
}

function linesOf(file: string, bytes: number): AsyncIterable<string> {
  return createInterface({
    input: createReadStream(file, { end: bytes - 1 }),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
}

function parseLine(text: string): Line | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Rows of one block that follow each other, device by device. */
class Runs {
  #block = '';
  readonly #open = new Map<string, { -readonly [K in keyof SinkRows]: SinkRows[K] }>();
  /** Rows that came before. */
  readonly #again: SinkRows[] = [];

  *add({ row, ...line }: Line): Generator<SinkRows> {
    const block = `${line.gateway}/${line.epoch}/${line.seq}`;
    if (block !== this.#block) yield* this.end();
    this.#block = block;
    const run = this.#open.get(line.device);
    const alone = { ...line, first: row, last: row, count: 1 };
    if (!run) this.#open.set(line.device, alone);
    else if (row <= run.last) this.#again.push(alone);
    else {
      run.last = row;
      run.count += 1;
    }
  }

  *end(): Generator<SinkRows> {
    yield* this.#open.values();
    yield* this.#again.splice(0);
    this.#open.clear();
  }
}
