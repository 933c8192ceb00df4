/** Gives log lines the ids of the trace that their component is busy with. */
import type { TraceContext } from '../contracts.js';
import type { Logger } from '../log.js';

const scopes = new WeakMap<object, TraceContext>();

/** From here on the lines of this logger and of its children carry these ids; undefined = none. */
export function setTrace(log: Logger, trace: TraceContext | undefined): void {
  if (trace) scopes.set(log, trace);
  else scopes.delete(log);
}

/** For pino's `mixin`: a child's prototype is its parent. Looked up by the line, so that what logs nothing pays nothing. */
export function traceFields(_line: object, _level: number, logger: object): Record<string, string> {
  for (let log: object | null = logger; log; log = Object.getPrototypeOf(log) as object | null) {
    const trace = scopes.get(log);
    if (trace) return { trace_id: trace.traceId, span_id: trace.spanId };
  }
  return {};
}
