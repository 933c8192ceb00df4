/** Ids of traces and spans, as W3C Trace Context, level 1, has them. */
import { createHash } from 'node:crypto';
import type { Rng, TraceContext } from '../contracts.js';

const traceIdPattern = /^(?!0{32})[0-9a-f]{32}$/;
const spanIdPattern = /^(?!0{16})[0-9a-f]{16}$/;

export function isTraceId(text: string): boolean {
  return traceIdPattern.test(text);
}

export function isSpanId(text: string): boolean {
  return spanIdPattern.test(text);
}

/** Of what was kept as JSON: undefined for anything else. */
export function parseTrace(value: unknown): TraceContext | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { traceId, spanId } = value as Partial<Record<keyof TraceContext, unknown>>;
  if (typeof traceId !== 'string' || typeof spanId !== 'string') return undefined;
  return isTraceId(traceId) && isSpanId(spanId) ? { traceId, spanId } : undefined;
}

/** The header of that name, of a trace that is sampled. */
export function traceparent({ traceId, spanId }: TraceContext): string {
  return `00-${traceId}-${spanId}-01`;
}

export function newTraceId(rng: Rng): string {
  return randomHex(rng, 4);
}

export function newSpanId(rng: Rng): string {
  return randomHex(rng, 2);
}

/** The hops that others hang on: one of each in a trace. */
export type Hop = 'read' | 'outbox' | 'publish' | 'ingest';

/**
 * A hop's span id follows from the trace id. So every process knows the parents that another one made, also after a
 * restart, and nothing has to be carried or kept but one context.
 */
export function spanIdOf(traceId: string, hop: Hop): string {
  return createHash('sha256').update(`${hop} ${traceId}`).digest('hex').slice(0, 16);
}

function randomHex(rng: Rng, words: number): string {
  const hex = Array.from({ length: words }, () =>
    Math.floor(rng() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0'),
  ).join('');
  return /^0+$/.test(hex) ? hex.replace(/0$/, '1') : hex;
}
