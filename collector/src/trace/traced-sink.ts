/** A sink with a span for every traced block of a write. Whatever else a sink does goes straight through. */
import type { Clock, Cursor, Delivery, Note, Sink, TraceContext } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { setTrace } from '@edgeward/shared/trace/log-scope';
import type { Tracer } from '@edgeward/shared/trace/span';

export interface TracedSinkOptions {
  readonly name: string;
  readonly tracer: Tracer;
  readonly clock: Clock;
  /** Of the sink and its consumer: its lines carry the trace of the first traced block in hand. */
  readonly log: Logger;
}

type Traced = Delivery & { readonly trace: TraceContext };

interface Try {
  readonly startMs: number;
  readonly blocks: number;
  readonly error?: unknown;
}

export class TracedSink implements Sink {
  readonly cursor?: NonNullable<Sink['cursor']>;
  readonly takesNotes?: boolean;
  readonly replay?: NonNullable<Sink['replay']>;
  readonly #inner: Sink;
  readonly #options: TracedSinkOptions;
  /** Failed tries so far, by position; empty while all is well. */
  readonly #failed = new Map<number, number>();

  constructor(inner: Sink, options: TracedSinkOptions) {
    this.#inner = inner;
    this.#options = options;
    if (inner.cursor) this.cursor = () => inner.cursor!();
    if (inner.replay) this.replay = (...args) => inner.replay!(...args);
    if (inner.takesNotes !== undefined) this.takesNotes = inner.takesNotes;
  }

  write(
    deliveries: readonly Delivery[],
    after: Cursor,
    deadline: AbortSignal,
    notes?: readonly Note[],
  ): Promise<void> {
    const traced = deliveries.filter(isTraced);
    setTrace(this.#options.log, traced[0]?.trace);
    const write = () => this.#inner.write(deliveries, after, deadline, notes);
    return traced.length === 0 ? write() : this.#traced(traced, deliveries.length, write);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#inner[Symbol.asyncDispose]();
  }

  /** After a failure its trace stays with the log: the consumer has something to say about it. */
  async #traced(traced: readonly Traced[], blocks: number, write: () => Promise<void>): Promise<void> {
    const startMs = this.#options.clock.monotonic();
    try {
      await write();
    } catch (error) {
      for (const delivery of traced) this.#tellFailure(delivery, { startMs, blocks, error });
      throw error;
    }
    for (const delivery of traced) this.#tell(delivery, { startMs, blocks });
    for (const { position } of traced) this.#failed.delete(position);
    setTrace(this.#options.log, undefined);
  }

  /** Of many tries the first that failed and the one that did not: an outage of a day is no day of spans. */
  #tellFailure(delivery: Traced, failed: Try): void {
    const before = this.#failed.get(delivery.position) ?? 0;
    if (before === 0) this.#tell(delivery, failed);
    this.#failed.set(delivery.position, before + 1);
  }

  #tell({ trace, position, batch }: Traced, { startMs, blocks, error }: Try): void {
    const { name, tracer, clock } = this.#options;
    const endMs = clock.now();
    tracer.record({
      name: `sink ${name}`,
      context: { traceId: trace.traceId, spanId: tracer.newSpanId() },
      parent: trace.spanId,
      kind: 'client',
      startMs: endMs - (clock.monotonic() - startMs),
      endMs,
      attributes: {
        'edgeward.sink': name,
        'edgeward.rows': batch.time.length,
        'edgeward.write.blocks': blocks,
        'edgeward.write.attempt': 1 + (this.#failed.get(position) ?? 0),
      },
      ...(error !== undefined && { error: messageOf(error) }),
    });
  }
}

function isTraced(delivery: Delivery): delivery is Traced {
  return delivery.trace !== undefined;
}
