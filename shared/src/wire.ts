/**
 * Wire version 0: one block = one batch, as raw typed columns behind a JSON header, under one CRC-32C.
 *
 *   0  'EW'            2  version (0)      3  zero
 *   4  u32 crc32c of all bytes from 8      8  u32 total length   12  u32 header length
 *  16  header, UTF-8 JSON, padded with spaces to a multiple of 8
 *      columns, each starting at a multiple of 8, in the order of `layout` below
 *
 * Numbers are little-endian. Every block stands alone but for its schema, which its header names by id.
 */
import { createHash } from 'node:crypto';
import type { DeviceRows } from './batch.js';
import type { Column, Described, Evidence, Field, RecordBatch, Schema } from './contracts.js';
import { crc32c } from './crc32c.js';
import { EdgewardError, messageOf } from './errors.js';
import { getOrMake } from './maps.js';
import {
  type BlockDevice,
  type BlockHeader,
  type BlockId,
  describedSchema,
  type Header,
  headerSchema,
  wireLimits,
} from './wire-header.js';

export type { BlockDevice, BlockHeader, BlockId } from './wire-header.js';

export const wireVersion = 0;
const prefixBytes = 16;
/** Header bytes that evidence may take, of those a header may have. */
const maxEvidenceBytes = 256 * 1024;

export interface Block {
  readonly header: BlockHeader;
  readonly batch: RecordBatch;
}

const describedSchemas = new WeakMap<Schema, Map<string | undefined, Described>>();

/** The id is a hash of the content: equal content has equal ids wherever it is described. */
export function describe(schema: Schema, model?: string): Described {
  const models = describedSchemas.get(schema) ?? new Map<string | undefined, Described>();
  describedSchemas.set(schema, models);
  return getOrMake(models, model, () => {
    const { type, fields, devices } = schema;
    const canonical = JSON.stringify([type, fields.map(field => fieldFacts(field)), devices, model ?? null]);
    const id = createHash('sha256').update(canonical).digest('hex').slice(0, 16);
    return { id, schema, ...(model !== undefined && { model }) };
  });
}

function fieldFacts({ name, kind, unit, min, max, maxRate, stuckAfter }: Field): unknown[] {
  return [name, kind, unit ?? null, min ?? null, max ?? null, maxRate ?? null, stuckAfter ?? null];
}

export function describedToJson({ schema, model }: Described): unknown {
  const { type, fields, devices } = schema;
  return { type, fields, devices, ...(model !== undefined && { model }) };
}

/** Undefined for anything that describes no block. */
export function parseDescribed(json: unknown): Described | undefined {
  const parsed = describedSchema.safeParse(json).data;
  if (!parsed) return undefined;
  const { model, ...schema } = parsed;
  return describe(schema as Schema, model);
}

/**
 * Evidence may be thinned: of more than fits, every device keeps its first before any keeps a second.
 * @throws TypeError for a batch that no decoder would take: sent, it would be refused and sent again for ever
 */
export function encodeBlock(id: BlockId, batch: RecordBatch): Uint8Array {
  const text = JSON.stringify(headerOf(id, batch));
  const json = Buffer.from(text, 'utf8');
  const headerBytes = align(json.length);
  const columns = columnsOf(batch);
  const total = columns.reduce((sum, column) => sum + align(column.byteLength), prefixBytes + headerBytes);
  checkReadable(text, headerBytes, total, batch);
  const bytes = Buffer.alloc(total);
  bytes.write('EW', 0, 'latin1');
  bytes[2] = wireVersion;
  bytes.writeUInt32LE(total, 8);
  bytes.writeUInt32LE(headerBytes, 12);
  bytes.fill(0x20, prefixBytes, prefixBytes + headerBytes);
  json.copy(bytes, prefixBytes);
  let offset = prefixBytes + headerBytes;
  for (const column of columns) {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), offset);
    offset += align(column.byteLength);
  }
  bytes.writeUInt32LE(crc32c(bytes.subarray(8)), 4);
  return bytes;
}

/**
 * Checks length, checksum and header, without touching the columns.
 * @throws EW_BLOCK_CORRUPT, EW_BLOCK_VERSION
 */
export function readHeader(bytes: Uint8Array): BlockHeader {
  return publicHeader(parse(bytes).header);
}

/**
 * The whole block. Columns are views into `bytes` where it is aligned to 8, else into one aligned copy.
 * @throws EW_BLOCK_CORRUPT, EW_BLOCK_VERSION; EW_SCHEMA_UNKNOWN if `describedOf` does not know its schema's id
 */
export function decodeBlock(bytes: Uint8Array, describedOf: (id: string) => Described | undefined): Block {
  const { header, columnsAt } = parse(bytes);
  const described = describedOf(header.schemaId);
  if (!described) {
    throw new EdgewardError('EW_SCHEMA_UNKNOWN', `Schema ${header.schemaId} has not been told yet.`);
  }
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : Uint8Array.from(bytes);
  const reader = new ColumnReader(aligned, columnsAt);
  try {
    const batch = readColumns(header, described, reader);
    checkRows(header, batch);
    return { header: publicHeader(header), batch };
  } catch (error) {
    if (error instanceof EdgewardError) throw error;
    throw corrupt(messageOf(error));
  }
}

function checkReadable(header: string, headerBytes: number, total: number, batch: RecordBatch): void {
  try {
    checkSizes(headerBytes, total);
    checkRows(parseHeader(header), batch);
    checkDescribed(describe(batch.schema, batch.model));
  } catch (error) {
    throw new TypeError(`The batch makes no block: ${messageOf(error)}`, { cause: error });
  }
}

const checked = new WeakSet<Described>();

function checkDescribed(described: Described): void {
  if (checked.has(described)) return;
  describedSchema.parse(describedToJson(described));
  checked.add(described);
}

function checkSizes(headerBytes: number, total: number): void {
  if (total > wireLimits.maxBytes) throw corrupt(`${total} bytes are more than ${wireLimits.maxBytes}`);
  if (headerBytes > wireLimits.maxHeaderBytes || prefixBytes + headerBytes > total)
    throw corrupt('its header is cut short');
}

function headerOf(id: BlockId, batch: RecordBatch): Header {
  const evidence = fittingEvidence(batch);
  const present = (list: readonly (Uint8Array | undefined)[] | undefined) =>
    (list ?? []).flatMap((column, f) => (column ? [f] : []));
  return {
    epoch: id.epoch,
    seq: id.seq,
    oldestEpoch: id.oldestEpoch,
    atMs: id.atMs,
    ...(id.voids?.length && {
      voids: id.voids.map(([from, through]) => [from, through] as [number, number]),
    }),
    ...(id.clock && { clock: id.clock }),
    schemaId: describe(batch.schema, batch.model).id,
    rows: batch.time.length,
    devices: blockDevices(batch),
    ...(evidence.length && { evidence: evidence as NonNullable<Header['evidence']> }),
    missing: present(batch.missing),
    fieldQuality: present(batch.fieldQuality),
    score: batch.score !== undefined,
    anomaly: batch.anomaly !== undefined,
  };
}

/** An alarm all over a site explains itself for each device of it, and not at the price of the rows. */
function fittingEvidence(batch: RecordBatch): readonly Evidence[] {
  const all = batch.evidence ?? [];
  const bytes = all.map(evidence => Buffer.byteLength(JSON.stringify(evidence)) + 1);
  if (bytes.reduce((sum, one) => sum + one, 0) <= maxEvidenceBytes) return all;
  const firstOf = new Map<number | undefined, number>();
  for (const [i, { at }] of all.entries()) getOrMake(firstOf, batch.device[at], () => i);
  const kept = new Set<number>();
  let room = maxEvidenceBytes;
  for (const i of new Set([...firstOf.values(), ...all.keys()])) {
    if (bytes[i]! > room) break;
    room -= bytes[i]!;
    kept.add(i);
  }
  return all.filter((_, i) => kept.has(i));
}

/** The order of columns on the wire. */
function columnsOf(batch: RecordBatch): ArrayBufferView[] {
  const given = (list: readonly (Uint8Array | undefined)[] | undefined) =>
    (list ?? []).filter((column): column is Uint8Array => column !== undefined);
  return [
    batch.time,
    batch.row,
    ...batch.values.map(column => (isText(column) ? packText(column) : column)),
    batch.device,
    batch.quality,
    ...given(batch.missing),
    ...given(batch.fieldQuality),
    ...(batch.score ? [batch.score] : []),
    ...(batch.anomaly ? [batch.anomaly] : []),
  ];
}

function isText(column: Column): column is readonly string[] {
  return Array.isArray(column);
}

/** u32 length, then a JSON array. */
function packText(column: readonly string[]): Buffer {
  const json = Buffer.from(JSON.stringify(column), 'utf8');
  const packed = Buffer.alloc(4 + json.length);
  packed.writeUInt32LE(json.length, 0);
  json.copy(packed, 4);
  return packed;
}

function parse(bytes: Uint8Array): { header: Header; columnsAt: number } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < prefixBytes || view.toString('latin1', 0, 2) !== 'EW')
    throw corrupt('it does not begin as a block');
  if (view[2] !== wireVersion)
    throw new EdgewardError('EW_BLOCK_VERSION', `Version ${view[2]}; this release reads ${wireVersion}.`);
  const [total, headerBytes] = [view.readUInt32LE(8), view.readUInt32LE(12)];
  if (total !== view.length) throw corrupt(`it says ${total} bytes and has ${view.length}`);
  checkSizes(headerBytes, total);
  if (crc32c(view.subarray(8)) !== view.readUInt32LE(4)) throw corrupt('its checksum is wrong');
  return {
    header: parseHeader(view.toString('utf8', prefixBytes, prefixBytes + headerBytes)),
    columnsAt: prefixBytes + headerBytes,
  };
}

function parseHeader(json: string): Header {
  try {
    return headerSchema.parse(JSON.parse(json));
  } catch (error) {
    throw corrupt(`its header is not understood: ${messageOf(error).slice(0, 300)}`);
  }
}

function publicHeader(header: Header): BlockHeader {
  const { epoch, seq, oldestEpoch, atMs, voids, clock, schemaId, rows, devices, evidence } = header;
  return {
    epoch,
    seq,
    oldestEpoch,
    atMs,
    ...(voids && { voids }),
    ...(clock && { clock }),
    schemaId,
    rows,
    devices,
    ...(evidence && { evidence: evidence as readonly Evidence[] }),
  };
}

/** Hands out columns in order and refuses to read past the end. */
class ColumnReader {
  #offset: number;
  constructor(
    private readonly bytes: Uint8Array,
    offset: number,
  ) {
    this.#offset = offset;
  }

  take(byteLength: number): { buffer: ArrayBufferLike; byteOffset: number } {
    const at = this.#offset;
    if (at + byteLength > this.bytes.length) throw corrupt('its columns are cut short');
    this.#offset += align(byteLength);
    return { buffer: this.bytes.buffer, byteOffset: this.bytes.byteOffset + at };
  }

  floats(n: number): Float64Array {
    const { buffer, byteOffset } = this.take(8 * n);
    return new Float64Array(buffer as ArrayBuffer, byteOffset, n);
  }

  bytesOf(n: number): Uint8Array {
    const { buffer, byteOffset } = this.take(n);
    return new Uint8Array(buffer, byteOffset, n);
  }

  text(n: number): string[] {
    const start = this.#offset;
    const length = Buffer.from(this.bytesOf(4)).readUInt32LE(0);
    this.#offset = start;
    const packed = this.bytesOf(4 + length);
    const list: unknown = JSON.parse(Buffer.from(packed.subarray(4)).toString('utf8'));
    if (!Array.isArray(list) || list.length !== n || !list.every(item => typeof item === 'string')) {
      throw corrupt('a text column does not hold one text a row');
    }
    return list;
  }

  get atEnd(): boolean {
    return this.#offset === this.bytes.length;
  }
}

function readColumns(header: Header, { schema, model }: Described, reader: ColumnReader): RecordBatch {
  const n = header.rows;
  const time = reader.floats(n);
  const row = reader.floats(n);
  const values = schema.fields.map(field => readColumn(field.kind, n, reader));
  const device = shorts(n, reader);
  const quality = shorts(n, reader);
  const spread = (indexes: readonly number[], size: number) => {
    const list: (Uint8Array | undefined)[] = new Array(schema.fields.length).fill(undefined);
    for (const f of indexes) list[checkIndex(f, list.length)] = reader.bytesOf(size);
    return list;
  };
  const missing = spread(header.missing, Math.ceil(n / 8));
  const fieldQuality = spread(header.fieldQuality, n);
  const score = header.score ? readScore(n, reader) : undefined;
  const anomaly = header.anomaly ? reader.bytesOf(n) : undefined;
  if (!reader.atEnd) throw corrupt('bytes are left behind its columns');
  return {
    schema,
    time,
    device,
    row,
    values,
    quality,
    ...(header.missing.length && { missing }),
    ...(header.fieldQuality.length && { fieldQuality }),
    ...(model !== undefined && { model }),
    ...(score && { score }),
    ...(anomaly && { anomaly }),
    ...(header.evidence && { evidence: header.evidence as readonly Evidence[] }),
  };
}

function readColumn(kind: Field['kind'], n: number, reader: ColumnReader): Column {
  switch (kind) {
    case 'float':
      return reader.floats(n);
    case 'int': {
      const { buffer, byteOffset } = reader.take(8 * n);
      return new BigInt64Array(buffer as ArrayBuffer, byteOffset, n);
    }
    case 'bool':
      return reader.bytesOf(n);
    case 'string':
      return reader.text(n);
  }
}

function shorts(n: number, reader: ColumnReader): Uint16Array {
  const { buffer, byteOffset } = reader.take(2 * n);
  return new Uint16Array(buffer as ArrayBuffer, byteOffset, n);
}

function readScore(n: number, reader: ColumnReader): Float32Array {
  const { buffer, byteOffset } = reader.take(4 * n);
  return new Float32Array(buffer as ArrayBuffer, byteOffset, n);
}

/** What the ledger will count must be what the columns hold. */
function checkRows(header: Header, batch: RecordBatch): void {
  for (const index of batch.device) checkIndex(index, batch.schema.devices.length);
  const found = blockDevices(batch);
  if (JSON.stringify(found) !== JSON.stringify(header.devices))
    throw corrupt('its header and its rows disagree');
  const last = new Map<number, number>();
  for (const [i, row] of batch.row.entries()) {
    if (!(row > (last.get(batch.device[i]!) ?? 0))) throw corrupt('its row numbers do not rise');
    last.set(batch.device[i]!, row);
  }
  for (const evidence of header.evidence ?? []) checkIndex(evidence.at, header.rows);
}

/** Rows by device, in the order in which devices first appear. */
export function blockDevices({ device, row }: Pick<RecordBatch, 'device' | 'row'>): BlockDevice[] {
  const found = new Map<number, { first: number; last: number; count: number }>();
  for (let i = 0; i < row.length; i++) {
    const seen = found.get(device[i]!);
    if (!seen) found.set(device[i]!, { first: row[i]!, last: row[i]!, count: 1 });
    else {
      seen.last = row[i]!;
      seen.count += 1;
    }
  }
  return [...found].map(([index, rows]) => ({ index, ...rows }));
}

/** The same under the devices' names. */
export function namedRows(devices: readonly BlockDevice[], { schema }: Described): DeviceRows[] {
  return devices.map(({ index, first, last, count }) => ({
    device: schema.devices[checkIndex(index, schema.devices.length)]!,
    first,
    last,
    count,
  }));
}

function checkIndex(index: number, length: number): number {
  if (index >= length) throw corrupt(`index ${index} is outside 0…${length - 1}`);
  return index;
}

function align(bytes: number): number {
  return (bytes + 7) & ~7;
}

function corrupt(why: string): EdgewardError {
  return new EdgewardError('EW_BLOCK_CORRUPT', `It was refused because ${why}.`);
}
