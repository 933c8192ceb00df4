import { getOrMake } from '@edgeward/shared/maps';
import type { DeviceKey } from './partitioner.js';
import type { Part, Producer } from './producer.js';
import { BatchWriter, batchOverhead, type ValueWriter } from './record-batch.js';
import type { Topic } from './topics.js';

/** What a record takes beside key, value and headers, at most. */
const recordOverhead = 32;
/** Requests under way: while the broker stores one, the next is written. */
const maxUnderWay = 2;
/** Spare buffers; more are made and left to the garbage collector. */
const maxSpare = 64;

/** Batches that were sent, to be filled again: buffers of a megabyte are dear to make. */
export class BatchPool {
  readonly #spare: BatchWriter[] = [];

  take(): BatchWriter {
    return this.#spare.pop() ?? new BatchWriter();
  }

  give(batches: readonly BatchWriter[]): void {
    for (const batch of batches) {
      batch.clear();
      if (this.#spare.length < maxSpare) this.#spare.push(batch);
    }
  }
}

/** One record whose value is there already. */
export interface Message {
  readonly key: DeviceKey;
  readonly value: Buffer | null;
  readonly headers: Buffer;
  /** ms; a whole number. */
  readonly timestamp: number;
}

/** The records of one transaction, put into batches by partition, and sent as soon as a batch is full. */
export class Load {
  readonly #producer: Producer;
  readonly #pool: BatchPool;
  readonly #parts = new Map<string, (Part | undefined)[]>();
  readonly #underWay: Promise<void>[] = [];
  /** Bytes sent or to be sent. */
  bytes = 0;

  constructor(producer: Producer, pool: BatchPool) {
    this.#producer = producer;
    this.#pool = pool;
  }

  /** Whether the topic takes a record of this size at all. @param size  of key, value and headers */
  static fits(topic: Topic, size: number): boolean {
    return size + recordOverhead + batchOverhead <= topic.maxBytes;
  }

  /** Of one that fits. @returns a promise to wait for before the next, if there is one */
  add(topic: Topic, { key, value, headers, timestamp }: Message): Promise<void> | undefined {
    const size = key.bytes.length + (value?.length ?? 0) + headers.length + recordOverhead;
    const full = this.#batch(topic, key);
    const flushed = full.count > 0 && full.size + size > topic.batchBytes ? this.flush() : undefined;
    this.#batch(topic, key).add(key.bytes, value, headers, timestamp);
    this.bytes += size;
    return flushed;
  }

  /**
   * The same with a value that is written on the spot.
   * @returns false: nothing was added, because the batch is full, or the row too large for one with others
   */
  addRow(
    topic: Topic,
    key: DeviceKey,
    rows: ValueWriter,
    i: number,
    headers: Buffer,
    timestamp: number,
  ): boolean {
    const batch = this.#batch(topic, key);
    const before = batch.size;
    batch.addRow(key.bytes, rows, i, headers, timestamp);
    if (batch.size > topic.batchBytes) {
      batch.undo();
      return false;
    }
    this.bytes += batch.size - before;
    return true;
  }

  /** Sends what it has; resolves once there is room for more under way. */
  async flush(): Promise<void> {
    const parts = [...this.#parts.values()]
      .flat()
      .flatMap(part => (part && part.batch.count > 0 ? part : []));
    this.#parts.clear();
    if (parts.length === 0) return;
    const sent = this.#producer.send(parts);
    // Whoever waits for it is told how it ended. After a failure buffers may still be read: they are left.
    sent.then(
      () => this.#pool.give(parts.map(({ batch }) => batch)),
      () => undefined,
    );
    this.#underWay.push(sent);
    if (this.#underWay.length >= maxUnderWay) await this.#underWay.shift();
  }

  /** Sends the rest; resolves once the broker has all. */
  async end(): Promise<void> {
    await this.flush();
    await Promise.all(this.#underWay.splice(0));
    this.bytes = 0;
  }

  #batch({ name, partitions }: Topic, { hash }: DeviceKey): BatchWriter {
    const parts = getOrMake(this.#parts, name, () => new Array<Part | undefined>(partitions).fill(undefined));
    const partition = hash % partitions;
    let part = parts[partition];
    if (!part) {
      part = { topic: name, partition, batch: this.#pool.take() };
      parts[partition] = part;
    }
    return part.batch;
  }
}
