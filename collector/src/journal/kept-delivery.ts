import type { Delivery, RecordBatch, TraceContext } from '@edgeward/shared/contracts';
import { type Described, decodeBlock, describe } from '@edgeward/shared/wire';

/** What is known of a block without its columns. */
interface Summary {
  readonly rows: number;
  /** No row of it is worth a look. */
  readonly inOrder: boolean;
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
  readonly site?: string;
  readonly rows: number;
  readonly inOrder: boolean;
  readonly trace?: TraceContext;
  readonly #block: Uint8Array;
  readonly #described: Described;
  #batch: RecordBatch | undefined;

  /** @param block  that its columns can be made of again */
  constructor(
    { gateway, epoch, seq, position, ingestedMs, late, site, trace, batch }: Delivery,
    inOrder: boolean,
    block: Uint8Array,
  ) {
    this.gateway = gateway;
    this.epoch = epoch;
    this.seq = seq;
    this.position = position;
    this.ingestedMs = ingestedMs;
    this.late = late;
    if (site !== undefined) this.site = site;
    this.rows = batch.time.length;
    this.inOrder = inOrder;
    if (trace) this.trace = trace;
    this.#block = block;
    this.#described = describe(batch.schema, batch.model);
  }

  /** It holds on to so many. */
  get bytes(): number {
    return this.#block.length;
  }

  get batch(): RecordBatch {
    this.#batch ??= decodeBlock(this.#block, () => this.#described).batch;
    return this.#batch;
  }
}

export function rowsOf(delivery: Delivery): number {
  return delivery instanceof KeptDelivery ? delivery.rows : delivery.batch.time.length;
}

export function sumOfRows(deliveries: readonly Delivery[]): number {
  return deliveries.reduce((sum, delivery) => sum + rowsOf(delivery), 0);
}
