/** Traces as Jaeger's query API has them. */
import { getJson } from './processes.js';

interface Tag {
  readonly key: string;
  readonly value: unknown;
}

interface JaegerSpan {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references: readonly { refType: string; traceID: string; spanID: string }[];
  /** µs */
  readonly startTime: number;
  readonly duration: number;
  readonly tags: readonly Tag[];
  readonly processID: string;
}

interface JaegerTrace {
  readonly traceID: string;
  readonly spans: readonly JaegerSpan[];
  readonly processes: Readonly<Record<string, { serviceName: string; tags: readonly Tag[] }>>;
}

/** One span with those that hang on it, the earliest first. */
export interface TraceNode {
  readonly name: string;
  readonly spanId: string;
  readonly service: string;
  /** Which process made it. */
  readonly pid: number;
  readonly startMs: number;
  readonly durationMs: number;
  readonly tags: Readonly<Record<string, unknown>>;
  readonly error: boolean;
  readonly children: readonly TraceNode[];
}

export interface TraceTree {
  readonly traceId: string;
  /** Spans without a parent among the others; one, in a whole trace. */
  readonly roots: readonly TraceNode[];
}

export async function tracesOf(query: string, service: string): Promise<TraceTree[]> {
  const url = `${query}/api/traces?service=${service}&limit=1000&lookback=1h`;
  const { data } = await getJson<{ data: readonly JaegerTrace[] }>(url);
  return data.map(treeOf);
}

function treeOf({ traceID, spans, processes }: JaegerTrace): TraceTree {
  const known = new Set(spans.map(({ spanID }) => spanID));
  const parentOf = ({ references }: JaegerSpan) =>
    references.find(({ refType, traceID: of }) => refType === 'CHILD_OF' && of === traceID)?.spanID;
  const node = (span: JaegerSpan): TraceNode => {
    const made = processes[span.processID];
    const tags = Object.fromEntries(span.tags.map(({ key, value }) => [key, value]));
    return {
      name: span.operationName,
      spanId: span.spanID,
      service: made?.serviceName ?? '',
      pid: Number(made?.tags.find(({ key }) => key === 'process.pid')?.value),
      startMs: span.startTime / 1000,
      durationMs: span.duration / 1000,
      tags,
      error: tags.error === true,
      children: nodes(spans.filter(other => parentOf(other) === span.spanID)),
    };
  };
  const nodes = (some: readonly JaegerSpan[]) =>
    [...some].sort((a, b) => a.startTime - b.startTime).map(node);
  const roots = nodes(spans.filter(span => !known.has(parentOf(span) ?? '')));
  return { traceId: traceID, roots };
}

/** All of a tree, parents first. */
export function* walk(nodes: readonly TraceNode[]): Generator<TraceNode> {
  for (const node of nodes) {
    yield node;
    yield* walk(node.children);
  }
}

/** For people: a line a span, indented, with when it began and how long it took. */
export function printTree({ traceId, roots }: TraceTree): string {
  const startMs = roots[0]?.startMs ?? 0;
  const lines = (nodes: readonly TraceNode[], indent: string): string[] =>
    nodes.flatMap(node => {
      const { name, service, pid, durationMs, error } = node;
      const times = `+${(node.startMs - startMs).toFixed(1)} ms, ${durationMs.toFixed(1)} ms`;
      const line = `${indent}${name}${error ? ' (failed)' : ''}  ${service}[${pid}]  ${times}  ${detail(node)}`;
      return [line.trimEnd(), ...lines(node.children, `${indent}  `)];
    });
  return [`trace ${traceId}`, ...lines(roots, '  ')].join('\n');
}

function detail({ tags }: TraceNode): string {
  const shown = Object.entries(tags).filter(([key]) => key.startsWith('edgeward.'));
  return shown.map(([key, value]) => `${key.slice('edgeward.'.length)}=${String(value)}`).join(' ');
}
