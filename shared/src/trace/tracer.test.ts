/** What leaves, against a server that takes OTLP over HTTP as it is told to. */
import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { pino } from 'pino';
import { systemClock } from '../clock.js';
import { silentLogger } from '../log.js';
import { seededRng } from '../rng.js';
import { traceparent } from './context.js';
import { tracesUrl } from './open.js';
import { OtlpTracer, type OtlpTracerOptions } from './otlp-tracer.js';
import type { Span } from './span.js';

interface Received {
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  readonly body: any;
}

interface Reply {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

type Replies = (n: number) => Reply;

class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly #server: Server;

  private constructor(answer: Replies) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { url, headers } = request;
        const bytes = Buffer.concat(chunks);
        const json = headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
        this.received.push({ url, headers, body: JSON.parse(json.toString('utf8')) });
        const { status, body = '{}', headers: own = {} } = answer(this.received.length);
        response.writeHead(status, own).end(body);
      });
    });
  }

  static async open(answer: Replies = () => ({ status: 200 })): Promise<Receiver> {
    const receiver = new Receiver(answer);
    await new Promise<void>(resolve => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get spans(): { name: string }[] {
    return this.received.flatMap(({ body }) => body.resourceSpans[0].scopeSpans[0].spans);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

const context = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };

function span(more: Partial<Span> = {}): Span {
  return { name: 'read', context, startMs: 1_790_000_000_000.25, endMs: 1_790_000_000_002.5, ...more };
}

function tracerTo(url: string, more: Partial<OtlpTracerOptions> = {}): OtlpTracer {
  return new OtlpTracer({
    url: tracesUrl(url),
    headers: {},
    resource: { 'service.name': 'edgeward-agent' },
    clock: systemClock,
    log: silentLogger,
    rng: seededRng(1),
    ...more,
  });
}

/** Lines of a logger. */
function logged() {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: {} }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { lines, log };
}

test('a span arrives with all that it tells, as OTLP writes it', async () => {
  await using receiver = await Receiver.open();
  {
    await using tracer = tracerTo(receiver.url, { headers: { 'x-api-key': 'k' } });
    tracer.record(
      span({
        parent: 'a'.repeat(16),
        kind: 'producer',
        attributes: { text: 't', whole: 7, part: 0.5, yes: true, none: undefined, nan: Number.NaN },
        links: [{ traceId: 'b'.repeat(32), spanId: 'c'.repeat(16) }],
        error: 'no room',
      }),
    );
  }
  const [{ url, headers, body } = assert.fail('nothing came')] = receiver.received;
  assert.deepEqual(
    [url, headers['content-type'], headers['x-api-key']],
    ['/v1/traces', 'application/json', 'k'],
  );
  assert.deepEqual(body.resourceSpans[0].resource, {
    attributes: [{ key: 'service.name', value: { stringValue: 'edgeward-agent' } }],
  });
  assert.deepEqual(receiver.spans, [
    {
      ...context,
      parentSpanId: 'aaaaaaaaaaaaaaaa',
      name: 'read',
      kind: 4,
      flags: 1,
      startTimeUnixNano: '1790000000000250000',
      endTimeUnixNano: '1790000000002500000',
      attributes: [
        { key: 'text', value: { stringValue: 't' } },
        { key: 'whole', value: { intValue: '7' } },
        { key: 'part', value: { doubleValue: 0.5 } },
        { key: 'yes', value: { boolValue: true } },
        { key: 'nan', value: { stringValue: 'NaN' } },
      ],
      links: [{ traceId: 'b'.repeat(32), spanId: 'c'.repeat(16), flags: 1 }],
      status: { code: 2, message: 'no room' },
    },
  ]);
});

test('many spans leave in few requests, compressed, and none is lost', async () => {
  await using receiver = await Receiver.open();
  {
    await using tracer = tracerTo(receiver.url);
    for (let i = 0; i < 1500; i++) tracer.record(span({ name: `s${i}` }));
  }
  assert.deepEqual(
    receiver.spans.map(({ name }) => name),
    Array.from({ length: 1500 }, (_, i) => `s${i}`),
  );
  assert.ok(receiver.received.length <= 4, `${receiver.received.length}`);
  assert.equal(receiver.received[0]?.headers['content-encoding'], 'gzip');
});

test('a server that is busy is asked again, not before it says', async () => {
  await using receiver = await Receiver.open(n =>
    n === 1 ? { status: 503, headers: { 'retry-after': '1' } } : { status: 200 },
  );
  const began = performance.now();
  const tracer = tracerTo(receiver.url);
  for (let i = 0; i < 512; i++) tracer.record(span());
  while (receiver.received.length < 2) await new Promise(resolve => setTimeout(resolve, 20));
  assert.ok(performance.now() - began >= 990);
  await tracer[Symbol.asyncDispose]();
  assert.equal(tracer.dropped, 0);
});

test('what is refused is dropped and counted, in a line of the log, with what the server said', async () => {
  await using receiver = await Receiver.open(n =>
    n === 1
      ? { status: 400, body: 'no such tenant' }
      : {
          status: 200,
          body: JSON.stringify({ partialSuccess: { rejectedSpans: '1', errorMessage: 'too old' } }),
        },
  );
  const { lines, log } = logged();
  const tracer = tracerTo(receiver.url, { log, headers: { authorization: 'Bearer secret-1' } });
  for (let i = 0; i < 514; i++) tracer.record(span());
  await tracer[Symbol.asyncDispose]();
  assert.equal(tracer.dropped, 513);
  assert.deepEqual(
    lines.map(({ spans, reason }) => [spans, reason]),
    [
      [512, 'refused with 400: no such tenant'],
      [1, 'refused: too old'],
    ],
  );
  assert.ok(!JSON.stringify(lines).includes('secret-1'));
});

test('with nobody there, spans are bounded, dropped and counted, and the end comes soon', async () => {
  const { lines, log } = logged();
  const tracer = tracerTo('http://127.0.0.1:9', { log, maxQueue: 100 });
  for (let i = 0; i < 250; i++) tracer.record(span());
  assert.equal(tracer.dropped, 150);
  const began = performance.now();
  await tracer[Symbol.asyncDispose]();
  assert.ok(performance.now() - began < 5000);
  assert.equal(tracer.dropped, 250);
  assert.equal(
    lines.reduce((sum, { spans }) => sum + Number(spans), 0),
    250,
  );
  tracer.record(span());
  assert.equal(tracer.dropped, 251, 'what comes after the end is dropped, too');
});

test('a server that never answers does not hold up the end', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  const tracer = tracerTo(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
  tracer.record(span());
  const began = performance.now();
  await tracer[Symbol.asyncDispose]();
  assert.ok(performance.now() - began < 6000);
  assert.equal(tracer.dropped, 1);
  silent.closeAllConnections();
  silent.close();
});

test('the path is added where it is not there yet', () => {
  const paths = ['http://h:4318', 'http://h:4318/', 'https://h/otlp', 'https://h/x/v1/traces'];
  assert.deepEqual(
    paths.map(path => tracesUrl(path).pathname),
    ['/v1/traces', '/v1/traces', '/otlp/v1/traces', '/x/v1/traces'],
  );
});

test('ids are those of W3C Trace Context', () => {
  const tracer = tracerTo('http://127.0.0.1:9');
  const ids = Array.from({ length: 100 }, () => ({
    traceId: tracer.newTraceId(),
    spanId: tracer.newSpanId(),
  }));
  assert.equal(new Set(ids.flatMap(({ traceId, spanId }) => [traceId, spanId])).size, 200);
  for (const id of ids) assert.match(traceparent(id), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});
