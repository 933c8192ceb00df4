/**
 * The first hops of a traced block: read, check, score, outbox. Put around a source, its stages and the outbox, and
 * only where something is traced: otherwise none of this is in the way.
 */
import type {
  Admission,
  Clock,
  Origin,
  Outbox,
  RecordBatch,
  Safe,
  Source,
  Stage,
  TraceContext,
} from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { spanIdOf } from '@edgeward/shared/trace/context';
import type { Sampler } from '@edgeward/shared/trace/sampler';
import type { Span, Tracer } from '@edgeward/shared/trace/span';
import { isAnomalous } from '../outbox/thin.js';

export interface SourceSpansOptions {
  readonly source: string;
  readonly tracer: Tracer;
  readonly sampler: Sampler;
  readonly clock: Clock;
}

/** Monotonic, ms. */
interface Step {
  readonly name: string;
  readonly fromMs: number;
  toMs: number;
}

/** The batch that is on its way from the source to the outbox: one at a time. */
interface Hand {
  readonly batch: RecordBatch;
  /** When the source was asked for it, and when it came; monotonic, ms. */
  readonly askedMs: number;
  readonly readMs: number;
  /** What makes wall time of monotonic time; one for all its spans, so that they fit together. */
  readonly offsetMs: number;
  readonly steps: Step[];
}

export class SourceSpans {
  readonly #options: SourceSpansOptions;
  #hand: Hand | undefined;

  constructor(options: SourceSpansOptions) {
    this.#options = options;
  }

  source(inner: Source): Source {
    return {
      acknowledges: inner.acknowledges,
      read: stop => this.#read(inner, stop),
      ...(inner.position && { position: () => inner.position?.() }),
    };
  }

  /** Stages of one name in a row make one span. */
  stage(name: string, inner: Stage): Stage {
    return {
      process: batch => {
        const fromMs = this.#options.clock.monotonic();
        const processed = inner.process(batch);
        if (processed instanceof Promise) return processed.finally(() => this.#note(name, fromMs));
        this.#note(name, fromMs);
        return processed;
      },
    };
  }

  outbox(inner: Pick<Outbox, 'append'>): Pick<Outbox, 'append'> {
    return { append: (batch, origin, deadline) => this.#append(inner, batch, origin, deadline) };
  }

  async *#read(inner: Source, stop: AbortSignal): AsyncGenerator<RecordBatch, void, void> {
    const { clock } = this.#options;
    let askedMs = clock.monotonic();
    for await (const batch of inner.read(stop)) {
      const readMs = clock.monotonic();
      // A source hands the same batch over again when storing it failed: its stages have been run.
      if (this.#hand?.batch !== batch)
        this.#hand = { batch, askedMs, readMs, offsetMs: clock.now() - readMs, steps: [] };
      yield batch;
      askedMs = clock.monotonic();
    }
  }

  #note(name: string, fromMs: number): void {
    const toMs = this.#options.clock.monotonic();
    const steps = this.#hand?.steps;
    const last = steps?.at(-1);
    if (last?.name === name) last.toMs = toMs;
    else steps?.push({ name, fromMs, toMs });
  }

  #append(
    inner: Pick<Outbox, 'append'>,
    batch: RecordBatch,
    origin: Origin,
    deadline: AbortSignal,
  ): Promise<Admission> {
    const hand = this.#hand;
    const why = hand && batch.row.length > 0 ? this.#options.sampler.sample(isAnomalous(batch)) : undefined;
    if (!hand || !why) return inner.append(batch, origin, deadline);
    return this.#appendTraced(hand, why, inner, batch, origin, deadline);
  }

  async #appendTraced(
    hand: Hand,
    why: string,
    inner: Pick<Outbox, 'append'>,
    batch: RecordBatch,
    origin: Origin,
    deadline: AbortSignal,
  ): Promise<Admission> {
    const { tracer, clock } = this.#options;
    const traceId = tracer.newTraceId();
    const trace: TraceContext = { traceId, spanId: spanIdOf(traceId, 'publish') };
    const fromMs = clock.monotonic();
    const admission = await inner.append(batch, { ...origin, trace }, deadline);
    const admittedMs = clock.monotonic();
    this.#tellRead(hand, batch, traceId, why);
    const tell = (safe: Safe | undefined, error?: unknown) =>
      this.#tellOutbox(
        hand,
        traceId,
        fromMs,
        safe === 'journal' ? admittedMs : clock.monotonic(),
        safe,
        error,
      );
    admission.durable.then(tell, error => tell(undefined, error));
    return admission;
  }

  #tellRead(hand: Hand, batch: RecordBatch, traceId: string, why: string): void {
    const { tracer, source } = this.#options;
    const readId = spanIdOf(traceId, 'read');
    const { readMs, offsetMs, steps } = hand;
    tracer.record({
      name: 'read',
      context: { traceId, spanId: readId },
      startMs: this.#readFrom(hand) + offsetMs,
      endMs: readMs + offsetMs,
      attributes: {
        'edgeward.source': source,
        'edgeward.device_type': batch.schema.type,
        'edgeward.rows': batch.row.length,
        'edgeward.anomalous': isAnomalous(batch),
        'edgeward.sampled_by': why,
      },
    });
    for (const { name, fromMs, toMs } of steps)
      tracer.record({
        name,
        context: { traceId, spanId: tracer.newSpanId() },
        parent: readId,
        startMs: fromMs + offsetMs,
        endMs: toMs + offsetMs,
        ...(name === 'score' && { attributes: { 'edgeward.model': batch.model } }),
      });
  }

  /**
   * From the first row on, if it was read for this batch; what a source did before that, between two batches, was
   * mostly to wait. Rows of another clock, or of long ago, say nothing of when they were read.
   */
  #readFrom({ batch, askedMs, readMs, offsetMs }: Hand): number {
    let first = Number.POSITIVE_INFINITY;
    for (let i = 0; i < batch.time.length; i++) first = Math.min(first, batch.time[i]!);
    const firstMs = first - offsetMs;
    return firstMs >= askedMs && firstMs <= readMs ? firstMs : readMs;
  }

  /** Until it was admitted; where it went to disk first, until it was there. */
  #tellOutbox(
    { offsetMs }: Hand,
    traceId: string,
    fromMs: number,
    toMs: number,
    safe: Safe | undefined,
    error: unknown,
  ): void {
    const span: Span = {
      name: 'outbox',
      context: { traceId, spanId: spanIdOf(traceId, 'outbox') },
      parent: spanIdOf(traceId, 'read'),
      startMs: fromMs + offsetMs,
      endMs: toMs + offsetMs,
      attributes: { 'edgeward.safe': safe },
      ...(error !== undefined && { error: messageOf(error) }),
    };
    this.#options.tracer.record(span);
  }
}
