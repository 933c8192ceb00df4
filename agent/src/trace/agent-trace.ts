import type { Clock, Rng } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { openTracer } from '@edgeward/shared/trace/open';
import type { OtlpTracer } from '@edgeward/shared/trace/otlp-tracer';
import { Sampler } from '@edgeward/shared/trace/sampler';
import type { AgentConfig } from '../config.js';
import { PublishSpans } from './publish-spans.js';
import { SourceSpans } from './source-spans.js';

export interface AgentTraceOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** What decides which blocks are sampled. */
  readonly rng: Rng;
}

/** What traces need of an agent that has them switched on. */
export class AgentTrace implements AsyncDisposable {
  readonly #tracer: OtlpTracer;
  readonly #sampler: Sampler;
  readonly #clock: Clock;

  private constructor(tracer: OtlpTracer, sampler: Sampler, clock: Clock) {
    this.#tracer = tracer;
    this.#sampler = sampler;
    this.#clock = clock;
  }

  /** @returns undefined where they are off, or cannot be sent for want of a secret, which is told */
  static async open(
    { trace, gateway }: AgentConfig,
    { clock, log, rng }: AgentTraceOptions,
  ): Promise<AgentTrace | undefined> {
    if (!trace) return undefined;
    try {
      const tracer = await openTracer(trace, { service: 'edgeward-agent', instance: gateway }, clock, log);
      return new AgentTrace(tracer, new Sampler({ ...trace, rng, clock }), clock);
    } catch (error) {
      log.error({ error: messageOf(error) }, 'there are no traces');
      return undefined;
    }
  }

  ofSource(source: string): SourceSpans {
    return new SourceSpans({ source, tracer: this.#tracer, sampler: this.#sampler, clock: this.#clock });
  }

  /** @param log  its lines carry the oldest trace that is under way */
  ofUplink(log: Logger): PublishSpans {
    return new PublishSpans({ tracer: this.#tracer, clock: this.#clock, log });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#tracer[Symbol.asyncDispose]();
  }
}
