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

/** @returns the same sink but for `write`, also where what it can do is not known here */
export function tracedSink(inner: Sink, options: TracedSinkOptions): Sink {
  const spans = new SinkSpans(inner, options);
  const write = spans.write.bind(spans);
  return new Proxy(inner, {
    get(target, key) {
      if (key === 'write') return write;
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

class SinkSpans {
  readonly #inner: Sink;
  readonly #options: TracedSinkOptions;
  /** Failed tries so far, by position; empty while all is well. */
  readonly #failed = new Map<number, number>();

  constructor(inner: Sink, options: TracedSinkOptions) {
    this.#inner = inner;
    this.#options = options;
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
