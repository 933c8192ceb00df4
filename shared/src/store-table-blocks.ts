/** Blocks within LevelDB's tables. */
import { crc32c, crc32cBegin, crc32cStep } from './crc32c.js';

export interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** Kind of compression, and checksum, behind each block. */
export const trailerBytes = 5;
/** No record, one restart, and how many of these there are. */
const leastBytes = 8;

export function isWhole(file: Buffer, { offset, size }: Handle): boolean {
  const end = offset + size;
  if (size < leastBytes || end + trailerBytes > file.length) return false;
  return checksumOf(file.subarray(offset, end + 1)) === file.readUInt32LE(end + 1);
}

/** Writes the checksum at the end of a block that has room for it. */
export function seal(block: Buffer): void {
  block.writeUInt32LE(checksumOf(block.subarray(0, block.length - 4)), block.length - 4);
}

/** A whole block that begins here, found by its checksum alone; undefined if none ends before `limit`. */
export function wholeBlockAt(file: Buffer, offset: number, limit: number): Handle | undefined {
  let state = crc32cBegin;
  for (let end = offset; end + trailerBytes <= limit; end++) {
    const size = end - offset;
    const isPlain = size >= leastBytes && file[end] === 0;
    if (isPlain && masked(~crc32cStep(state, 0)) === file.readUInt32LE(end + 1)) return { offset, size };
    state = crc32cStep(state, file[end]!);
  }
  return undefined;
}

function checksumOf(bytes: Buffer): number {
  return masked(crc32c(bytes));
}

/** LevelDB stores checksums turned and shifted, since it takes checksums of what holds checksums. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** @throws RangeError for a compressed one */
export function blockOf(file: Buffer, { offset, size }: Handle): Buffer {
  if (file[offset + size] !== 0) throw new RangeError('compressed block');
  return file.subarray(offset, offset + size);
}

export interface BlockKey {
  readonly sharedBytes: number;
  readonly rest: Buffer;
  /** Where its value begins. */
  readonly valueAt: number;
  readonly valueBytes: number;
}

/** Where the records of a block end. */
export function endOf(block: Buffer): number {
  return block.length - 4 * (1 + block.readUInt32LE(block.length - 4));
}

/** @throws RangeError at what cannot be followed */
export function* keysOf(block: Buffer, from = 0, end = endOf(block)): Generator<BlockKey> {
  const cursor = new TableCursor(block, from);
  while (cursor.at < end) {
    const [sharedBytes, ownBytes, valueBytes] = [cursor.number(), cursor.number(), cursor.number()];
    const valueAt = cursor.at + ownBytes;
    yield { sharedBytes, rest: block.subarray(cursor.at, valueAt), valueAt, valueBytes };
    cursor.at = valueAt + valueBytes;
  }
}

export class TableCursor {
  readonly #file: Buffer;
  at: number;

  constructor(file: Buffer, at: number) {
    this.#file = file;
    this.at = at;
  }

  /** Seven bits a byte, lowest first. */
  number(): number {
    let [value, factor] = [0, 1];
    for (let byte = 0x80; byte >= 0x80; factor *= 128) {
      byte = this.#file.readUInt8(this.at);
      this.at += 1;
      value += (byte & 0x7f) * factor;
    }
    return value;
  }

  handle(): Handle {
    const offset = this.number();
    return { offset, size: this.number() };
  }
}
