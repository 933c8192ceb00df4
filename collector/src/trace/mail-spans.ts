import type { Clock } from '@edgeward/shared/contracts';
import type { Tracer } from '@edgeward/shared/trace/span';
import type { QueuedMail } from '../notifiers/queued-mail.js';

/** From the moment a mail was queued to the server's yes, or to where it is given up. */
export class MailSpans {
  readonly #tracer: Tracer;
  readonly #clock: Clock;

  constructor(tracer: Tracer, clock: Clock) {
    this.#tracer = tracer;
    this.#clock = clock;
  }

  /** It has another state than before. */
  changed({ view, kind, trace, attempts }: QueuedMail): void {
    if (!trace || view.state === 'queued' || view.state === 'held') return;
    this.#tracer.record({
      name: 'mail',
      context: { traceId: trace.traceId, spanId: this.#tracer.newSpanId() },
      parent: trace.spanId,
      kind: 'client',
      startMs: view.createdMs,
      endMs: view.sentMs ?? this.#clock.now(),
      attributes: {
        'edgeward.mail': view.id,
        'edgeward.mail.kind': kind,
        'edgeward.mail.state': view.state,
        'edgeward.mail.attempts': attempts,
        ...(view.incidentId !== null && { 'edgeward.incident': view.incidentId }),
      },
      ...(view.state === 'failed' && { error: view.reason ?? 'not accepted' }),
    });
  }
}
