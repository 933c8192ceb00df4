import type { Delivery, RecordBatch } from '@edgeward/shared/contracts';

/** What is known of a block without its columns. */
interface Summary {
  readonly rows: number;
  /** No row of it is worth a look. */
  readonly inOrder: boolean;
}

export interface KeptOptions {
  readonly inOrder: boolean;
  /** Makes its columns, again and again, if need be. */
  readonly decode: () => RecordBatch;
  /** Bytes that `decode` holds on to. */
  readonly bytes: number;
}

/**
 * A delivery that waits without its columns: as objects they take several times the memory of the block, and mostly
 * nobody asks for them. Who does gets them decoded, and then they are kept.
 */
export class KeptDelivery implements Delivery, Summary {
  readonly gateway: string;
  readonly epoch: string;
  readonly seq: number;
  readonly position: number;
  readonly ingestedMs: number;
  readonly late: boolean;
  readonly rows: number;
  readonly inOrder: boolean;
  readonly bytes: number;
  readonly #decode: () => RecordBatch;
  #batch: RecordBatch | undefined;

  constructor(
    { gateway, epoch, seq, position, ingestedMs, late, batch }: Delivery,
    { inOrder, decode, bytes }: KeptOptions,
  ) {
    this.gateway = gateway;
    this.epoch = epoch;
    this.seq = seq;
    this.position = position;
    this.ingestedMs = ingestedMs;
    this.late = late;
    this.rows = batch.time.length;
    this.inOrder = inOrder;
    this.bytes = bytes;
    this.#decode = decode;
  }

  get batch(): RecordBatch {
    this.#batch ??= this.#decode();
    return this.#batch;
  }
}

export function rowsOf(delivery: Delivery): number {
  return delivery instanceof KeptDelivery ? delivery.rows : delivery.batch.time.length;
}
