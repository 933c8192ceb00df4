/** What a span tells, once it is over. */
import type { TraceContext } from '../contracts.js';

export type AttributeValue = string | number | boolean;
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** As OTLP numbers them. */
export const spanKinds = { internal: 1, client: 3, producer: 4, consumer: 5 } as const;

export interface Span {
  readonly name: string;
  /** Its own ids. */
  readonly context: TraceContext;
  /** Span id; absent = it is the root. */
  readonly parent?: string;
  readonly kind?: keyof typeof spanKinds;
  /** ms since Unix epoch; fractions count. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes?: Attributes;
  /** Spans of other traces that it has to do with. */
  readonly links?: readonly TraceContext[];
  /** Why it failed; absent = it did not. */
  readonly error?: string;
}

/** Takes spans for export. Where nothing is traced there is none. */
export interface Tracer {
  /** Never waits and never throws: a span for which there is no room is dropped, counted. */
  record(span: Span): void;
  /** A random span id. */
  newSpanId(): string;
  newTraceId(): string;
}
