import type { Clock, TraceContext } from '@edgeward/shared/contracts';
import type { Span, Tracer } from '@edgeward/shared/trace/span';
import type { Board, Draft, IncidentRecord } from '../alerts/board.js';

type What = 'opened' | 'reopened' | 'closed' | 'severity' | 'grew';

/** What a traced block's rows did to incidents: a span each, told once it is stored. */
export class IncidentSpans {
  readonly #tracer: Tracer;
  readonly #clock: Clock;

  constructor(tracer: Tracer, clock: Clock) {
    this.#tracer = tracer;
    this.#clock = clock;
  }

  /** For one write of the engine. */
  begin(board: Board, draft: Draft): IncidentTrail {
    return new IncidentTrail(board, draft, this.#tracer, this.#clock);
  }
}

export class IncidentTrail {
  readonly #board: Board;
  readonly #draft: Draft;
  readonly #tracer: Tracer;
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #spans: Omit<Span, 'startMs' | 'endMs'>[] = [];

  constructor(board: Board, draft: Draft, tracer: Tracer, clock: Clock) {
    this.#board = board;
    this.#draft = draft;
    this.#tracer = tracer;
    this.#clock = clock;
    this.#startMs = clock.monotonic();
  }

  /** Lets `observe` take a block's rows in, and notes what that changed. */
  around(trace: TraceContext, observe: () => void): void {
    const before = new Map(this.#draft.touched().map(record => [record.incident.id, record]));
    observe();
    for (const record of this.#draft.touched()) {
      const { id } = record.incident;
      const former = before.get(id) ?? this.#board.records.get(id);
      if (record.incident !== former?.incident) this.#note(trace, record, former);
    }
  }

  /** It is stored. */
  tell(): void {
    const endMs = this.#clock.now();
    const startMs = endMs - (this.#clock.monotonic() - this.#startMs);
    for (const span of this.#spans) this.#tracer.record({ ...span, startMs, endMs });
  }

  #note(trace: TraceContext, record: IncidentRecord, former: IncidentRecord | undefined): void {
    const context = { traceId: trace.traceId, spanId: this.#tracer.newSpanId() };
    const what = whatOf(record, former);
    const { id, gateway, device, severity } = record.incident;
    const isElsewhere = former?.trace && former.trace.traceId !== trace.traceId;
    this.#spans.push({
      name: 'incident',
      context,
      parent: trace.spanId,
      attributes: {
        'edgeward.incident': id,
        'edgeward.change': what,
        'edgeward.severity': severity,
        'edgeward.gateway': gateway,
        'edgeward.device': device,
      },
      ...(isElsewhere && former.trace && { links: [former.trace] }),
    });
    // Mails that follow from this change hang here, also after a restart.
    if (what !== 'grew') this.#draft.setRecord({ ...record, trace: context });
  }
}

function whatOf({ incident }: IncidentRecord, former: IncidentRecord | undefined): What {
  if (!former) return 'opened';
  if (incident.state !== former.incident.state) return incident.state === 'open' ? 'reopened' : 'closed';
  return incident.severity === former.incident.severity ? 'grew' : 'severity';
}
