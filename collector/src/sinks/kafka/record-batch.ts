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

/** One partition's records until they are sent. */
export class BatchWriter {
  /** Records alone. */
  readonly #out: Bytes;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;

  constructor(capacity = 16 * 1024) {
    this.#out = new Bytes(capacity);
  }

  get count(): number {
    return this.#count;
  }

  /** As it would be sent without compression. */
  get size(): number {
    return batchOverhead + this.#out.length;
  }

  get records(): Buffer {
    return this.#out.data.subarray(0, this.#out.length);
  }

  /**
   * @param value      null: nothing, which deletes the key from a compacted topic
   * @param headers    as `encodeHeaders` gives them
   * @param timestamp  ms, a whole number
   * @param length     of the value, if the buffer has more
   */
  add(
    key: Uint8Array,
    value: Buffer | null,
    headers: Uint8Array,
    timestamp: number,
    length = value?.length ?? -1,
  ): void {
    const out = this.#out;
    if (this.#count === 0) this.#baseTimestamp = this.#maxTimestamp = timestamp;
    else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    const delta = timestamp - this.#baseTimestamp;
    const size =
      1 + // attributes
      varlongSize(delta) +
      varintSize(this.#count) +
      varintSize(key.length) +
      key.length +
      varintSize(length) +
      Math.max(0, length) +
      headers.length;
    out.room(size + 5);
    out.varint(size);
    out.byte(0);
    out.varlong(delta);
    out.varint(this.#count);
    out.varint(key.length);
    out.bytes(key);
    out.varint(length);
    if (value !== null) out.length += value.copy(out.data, out.length, 0, length);
    out.bytes(headers);
    this.#count += 1;
  }

  /** The whole batch, uncompressed. */
  seal(identity: ProducerIdentity, sequence: number): Buffer {
    return this.sealer(identity, sequence)({ codec: 0, records: this.records });
  }

  /** Makes the whole batch from its records as they are compressed later, whatever becomes of the writer. */
  sealer(identity: ProducerIdentity, sequence: number): (as: Compressed) => Buffer {
    const head = Buffer.alloc(batchOverhead);
    head.writeInt32BE(-1, 12); // the leader's epoch is the broker's to write
    head[offsets.magic] = 2;
    head.writeInt32BE(this.#count - 1, offsets.lastOffsetDelta);
    head.writeBigInt64BE(BigInt(this.#baseTimestamp), offsets.baseTimestamp);
    head.writeBigInt64BE(BigInt(this.#maxTimestamp), offsets.maxTimestamp);
    head.writeBigInt64BE(identity.producerId, offsets.producerId);
    head.writeInt16BE(identity.producerEpoch, offsets.producerEpoch);
    head.writeInt32BE(sequence, offsets.baseSequence);
    head.writeInt32BE(this.#count, offsets.count);
    return ({ codec, records }) => {
      head.writeInt16BE(transactional | codec, offsets.attributes);
      const batch = Buffer.concat([head, records]);
      batch.writeInt32BE(batch.length - 12, offsets.length);
      batch.writeUInt32BE(crc32c(batch.subarray(offsets.attributes)), offsets.crc);
      return batch;
    };
  }

  /** Empty again; the buffer is kept. */
  clear(): void {
    this.#out.length = 0;
    this.#count = 0;
  }
}

function varlongSize(value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let n = 1;
  for (; rest > 0x7f; n++) rest = Math.floor(rest / 128);
  return n;
}

/** Once for all records that share them. */
export function encodeHeaders(headers: Readonly<Record<string, string>>): Buffer {
  const out = new Bytes(128);
  const entries = Object.entries(headers);
  out.varint(entries.length);
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
    const end = at + 12 + data.readInt32BE(at + offsets.length);
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
