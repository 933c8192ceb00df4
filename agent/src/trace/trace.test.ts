import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry, Origin, Outbox, RecordBatch, Safe, Source, Stage } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { TestBatches, testSchema } from '@edgeward/shared/testing/batches';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { RecordingTracer } from '@edgeward/shared/testing/recording-tracer';
import { spanIdOf } from '@edgeward/shared/trace/context';
import { Sampler } from '@edgeward/shared/trace/sampler';
import type { Span } from '@edgeward/shared/trace/span';
import { describe } from '@edgeward/shared/wire';
import { pump } from '../pump.js';
import { PublishSpans } from './publish-spans.js';
import { SourceSpans } from './source-spans.js';

const never = new AbortController().signal;
const startMs = Date.UTC(2026, 0, 1);

/** Takes so long, and hands on what it was given. */
const slow = (clock: FakeClock, ms: number, more: Partial<RecordBatch> = {}): Stage => ({
  process: async batch => {
    await clock.advance(ms);
    return { ...batch, ...more };
  },
});

interface Bench {
  readonly sampleRatio?: number;
  readonly batches: readonly RecordBatch[];
  readonly safe?: (clock: FakeClock) => Promise<Safe>;
  /** So many appends fail first. */
  readonly failures?: number;
}

/** A source of these batches, its stages and an outbox, with spans around them, run to the end. */
async function run({ sampleRatio = 1, batches, safe = async () => 'disk', failures = 0 }: Bench) {
  const clock = new FakeClock({ nowMs: startMs });
  const tracer = new RecordingTracer();
  const sampler = new Sampler({ sampleRatio, anomalies: true, rng: () => 0.5, clock });
  const spans = new SourceSpans({ source: 's', tracer, sampler, clock });
  const origins: Origin[] = [];
  let left = failures;
  const outbox: Pick<Outbox, 'append'> = {
    append: async (_batch, origin) => {
      if (left-- > 0) throw new EdgewardError('EW_STORE_WRITE', 'not now');
      origins.push(origin);
      await clock.advance(4);
      return { durable: safe(clock) };
    },
  };
  let at = 0;
  const source: Source = {
    acknowledges: false,
    position: () => ({ at }),
    async *read() {
      for (; at < batches.length; at++) {
        await clock.advance(100);
        yield batches[at]!;
      }
    },
  };
  const stages = [
    spans.stage('check', slow(clock, 1)),
    spans.stage('check', slow(clock, 2)),
    spans.stage('score', slow(clock, 3, { model: 'probe-1' })),
  ];
  const options = { name: 's', source: spans.source(source), stages, outbox: spans.outbox(outbox) };
  // After a failure the pump sleeps.
  const awake = failures > 0 ? setInterval(() => void clock.advance(1000), 1) : undefined;
  await pump({ ...options, clock, log: silentLogger }, never, never);
  clearInterval(awake);
  return { tracer, origins, spans: tracer.spans };
}

/** Rows of that time. */
function rowsAt(timeMs: number, more: Partial<RecordBatch> = {}): RecordBatch {
  const batch = new TestBatches().next(1);
  return { ...batch, time: batch.time.map(() => timeMs), ...more };
}

const spanOf = (spans: readonly Span[], name: string) =>
  spans.find(span => span.name === name) ?? assert.fail(`no span ${name}`);
const timesOf = ({ startMs: from, endMs }: Span) => [from - startMs, endMs - startMs];

test('a sampled batch has spans from its first row to the outbox, and its context goes with it', async () => {
  const { spans, origins } = await run({ batches: [rowsAt(startMs + 60)] });
  assert.deepEqual(
    spans.map(({ name }) => name),
    ['read', 'check', 'score', 'outbox'],
  );
  const [read, check, score, outbox] = spans as [Span, Span, Span, Span];
  assert.deepEqual([read, check, score].map(timesOf), [
    [60, 100],
    [100, 103],
    [103, 106],
  ]);
  assert.equal(outbox.startMs - startMs, 106);
  const { traceId } = read.context;
  assert.equal(read.parent, undefined);
  assert.deepEqual(
    [check, score, outbox].map(({ context, parent }) => [context.traceId, parent]),
    [1, 2, 3].map(() => [traceId, read.context.spanId]),
  );
  assert.deepEqual(read.attributes, {
    'edgeward.source': 's',
    'edgeward.device_type': 'probe',
    'edgeward.rows': 2,
    'edgeward.anomalous': false,
    'edgeward.sampled_by': 'ratio',
  });
  assert.equal(score.attributes?.['edgeward.model'], 'probe-1');
  assert.deepEqual(origins[0]?.trace, { traceId, spanId: spanIdOf(traceId, 'publish') });
  assert.deepEqual(origins[0]?.position, { at: 0 });
});

test('the outbox ends where the batch was admitted, unless it went to disk or was lost', async () => {
  const outboxOf = async (outcome: () => Safe) => {
    let over: Promise<unknown> = Promise.resolve();
    const safe = async (clock: FakeClock) => {
      await new Promise(resolve => setTimeout(resolve, 10));
      await clock.advance(50);
      return outcome();
    };
    const { tracer } = await run({
      batches: [rowsAt(startMs)],
      safe: clock => {
        const durable = safe(clock);
        over = durable.catch(() => undefined);
        return durable;
      },
    });
    await over;
    await new Promise(setImmediate);
    const span = spanOf(tracer.spans, 'outbox');
    return [span.endMs - span.startMs, span.attributes?.['edgeward.safe'], span.error];
  };
  assert.deepEqual(await outboxOf(() => 'journal'), [4, 'journal', undefined]);
  assert.deepEqual(await outboxOf(() => 'disk'), [54, 'disk', undefined]);
  const lost = () => {
    throw new Error('the disk is gone');
  };
  assert.deepEqual(await outboxOf(lost), [54, undefined, 'the disk is gone']);
});

test('rows of long ago, or of another clock, do not make a read of years', async () => {
  for (const timeMs of [0, startMs - 1, startMs + 1e9, Number.NaN]) {
    const { spans } = await run({ batches: [rowsAt(timeMs)] });
    assert.deepEqual(timesOf(spanOf(spans, 'read')), [100, 100], `${timeMs}`);
  }
});

test('what is not sampled, or has no rows, leaves no span and carries nothing; what is anomalous is sampled', async () => {
  const empty = { ...rowsAt(startMs), time: new Float64Array(0), row: new Float64Array(0) };
  const flagged = rowsAt(startMs, { anomaly: Uint8Array.of(0, 1) });
  const { spans, origins } = await run({ sampleRatio: 0, batches: [rowsAt(startMs), empty, flagged] });
  assert.deepEqual(
    origins.map(({ trace }) => trace !== undefined),
    [false, false, true],
  );
  assert.equal(new Set(spans.map(({ context }) => context.traceId)).size, 1);
  assert.equal(spanOf(spans, 'read').attributes?.['edgeward.sampled_by'], 'anomaly');
});

test('a batch that is handed over again has its stages once, and one trace', async () => {
  const { spans, origins } = await run({ batches: [rowsAt(startMs)], failures: 2 });
  assert.equal(origins.length, 1);
  assert.deepEqual(
    spans.map(({ name }) => name),
    ['read', 'check', 'score', 'outbox'],
  );
});

const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
const epoch = '000000001-00000000000000aa';
const entry = (seq: number, more: Partial<Entry> = {}): Entry => ({
  epoch,
  seq,
  lane: 'live',
  bytes: Buffer.alloc(100),
  described: describe(testSchema),
  ...more,
});

test('publish lasts from the first time a block is sent to its receipt, however often it is sent', async () => {
  const clock = new FakeClock({ nowMs: startMs });
  const tracer = new RecordingTracer();
  const spans = new PublishSpans({ tracer, clock, log: silentLogger });
  spans.sent(entry(1), true);
  spans.sent(entry(2, { trace }), false);
  await clock.advance(50);
  spans.received({ epoch, from: 1, through: 1, mark: 'released' });
  spans.received({ epoch: '000000002-00000000000000bb', from: 1, through: 9, mark: 'released' });
  spans.sent(entry(2, { trace, lane: 'backlog' }), true);
  await clock.advance(50);
  assert.deepEqual(tracer.spans, []);
  spans.received({ epoch, from: 1, through: 3, mark: 'journaled' });
  spans.received({ epoch, from: 1, through: 3, mark: 'released' });
  assert.equal(tracer.named('publish').length, 1, 'once');
  const span = spanOf(tracer.spans, 'publish');
  assert.deepEqual(timesOf(span), [0, 100]);
  assert.deepEqual([span.context, span.parent], [trace, spanIdOf(trace.traceId, 'outbox')]);
  assert.deepEqual(
    ['resends', 'receipt', 'context_carried', 'seq'].map(name => span.attributes?.[`edgeward.${name}`]),
    [1, 'journaled', true, 2],
  );
});

test('blocks without a receipt are remembered up to a bound', () => {
  const tracer = new RecordingTracer();
  const spans = new PublishSpans({ tracer, clock: new FakeClock(), log: silentLogger });
  for (let seq = 1; seq <= 5000; seq++)
    spans.sent(entry(seq, { trace: { ...trace, spanId: seq.toString(16).padStart(16, '0') } }), true);
  spans.received({ epoch, from: 1, through: 5000, mark: 'released' });
  assert.deepEqual([tracer.spans.length, tracer.spans[0]?.attributes?.['edgeward.seq']], [4096, 905]);
});
