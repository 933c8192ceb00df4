/** Blocks within LevelDB's tables. */
import { crc32c } from './crc32c.js';

export interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** Kind of compression, and checksum, behind each block. */
export const trailerBytes = 5;

export function isWhole(file: Buffer, { offset, size }: Handle): boolean {
  const end = offset + size;
  if (size < 8 || end + trailerBytes > file.length) return false;
  return checksumOf(file.subarray(offset, end + 1)) === file.readUInt32LE(end + 1);
}

/** Writes the checksum at the end of a block that has room for it. */
export function seal(block: Buffer): void {
  block.writeUInt32LE(checksumOf(block.subarray(0, block.length - 4)), block.length - 4);
}

/** LevelDB stores checksums turned and shifted, since it takes checksums of what holds checksums. */
function checksumOf(bytes: Buffer): number {
  const crc = crc32c(bytes);
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
