import type { Clock, Delivery, TraceContext } from '@edgeward/shared/contracts';
import { spanIdOf } from '@edgeward/shared/trace/context';
import type { Tracer } from '@edgeward/shared/trace/span';
import { tracedWireVersion } from '@edgeward/shared/wire';
import type { Incoming } from '../journal/journal.js';

/** Where spans hang that follow the journaling of a block. */
export function afterIngest({ traceId }: TraceContext): TraceContext {
  return { traceId, spanId: spanIdOf(traceId, 'ingest') };
}

/** From a block's arrival to its commit. */
export class IngestSpans {
  readonly #tracer: Tracer;
  readonly #clock: Clock;
  /** Monotonic, ms, by payload; gone with it. */
  readonly #arrived = new WeakMap<Uint8Array, number>();

  constructor(tracer: Tracer, clock: Clock) {
    this.#tracer = tracer;
    this.#clock = clock;
  }

  arrived(payload: Uint8Array): void {
    if (payload[0] === tracedWireVersion) this.#arrived.set(payload, this.#clock.monotonic());
  }

  /**
   * @param blocks  of one commit
   * @param stored  those of them that were new
   */
  stored(blocks: readonly Incoming[], stored: readonly Delivery[]): void {
    if (!blocks.some(({ header }) => header.trace)) return;
    const byBatch = new Map(blocks.map(block => [block.batch, block]));
    for (const { batch, position, late } of stored) {
      const block = byBatch.get(batch);
      const carried = block?.header.trace;
      if (block && carried) this.#tell(block, carried, position, late);
    }
  }

  #tell({ gateway, header, bytes }: Incoming, carried: TraceContext, position: number, late: boolean): void {
    const endMs = this.#clock.now();
    const nowMs = this.#clock.monotonic();
    this.#tracer.record({
      name: 'ingest',
      context: afterIngest(carried),
      parent: carried.spanId,
      kind: 'consumer',
      startMs: endMs - (nowMs - (this.#arrived.get(bytes) ?? nowMs)),
      endMs,
      attributes: {
        'messaging.system': 'mqtt',
        'messaging.message.body.size': bytes.length,
        'edgeward.gateway': gateway,
        'edgeward.epoch': header.epoch,
        'edgeward.seq': header.seq,
        'edgeward.rows': header.rows,
        'edgeward.position': position,
        'edgeward.late': late,
      },
    });
  }
}
