import { BrokerError } from './broker-error.js';

/** Answers that speak of the size of a batch. */
export const tooLarge: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

export interface RefusedBatch {
  readonly topic: string;
  /** Before compression. */
  readonly size: number;
  /** Of its records. */
  readonly count: number;
}

/** A broker takes no batch of this size. It says nothing of the rows in it, unless there is but one. */
export class BatchTooLarge extends Error {
  override readonly name = 'BatchTooLarge';
  readonly batch: RefusedBatch;

  constructor(batch: RefusedBatch, cause: BrokerError) {
    super(cause.message, { cause });
    this.batch = batch;
  }
}

export function isTooLarge(error: unknown): error is BrokerError {
  return error instanceof BrokerError && tooLarge.has(error.type);
}

export interface Limits {
  /** Largest batch it takes: a record that does not fit into one by itself is never taken. */
  readonly maxBytes: number;
  /** Largest batch of more than one record. */
  readonly batchBytes: number;
}

/** What topics take, as it is learned from batches that were refused where the brokers do not tell it before. */
export class LearnedLimits {
  readonly #topics = new Map<string, Limits>();

  /** @returns what is known now; undefined if nothing is to be learned of it: the same would come again */
  learn(error: unknown): Limits | undefined {
    if (!(error instanceof BatchTooLarge)) return undefined;
    const { topic, size, count } = error.batch;
    const before = this.of(topic);
    if (size > (count === 1 ? before.maxBytes : before.batchBytes)) return undefined;
    const learned =
      count === 1
        ? { maxBytes: size - 1, batchBytes: Math.min(before.batchBytes, size - 1) }
        : { ...before, batchBytes: Math.floor(size / 2) };
    this.#topics.set(topic, learned);
    return learned;
  }

  /** @param maxBytes  what it takes as far as is known without */
  of(topic: string, maxBytes = Number.POSITIVE_INFINITY): Limits {
    const { maxBytes: most, batchBytes } = this.#topics.get(topic) ?? { maxBytes, batchBytes: maxBytes };
    return { maxBytes: Math.min(maxBytes, most), batchBytes: Math.min(maxBytes, batchBytes) };
  }
}
