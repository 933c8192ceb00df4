import type { Clock, Entry, Receipt, TraceContext } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import { spanIdOf } from '@edgeward/shared/trace/context';
import { setTrace } from '@edgeward/shared/trace/log-scope';
import type { Tracer } from '@edgeward/shared/trace/span';

export interface PublishSpansOptions {
  readonly tracer: Tracer;
  readonly clock: Clock;
  /** Whose lines carry the oldest trace that is under way. */
  readonly log: Logger;
}

interface Sent {
  readonly trace: TraceContext;
  readonly epoch: string;
  readonly seq: number;
  /** Monotonic, ms. */
  readonly atMs: number;
  readonly lane: Entry['lane'];
  readonly bytes: number;
  /** Whether the collector was told of the trace. */
  carried: boolean;
  resends: number;
}

/** Traced blocks without a receipt; of more, the oldest go without a span. */
const maxOpen = 4096;

/** The way over MQTT: from the first time a block was sent to its receipt. */
export class PublishSpans {
  readonly #options: PublishSpansOptions;
  /** By the id of the span, which is that of the block; in sending order. */
  readonly #open = new Map<string, Sent>();

  constructor(options: PublishSpansOptions) {
    this.#options = options;
  }

  /** @param carried  the context went with it */
  sent({ epoch, seq, lane, bytes, trace }: Entry, carried: boolean): void {
    if (!trace) return;
    const known = this.#open.get(trace.spanId);
    if (known) {
      known.resends += 1;
      known.carried ||= carried;
      return;
    }
    const atMs = this.#options.clock.monotonic();
    this.#open.set(trace.spanId, { trace, epoch, seq, atMs, lane, bytes: bytes.length, carried, resends: 0 });
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= maxOpen) break;
      this.#open.delete(oldest);
    }
    this.#scope();
  }

  received({ epoch, from, through, mark }: Receipt): void {
    if (this.#open.size === 0) return;
    for (const [id, sent] of this.#open) {
      if (sent.epoch !== epoch || sent.seq < from || sent.seq > through) continue;
      this.#open.delete(id);
      this.#tell(sent, mark);
    }
    this.#scope();
  }

  #tell({ trace, epoch, seq, atMs, lane, bytes, carried, resends }: Sent, mark: Receipt['mark']): void {
    const { tracer, clock } = this.#options;
    const endMs = clock.now();
    tracer.record({
      name: 'publish',
      context: trace,
      parent: spanIdOf(trace.traceId, 'outbox'),
      kind: 'producer',
      startMs: endMs - (clock.monotonic() - atMs),
      endMs,
      attributes: {
        'messaging.system': 'mqtt',
        'messaging.message.body.size': bytes,
        'edgeward.epoch': epoch,
        'edgeward.seq': seq,
        'edgeward.lane': lane,
        'edgeward.resends': resends,
        'edgeward.receipt': mark,
        'edgeward.context_carried': carried,
      },
    });
  }

  #scope(): void {
    const [oldest] = this.#open.values();
    setTrace(this.#options.log, oldest?.trace);
  }
}
