/**
 * Spans as OTLP has them in JSON (opentelemetry-proto 1.x, ExportTraceServiceRequest): ids in hex, times and whole
 * numbers as text, enums as numbers.
 *
 * Written by hand: this one message is all that is needed of OpenTelemetry's SDK, which takes 27 MB in 13 packages,
 * twice the memory, and a later Node than we ask for.
 */
import type { TraceContext } from '../contracts.js';
import { type Attributes, type AttributeValue, type Span, spanKinds } from './span.js';

const statusError = 2;
/** Of W3C Trace Context: others may rely on it. */
const sampled = 1;
/** Longer texts say no more. */
const maxTextLength = 1000;

/** @param resource  whose spans these are: `service.name` and the like */
export function encodeSpans(spans: readonly Span[], resource: Attributes, version: string): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: keyValues(resource) },
        scopeSpans: [{ scope: { name: 'edgeward', version }, spans: spans.map(spanJson) }],
      },
    ],
  });
}

function spanJson(span: Span) {
  const { name, context, parent, kind = 'internal', startMs, endMs, attributes, links, error } = span;
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    ...(parent !== undefined && { parentSpanId: parent }),
    name,
    kind: spanKinds[kind],
    flags: sampled,
    startTimeUnixNano: nanoseconds(startMs),
    // A clock that was set back must not make a span that ends before it begins.
    endTimeUnixNano: nanoseconds(Math.max(startMs, endMs)),
    ...(attributes && { attributes: keyValues(attributes) }),
    ...(links?.length && { links: links.map(linkJson) }),
    ...(error !== undefined && { status: { code: statusError, message: error.slice(0, maxTextLength) } }),
  };
}

function linkJson({ traceId, spanId }: TraceContext) {
  return { traceId, spanId, flags: sampled };
}

function keyValues(attributes: Attributes) {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: anyValue(value) }],
  );
}

function anyValue(value: AttributeValue) {
  if (typeof value === 'string') return { stringValue: value.slice(0, maxTextLength) };
  if (typeof value === 'boolean') return { boolValue: value };
  if (Number.isSafeInteger(value)) return { intValue: String(value) };
  return Number.isFinite(value) ? { doubleValue: value } : { stringValue: String(value) };
}

/** To the microsecond, which is what a double has of today's times. */
function nanoseconds(ms: number): string {
  const micros = Number.isFinite(ms) ? Math.max(0, Math.round(ms * 1000)) : 0;
  return micros === 0 ? '0' : `${micros}000`;
}
