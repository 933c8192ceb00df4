import type { Clock, Sink } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import { openTracer } from '@edgeward/shared/trace/open';
import type { OtlpTracer } from '@edgeward/shared/trace/otlp-tracer';
import type { CollectorConfig } from '../config.js';
import { IncidentSpans } from './incident-spans.js';
import { IngestSpans } from './ingest-spans.js';
import { MailSpans } from './mail-spans.js';
import { tracedSink } from './traced-sink.js';

/** What traces need of a collector that has them switched on. */
export class CollectorTrace implements AsyncDisposable {
  readonly ingest: IngestSpans;
  readonly incidents: IncidentSpans;
  readonly mails: MailSpans;
  readonly #tracer: OtlpTracer;
  readonly #clock: Clock;

  private constructor(tracer: OtlpTracer, clock: Clock) {
    this.#tracer = tracer;
    this.#clock = clock;
    this.ingest = new IngestSpans(tracer, clock);
    this.incidents = new IncidentSpans(tracer, clock);
    this.mails = new MailSpans(tracer, clock);
  }

  /** @returns undefined where they are off */
  static async open(
    { trace, name }: CollectorConfig,
    clock: Clock,
    log: Logger,
  ): Promise<CollectorTrace | undefined> {
    if (!trace) return undefined;
    const who = { service: 'edgeward-collector', instance: name };
    return new CollectorTrace(await openTracer(trace, who, clock, log), clock);
  }

  /** @param log  of the sink and its consumer */
  sink(name: string, inner: Sink, log: Logger): Sink {
    return tracedSink(inner, { name, tracer: this.#tracer, clock: this.#clock, log });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#tracer[Symbol.asyncDispose]();
  }
}
