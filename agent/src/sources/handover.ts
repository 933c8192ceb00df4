import type { RecordBatch } from '@edgeward/shared/contracts';

/**
 * The batch a source yielded last. It counts as handed over once the consumer comes back for more; a consumer
 * that left its loop instead, because storing failed, is given the same batch again when it re-enters `read`.
 */
export class Handover {
  #held: RecordBatch | undefined;

  *hand(batch: RecordBatch): Generator<RecordBatch, void, void> {
    this.#held = batch;
    yield batch;
    this.#held = undefined;
  }

  /** First of all in `read`. */
  *again(): Generator<RecordBatch, void, void> {
    if (this.#held) yield* this.hand(this.#held);
  }
}
