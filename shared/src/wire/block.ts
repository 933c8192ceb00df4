/**
 * Wire versions 1 and 2: one block = one batch, as one stream of bits, then CRC-32C of all before. Version 2 is that of
 * a traced block: its header carries the context, and all else is as in version 1. The page that says how to read one
 * is shared/wire.md.
 *
 * Every block stands alone but for its schema, which it names. What comes back is what went in, to the bit.
 */
import type { RecordBatch, Schema, TraceContext } from '../contracts.js';
import { crc32c } from '../crc32c.js';
import { EdgewardError, messageOf } from '../errors.js';
import { BitReader } from './bit-reader.js';
import { BitWriter } from './bit-writer.js';
import { checkBatch } from './check-batch.js';
import { readColumns, writeColumns } from './columns.js';
import { type Described, describe } from './described.js';
import { type BlockHeader, type BlockId, parseHeader, writeHeader } from './header.js';
import { corrupt, tracedWireVersion, wireLimits, wireVersion } from './limits.js';
import { type BlockDevice, surveyRows } from './row-order.js';
import { spliced } from './splice.js';
import { bytesOfTrace, traceBytes } from './trace.js';

export { type Described, describe, describedToJson, parseDescribed } from './described.js';
export { type BlockClock, type BlockHeader, type BlockId, epochPattern } from './header.js';
export { tracedWireVersion, wireLimits, wireVersion } from './limits.js';
export type { BlockDevice } from './row-order.js';

export interface Block {
  readonly header: BlockHeader;
  readonly batch: RecordBatch;
}

export interface Encoded {
  readonly bytes: Uint8Array;
  readonly described: Described;
  readonly devices: readonly BlockDevice[];
}

const checksumBytes = 4;
const writer = new BitWriter();

/**
 * Evidence may be thinned: of more than fits, every device keeps its first before any keeps a second.
 * @throws TypeError for a batch that no decoder would take: sent, it would be refused and sent again for ever
 */
export function encodeBlock(id: BlockId, batch: RecordBatch): Uint8Array {
  return encodeWithRows(id, batch).bytes;
}

/** The same, and which rows it has, as `readHeader` would say. @throws TypeError as `encodeBlock` */
export function encodeWithRows(id: BlockId, batch: RecordBatch): Encoded {
  checkBatch(batch);
  const described = describe(batch.schema, batch.model);
  const devices = surveyRows(batch);
  const rows = { schemaId: described.id, rows: batch.time.length, devices };
  writer.clear();
  writeHeader(writer, id, rows);
  writeColumns(writer, rows, id.atMs, batch);
  const length = writer.byteLength;
  const total = length + checksumBytes;
  if (total > wireLimits.maxBytes) throw new TypeError(`${total} bytes are more than ${wireLimits.maxBytes}`);
  const bytes = Buffer.allocUnsafe(total);
  writer.copyInto(bytes);
  seal(bytes);
  return { bytes, described, devices };
}

/**
 * A block of version 1 as one of version 2: to the bit what `encodeBlock` makes with that trace in the id. One that
 * would become too large stays as it is.
 * @throws EW_BLOCK_CORRUPT; TypeError for a trace that is none
 */
export function withTrace(bytes: Uint8Array, trace: TraceContext): Uint8Array {
  const context = bytesOfTrace(trace);
  const from = open(bytes);
  if (bytes[0] !== wireVersion || bytes.length + traceBytes > wireLimits.maxBytes) return bytes;
  const place = { traceAt: 0 };
  parseHeader(from, place);
  const made = spliced(bytes, place.traceAt, context);
  made[0] = tracedWireVersion;
  seal(made);
  return made;
}

/** The last bytes become the checksum of all before. */
function seal(bytes: Buffer): void {
  const length = bytes.length - checksumBytes;
  bytes.writeUInt32LE(crc32c(bytes, length), length);
}

/**
 * Checks length, checksum and header, without touching the columns.
 * @throws EW_BLOCK_CORRUPT, EW_BLOCK_VERSION
 */
export function readHeader(bytes: Uint8Array): BlockHeader {
  try {
    return parseHeader(open(bytes));
  } catch (error) {
    throw refusal(error);
  }
}

/**
 * Columns of small blocks may lie in one ArrayBuffer with those of others: what is given away with its `buffer`, as to
 * a worker, is copied first. Whoever keeps one of them keeps that buffer, 16 kB.
 * @param describedOf  what is known under a schema id
 * @throws EW_BLOCK_CORRUPT, EW_BLOCK_VERSION, EW_SCHEMA_UNKNOWN
 */
export function decodeBlock(bytes: Uint8Array, describedOf: (id: string) => Described | undefined): Block {
  try {
    const from = open(bytes);
    const header = parseHeader(from);
    const described = describedOf(header.schemaId);
    if (!described)
      throw new EdgewardError('EW_SCHEMA_UNKNOWN', `Ask the sender for schema ${header.schemaId}.`);
    checkFit(header, described.schema);
    return { header, batch: readColumns(from, header, described) };
  } catch (error) {
    throw refusal(error);
  }
}

/** Whatever a hostile block makes a decoder do, its caller sees one error. */
function refusal(error: unknown): EdgewardError {
  return error instanceof EdgewardError ? error : corrupt(messageOf(error).slice(0, 300));
}

function checkFit({ rows, devices }: BlockHeader, schema: Schema): void {
  const fields = schema.fields.length;
  if (rows * fields > wireLimits.maxReadings) throw corrupt(`${rows} rows of ${fields} fields are too many`);
  for (let place = 0; place < devices.length; place++)
    if (devices[place]!.index >= schema.devices.length)
      throw corrupt('it has rows of a device that its schema has not');
}

/** Its bits, once they are known to be all there and as they were sent. */
function open(bytes: Uint8Array): BitReader {
  if (bytes.length <= checksumBytes) throw corrupt(`${bytes.length} bytes are none`);
  if (bytes[0] !== wireVersion && bytes[0] !== tracedWireVersion) throw otherVersion(bytes);
  if (bytes.length > wireLimits.maxBytes)
    throw corrupt(`${bytes.length} bytes are more than ${wireLimits.maxBytes}`);
  const length = bytes.length - checksumBytes;
  if (crc32c(bytes, length) !== checksumAt(bytes, length)) throw corrupt('its checksum is wrong');
  return new BitReader(bytes, length);
}

function checksumAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Blocks of version 0 began with 'EW' and a zero. */
function otherVersion(bytes: Uint8Array): EdgewardError {
  const old = bytes[0] === 0x45 && bytes[1] === 0x57 && bytes[2] === 0;
  const version = old ? 0 : bytes[0];
  return new EdgewardError(
    'EW_BLOCK_VERSION',
    `Version ${version}; this release reads ${wireVersion} and ${tracedWireVersion}.`,
  );
}
