/**
 * Kafka's record batch, format 2, written row by row into one buffer: the general encoders of client libraries make
 * several objects for each record, which costs more than all the rest of this sink.
 *
 *   baseOffset int64, length int32, partitionLeaderEpoch int32, magic int8, crc uint32, attributes int16,
 *   lastOffsetDelta int32, baseTimestamp int64, maxTimestamp int64, producerId int64, producerEpoch int16,
 *   baseSequence int32, count int32, records
 *
 * The CRC-32C covers everything from the attributes on; a compressed batch has its records compressed as one.
 */
import { crc32c } from '@edgeward/shared/crc32c';
import { Bytes, varintSize } from '../bytes.js';

export const batchOverhead = 61;
const offsets = {
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
} as const;
const transactional = 0x10;
const control = 0x20;
const compressionBits = 0x07;

/** Who writes: the broker takes each sequence number of it once. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export interface Compressed {
  readonly codec: number;
  readonly records: Buffer;
}

/** Writes the value of a record behind what is there. */
export interface ValueWriter {
  write(i: number, out: Bytes): void;
}

/** Records are mostly of a size whose length takes two bytes: then they are written where they stay. */
const [leastUsual, mostUsual] = [64, 8191];

/** One partition's records until they are sent. */
export class BatchWriter {
  /** The head, then the records. */
  readonly #out: Bytes;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;
  /** Before the last record. */
  #before = { length: 0, maxTimestamp: 0 };

  constructor(capacity = 16 * 1024) {
    this.#out = new Bytes(Math.max(capacity, batchOverhead));
    this.#out.length = batchOverhead;
  }

  get count(): number {
    return this.#count;
  }

  /** As it would be sent without compression. */
  get size(): number {
    return this.#out.length;
  }

  get records(): Buffer {
    return this.#out.data.subarray(batchOverhead, this.#out.length);
  }

  /**
   * @param value      null: nothing, which deletes the key from a compacted topic
   * @param headers    as `encodeHeaders` gives them
   * @param timestamp  ms, a whole number
   */
  add(key: Uint8Array, value: Buffer | null, headers: Uint8Array, timestamp: number): void {
    const delta = this.#begin(timestamp);
    const out = this.#out;
    const length = value === null ? -1 : value.length;
    const fixed = this.#fixedSize(delta, key);
    const size = fixed + varintSize(length) + Math.max(0, length) + headers.length;
    out.room(size + 5);
    out.varint(size);
    this.#head(delta, key);
    out.varint(length);
    if (value !== null) out.bytes(value);
    out.bytes(headers);
    this.#count += 1;
  }

  /** The same with a value that is written on the spot. */
  addRow(key: Uint8Array, rows: ValueWriter, i: number, headers: Uint8Array, timestamp: number): void {
    const delta = this.#begin(timestamp);
    const out = this.#out;
    const start = out.length;
    const fixed = this.#fixedSize(delta, key);
    out.room(fixed + 16);
    out.length += 2; // its length
    this.#head(delta, key);
    out.length += 2; // the value's
    const from = out.length;
    rows.write(i, out);
    const length = out.length - from;
    const size = fixed + 2 + length + headers.length;
    if (length < leastUsual || size > mostUsual) {
      const value = Buffer.from(out.data.subarray(from, out.length));
      out.length = start;
      this.#maxTimestamp = this.#before.maxTimestamp;
      this.add(key, value, headers, timestamp);
      return;
    }
    usualVarint(out.data, start, size);
    usualVarint(out.data, from - 2, length);
    out.bytes(headers);
    this.#count += 1;
  }

  /** Takes the last record out again, once. */
  undo(): void {
    this.#out.length = this.#before.length;
    this.#maxTimestamp = this.#before.maxTimestamp;
    this.#count -= 1;
  }

  /** The whole batch, uncompressed; good until `clear`. */
  seal(identity: ProducerIdentity, sequence: number): Buffer {
    const batch = this.#out.data.subarray(0, this.#out.length);
    this.#writeHead(batch, identity, sequence);
    return finish(batch, 0);
  }

  /** Makes the whole batch from its records as they are compressed later, whatever becomes of the writer. */
  sealer(identity: ProducerIdentity, sequence: number): (as: Compressed) => Buffer {
    const head = Buffer.alloc(batchOverhead);
    this.#writeHead(head, identity, sequence);
    return ({ codec, records }) => finish(Buffer.concat([head, records]), codec);
  }

  /** Empty again; the buffer is kept. */
  clear(): void {
    this.#out.length = batchOverhead;
    this.#count = 0;
  }

  /** @returns by how much it is later than the first */
  #begin(timestamp: number): number {
    this.#before.length = this.#out.length;
    this.#before.maxTimestamp = this.#maxTimestamp;
    if (this.#count === 0) this.#baseTimestamp = this.#maxTimestamp = timestamp;
    else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    return timestamp - this.#baseTimestamp;
  }

  /** Of what stands between the length of a record and that of its value. */
  #fixedSize(delta: number, key: Uint8Array): number {
    return 1 + varlongSize(delta) + varintSize(this.#count) + varintSize(key.length) + key.length;
  }

  #head(delta: number, key: Uint8Array): void {
    const out = this.#out;
    out.byte(0); // attributes
    out.varlong(delta);
    out.varint(this.#count);
    out.varint(key.length);
    out.bytes(key);
  }

  #writeHead(head: Buffer, { producerId, producerEpoch }: ProducerIdentity, sequence: number): void {
    head.writeBigInt64BE(0n, 0); // the offset is the broker's to write
    head.writeInt32BE(-1, offsets.leaderEpoch); // this, too
    head[offsets.magic] = 2;
    head.writeInt32BE(this.#count - 1, offsets.lastOffsetDelta);
    head.writeBigInt64BE(BigInt(this.#baseTimestamp), offsets.baseTimestamp);
    head.writeBigInt64BE(BigInt(this.#maxTimestamp), offsets.maxTimestamp);
    head.writeBigInt64BE(producerId, offsets.producerId);
    head.writeInt16BE(producerEpoch, offsets.producerEpoch);
    head.writeInt32BE(sequence, offsets.baseSequence);
    head.writeInt32BE(this.#count, offsets.count);
  }
}

function finish(batch: Buffer, codec: number): Buffer {
  batch.writeInt16BE(transactional | codec, offsets.attributes);
  batch.writeInt32BE(batch.length - offsets.leaderEpoch, offsets.length);
  batch.writeUInt32BE(crc32c(batch.subarray(offsets.attributes)), offsets.crc);
  return batch;
}

/** ZigZag, in two bytes. */
function usualVarint(data: Buffer, at: number, value: number): void {
  data[at] = ((2 * value) & 0x7f) | 0x80;
  data[at + 1] = (2 * value) >>> 7;
}

function varlongSize(value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let n = 1;
  for (; rest > 0x7f; n++) rest = Math.floor(rest / 128);
  return n;
}

/**
 * Once for all records that share them.
 * @param more     so many will be put behind
 * @param counted  false: to be put behind others, which say how many there are
 */
export function encodeHeaders(
  headers: Readonly<Record<string, string>>,
  { more = 0, counted = true }: { more?: number; counted?: boolean } = {},
): Buffer {
  const out = new Bytes(128);
  const entries = Object.entries(headers);
  if (counted) out.varint(entries.length + more);
  for (const part of entries.flat()) {
    const bytes = Buffer.from(part);
    out.varint(bytes.length);
    out.bytes(bytes);
  }
  return out.take();
}

export interface KafkaRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A batch as the broker gives it back. */
export interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly producerId: bigint;
  readonly transactional: boolean;
  /** Of a control batch: whether it ends a transaction well or not. */
  readonly marker?: 'commit' | 'abort' | 'other';
  records(): KafkaRecord[];
}

/** @param decompress  by codec number. Ends at a batch that was cut short, as brokers may cut the last one */
export function readBatches(
  data: Buffer,
  decompress: (codec: number, records: Buffer) => Buffer,
): StoredBatch[] {
  const batches: StoredBatch[] = [];
  for (let at = 0; at + batchOverhead <= data.length; ) {
    const end = at + offsets.leaderEpoch + data.readInt32BE(at + offsets.length);
    if (end > data.length) break;
    batches.push(readBatch(data.subarray(at, end), decompress));
    at = end;
  }
  return batches;
}

function readBatch(batch: Buffer, decompress: (codec: number, records: Buffer) => Buffer): StoredBatch {
  const magic = batch[offsets.magic];
  if (magic !== 2)
    throw new RangeError(`a record batch of format ${magic}, which only brokers before 0.11 write`);
  const attributes = batch.readInt16BE(offsets.attributes);
  const baseOffset = Number(batch.readBigInt64BE(0));
  const count = batch.readInt32BE(offsets.count);
  const baseTimestamp = Number(batch.readBigInt64BE(offsets.baseTimestamp));
  const records = () => {
    const raw = batch.subarray(batchOverhead);
    const codec = attributes & compressionBits;
    return new RecordReader(codec === 0 ? raw : decompress(codec, raw)).all(count, baseOffset, baseTimestamp);
  };
  const isControl = (attributes & control) !== 0;
  return {
    baseOffset,
    lastOffset: baseOffset + batch.readInt32BE(offsets.lastOffsetDelta),
    producerId: batch.readBigInt64BE(offsets.producerId),
    transactional: (attributes & transactional) !== 0,
    ...(isControl && { marker: markerOf(records()[0]?.key) }),
    records,
  };
}

function markerOf(key: Buffer | null | undefined): 'commit' | 'abort' | 'other' {
  const type = key && key.length >= 4 ? key.readInt16BE(2) : -1;
  return type === 0 ? 'abort' : type === 1 ? 'commit' : 'other';
}

class RecordReader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  all(count: number, baseOffset: number, baseTimestamp: number): KafkaRecord[] {
    const records: KafkaRecord[] = [];
    for (let i = 0; i < count; i++) {
      const end = this.#varint() + this.#at;
      this.#at += 1;
      const timestamp = baseTimestamp + this.#varint();
      const offset = baseOffset + this.#varint();
      const [key, value] = [this.#bytes(), this.#bytes()];
      records.push({ offset, timestamp, key, value, headers: this.#headers() });
      this.#at = end;
    }
    return records;
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = {};
    for (let n = this.#varint(); n > 0; n--) {
      const key = this.#bytes()?.toString() ?? '';
      headers[key] = this.#bytes()?.toString() ?? '';
    }
    return headers;
  }

  #bytes(): Buffer | null {
    const length = this.#varint();
    if (length < 0) return null;
    this.#at += length;
    return this.#data.subarray(this.#at - length, this.#at);
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#data[this.#at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
