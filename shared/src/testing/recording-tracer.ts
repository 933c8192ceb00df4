import { seededRng } from '../rng.js';
import { newSpanId, newTraceId } from '../trace/context.js';
import type { Span, Tracer } from '../trace/span.js';

/** Keeps what it is given. */
export class RecordingTracer implements Tracer {
  readonly spans: Span[] = [];
  readonly #rng = seededRng(1);

  record(span: Span): void {
    this.spans.push(span);
  }

  newSpanId(): string {
    return newSpanId(this.#rng);
  }

  newTraceId(): string {
    return newTraceId(this.#rng);
  }

  /** In the order in which they ended. */
  named(name: string): Span[] {
    return this.spans.filter(span => span.name === name);
  }
}

export const sampleTrace = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
} as const;
