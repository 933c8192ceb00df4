import { getOrMake } from '@edgeward/shared/maps';
import { settled } from '@edgeward/shared/settled';
import type { DeviceKey } from './partitioner.js';
import type { Part, Producer } from './producer.js';
import { BatchWriter, batchOverhead } from './record-batch.js';
import type { Topic } from './topics.js';

/** What a record takes beside key, value and headers, at most. */
const recordOverhead = 32;
/** Requests under way: while the broker stores one, the next is written. */
const maxUnderWay = 2;

/** One record before it is in a batch. */
export interface Message {
  readonly key: DeviceKey;
  readonly value: Buffer | null;
  /** Of the value, if the buffer has more. */
  readonly length?: number;
  readonly headers: Buffer;
  /** ms; a whole number. */
  readonly timestamp: number;
}

/** The records of one transaction, put into batches by partition, and sent as soon as a batch is full. */
export class Load {
  readonly #producer: Producer;
  readonly #parts = new Map<string, Part[]>();
  readonly #underWay: Promise<void>[] = [];
  /** Bytes sent or to be sent. */
  bytes = 0;

  constructor(producer: Producer) {
    this.#producer = producer;
  }

  /** Whether the topic takes a record of this size at all. */
  static fits(topic: Topic, size: number): boolean {
    return size + recordOverhead + batchOverhead <= topic.maxBytes;
  }

  /** @returns a promise to wait for before the next, if there is one */
  add(topic: Topic, { key, value, headers, timestamp, length = value?.length ?? 0 }: Message) {
    const size = key.bytes.length + length + headers.length + recordOverhead;
    const batch = this.#batch(topic, key.hash % topic.partitions);
    const flushed = batch.count > 0 && batch.size + size > topic.maxBytes ? this.flush() : undefined;
    batch.add(key.bytes, value, headers, timestamp, value === null ? -1 : length);
    this.bytes += size;
    return flushed;
  }

  /** Sends what it has; resolves once there is room for more under way. */
  async flush(): Promise<void> {
    const parts = [...this.#parts.values()].flat().filter(part => part?.batch.count > 0);
    if (parts.length === 0) return;
    const sent = this.#producer.send(parts);
    for (const { batch } of parts) batch.clear();
    void settled(sent); // whoever waits for it is told
    this.#underWay.push(sent);
    if (this.#underWay.length >= maxUnderWay) await this.#underWay.shift();
  }

  /** Sends the rest; resolves once the broker has all. */
  async end(): Promise<void> {
    await this.flush();
    await Promise.all(this.#underWay.splice(0));
    this.bytes = 0;
  }

  #batch({ name, partitions }: Topic, partition: number): BatchWriter {
    const parts = getOrMake(this.#parts, name, () => new Array<Part>(partitions));
    let part = parts[partition];
    if (!part) {
      part = { topic: name, partition, batch: new BatchWriter() };
      parts[partition] = part;
    }
    return part.batch;
  }
}
