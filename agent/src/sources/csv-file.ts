import { Buffer } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { crc32c } from '@edgeward/shared/crc32c';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { CsvProblem, type CsvRecords, CsvScanner } from './csv.js';
import { parseText } from './csv-values.js';

/** What is read at once; also about what a replay holds in memory. */
const blockBytes = 256 * 1024;
/** Enough rows to see which columns hold numbers. */
const sampleBytes = 64 * 1024;
export const maxRecordBytes = 64 * 1024;

export interface CsvFile {
  readonly path: string;
  readonly delimiter: number;
  readonly compressed: boolean;
  /** Column names, made unique by a suffix. */
  readonly header: readonly string[];
  /** Checksum of the header as it stands in the file. */
  readonly headerCrc: number;
  /** Where the first record after the header begins; in a compressed file, of its content. */
  readonly dataOffset: number;
  /** The first records, for a look at them. */
  readonly sample: CsvPiece;
}

/** Whole records of a file. */
export interface CsvPiece {
  readonly bytes: Uint8Array;
  /** Where `bytes` begin in the file; in a compressed file, in its content. */
  readonly offset: number;
  readonly records: CsvRecords;
}

/** @throws EW_SOURCE_INPUT if it is no CSV file, EW_SOURCE_UNAVAILABLE if there is none (yet) */
export async function openCsv(path: string, delimiter: number): Promise<CsvFile> {
  const { compressed, bytes, final } = await readStart(path);
  const bom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw inputError(path, 'is UTF-16. Save it as UTF-8.');
  }
  const lines = new CsvScanner({ delimiter, columns: 0, maxRecordBytes }).scan(bytes, final, bom);
  if (lines.count === 0) throw inputError(path, 'has no header line.');
  if (lines.problem[0] !== CsvProblem.none) throw inputError(path, 'has a header line that cannot be read.');
  const header = uniqueNames(bytes, lines);
  const dataOffset = lines.end[0]!;
  const scanner = new CsvScanner({ delimiter, columns: header.length, maxRecordBytes });
  return {
    path,
    delimiter,
    compressed,
    header,
    headerCrc: crc32c(bytes.subarray(lines.start[0], dataOffset)),
    dataOffset,
    sample: { bytes, offset: 0, records: scanner.scan(bytes, final, dataOffset) },
  };
}

/** @param from  where a record begins; pieces follow each other without a gap */
export async function* readPieces(file: CsvFile, from: number): AsyncGenerator<CsvPiece, void, void> {
  const scanner = new CsvScanner({
    delimiter: file.delimiter,
    columns: file.header.length,
    maxRecordBytes,
  });
  let rest: Uint8Array = new Uint8Array(0);
  let offset = from;
  for await (const { block, final } of markLast(readBlocks(file.path, file.compressed, from))) {
    const bytes = rest.length === 0 ? block : Buffer.concat([rest, block]);
    const records = scanner.scan(bytes, final);
    if (records.count > 0) yield { bytes, offset, records };
    rest = bytes.subarray(records.consumed);
    offset += records.consumed;
  }
}

/** Looks one block ahead, so that a last line without an end stays with those before it. */
async function* markLast(blocks: AsyncIterable<Buffer>) {
  let held: Buffer | undefined;
  let failure: unknown;
  try {
    for await (const block of blocks) {
      if (held) yield { block: held, final: false };
      held = block;
    }
  } catch (error) {
    failure = error;
  }
  // What came before the damage is as good as ever.
  if (held) yield { block: held, final: failure === undefined };
  if (failure !== undefined) throw failure;
}

/** The bytes from…through of the content, fewer if it ends before. */
export async function readSpan(file: CsvFile, from: number, through: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const block of readBlocks(file.path, file.compressed, from)) {
    parts.push(block);
    size += block.length;
    if (size >= through - from) break;
  }
  return Buffer.concat(parts).subarray(0, through - from);
}

export function inputError(path: string, problem: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EW_SOURCE_INPUT', `${path} ${problem}`, { cause });
}

async function readStart(path: string) {
  const magic = Buffer.alloc(2);
  for await (const block of readBlocks(path, false, 0)) {
    block.copy(magic);
    break;
  }
  const compressed = magic[0] === 0x1f && magic[1] === 0x8b;
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const block of readBlocks(path, compressed, 0)) {
    parts.push(block);
    size += block.length;
    if (size >= sampleBytes) break;
  }
  return { compressed, bytes: Buffer.concat(parts), final: size < sampleBytes };
}

async function* readBlocks(
  path: string,
  compressed: boolean,
  from: number,
): AsyncGenerator<Buffer, void, void> {
  try {
    yield* compressed ? readCompressed(path, from) : readPlain(path, from);
  } catch (error) {
    throw readError(path, error);
  }
}

async function* readPlain(path: string, from: number): AsyncGenerator<Buffer, void, void> {
  const handle = await open(path);
  try {
    for (let offset = from; ; ) {
      const block = Buffer.allocUnsafe(blockBytes);
      const { bytesRead } = await handle.read(block, 0, blockBytes, offset);
      if (bytesRead === 0) return;
      offset += bytesRead;
      yield block.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** There is no way into the middle of a compressed file but through its beginning. */
async function* readCompressed(path: string, from: number): AsyncGenerator<Buffer, void, void> {
  const content = createGunzip({ chunkSize: blockBytes });
  pipeline(createReadStream(path), content, () => {
    // A failure of either surfaces in the loop below.
  });
  let skip = from;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    const skipped = Math.min(skip, chunk.length);
    skip -= skipped;
    if (skipped < chunk.length) yield chunk.subarray(skipped);
  }
}

function readError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'ENOENT') {
    return new EdgewardError('EW_SOURCE_UNAVAILABLE', `There is no file ${path}.`, { cause: error });
  }
  if (error instanceof EdgewardError) return error;
  return inputError(path, `cannot be read: ${messageOf(error)}`, error);
}

function uniqueNames(bytes: Uint8Array, lines: CsvRecords): string[] {
  const names: string[] = [];
  for (let cell = lines.firstCell[0]!; cell < lines.firstCell[1]!; cell++) {
    const name = parseText(bytes, lines.cellStart[cell]!, lines.cellEnd[cell]!)?.trim() ?? '';
    let unique = name;
    for (let n = 2; names.includes(unique); n++) unique = `${name}_${n}`;
    names.push(unique);
  }
  return names;
}
