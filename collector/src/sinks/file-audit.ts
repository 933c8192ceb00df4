/** Reads the files of a file sink back, and changes nothing. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { SinkAudit, SinkRows } from './audit.js';
import { type Checkpoint, readCheckpoint, segmentFiles } from './file-segments.js';
import { parseRow, Runs } from './row-runs.js';

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
      const row = parseRow(text);
      if (row) yield* runs.add(row);
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
