import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { Cursor, Delivery, Sink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { RecordingTracer, sampleTrace } from '@edgeward/shared/testing/recording-tracer';
import { traceFields } from '@edgeward/shared/trace/log-scope';
import { pino } from 'pino';
import { AlertStore } from '../alerts/alert-store.js';
import { Consumer } from '../consumer.js';
import { folderFor, openJournal, TestGateway } from '../journal/testing/blocks.js';
import { AlertBench, pattern, ruleFlag, temporaryFolder } from '../testing/alert-bench.js';
import { cursorAfter, Tape } from '../testing/deliveries.js';
import { tracedSink } from './traced-sink.js';

const never = new AbortController().signal;
const other = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };

function traced(delivery: Delivery, trace = sampleTrace as Delivery['trace']): Delivery {
  return { ...delivery, ...(trace && { trace }) };
}

/** A class, as sinks are, with everything that one may have. */
class WholeSink implements Sink {
  readonly limits = { maxDeliveries: 7, maxBytes: 70 };
  readonly takesNotes = true;
  readonly #kept: number[] = [];
  fail: () => void = () => undefined;
  replayed = '';
  disposed = false;

  get kept(): readonly number[] {
    return this.#kept;
  }

  async cursor(): Promise<Cursor> {
    return { journal: 'j', position: this.#kept.length, received: {} };
  }

  async write(deliveries: readonly Delivery[]): Promise<void> {
    this.fail();
    this.#kept.push(...deliveries.map(({ seq }) => seq));
  }

  async replay(letter: string): Promise<void> {
    this.replayed = letter;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
  }
}

function around(inner: Sink) {
  const [tracer, clock] = [new RecordingTracer(), new FakeClock()];
  return { tracer, clock, sink: tracedSink(inner, { name: 'lake', tracer, clock, log: silentLogger }) };
}

test('a traced sink is the sink in all but its writes', async () => {
  const inner = new WholeSink();
  const { sink, tracer } = around(inner);
  const tape = new Tape({ seed: 1 });
  const deliveries = [tape.next(), traced(tape.next(2)), tape.next()];
  await sink.write(deliveries, cursorAfter(deliveries), never, []);
  assert.deepEqual([sink.limits, sink.takesNotes], [inner.limits, true]);
  assert.equal((await sink.cursor?.())?.position, 3);
  await sink.replay?.('letter-1', [], [], never);
  await sink[Symbol.asyncDispose]();
  assert.deepEqual([inner.kept, inner.replayed, inner.disposed], [[1, 2, 3], 'letter-1', true]);
  const plain: Sink = { write: async () => undefined, [Symbol.asyncDispose]: async () => undefined };
  const { sink: bare } = around(plain);
  assert.deepEqual([bare.cursor, bare.replay, bare.takesNotes], [undefined, undefined, undefined]);
  const [span, ...more] = tracer.spans;
  assert.equal(more.length, 0);
  assert.deepEqual(
    [span?.name, span?.context.traceId, span?.parent, span?.error],
    ['sink lake', sampleTrace.traceId, sampleTrace.spanId, undefined],
  );
  assert.deepEqual(span?.attributes, {
    'edgeward.sink': 'lake',
    'edgeward.rows': 4,
    'edgeward.write.blocks': 3,
    'edgeward.write.attempt': 1,
  });
});

test('of many tries the first that failed has a span, and the one that worked', async () => {
  const inner = new WholeSink();
  const { sink, tracer } = around(inner);
  let failures = 5;
  inner.fail = () => {
    if (failures-- > 0) throw new EdgewardError('EW_SINK_WRITE', `no answer ${failures}`);
  };
  const tape = new Tape({ seed: 1 });
  const deliveries = [traced(tape.next()), traced(tape.next(), other)];
  for (let i = 0; i < 5; i++)
    await assert.rejects(sink.write(deliveries, cursorAfter(deliveries), never), { code: 'EW_SINK_WRITE' });
  await sink.write(deliveries, cursorAfter(deliveries), never);
  for (const { traceId } of [sampleTrace, other]) {
    const own = tracer.spans.filter(({ context }) => context.traceId === traceId);
    assert.deepEqual(
      own.map(({ error, attributes }) => [error !== undefined, attributes?.['edgeward.write.attempt']]),
      [
        [true, 1],
        [false, 6],
      ],
    );
  }
  const again = [traced(tape.next())];
  await sink.write(again, cursorAfter(again), never);
  assert.equal(tracer.spans.at(-1)?.attributes?.['edgeward.write.attempt'], 1);
});

test('what the consumer logs about a failed write leads to the trace, and nothing else does', async t => {
  const lines: Record<string, unknown>[] = [];
  const to = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const log = pino({ base: {}, mixin: traceFields }, to).child({ sink: 'lake' });
  const tracer = new RecordingTracer();
  const clock = new FakeClock({ autoAdvance: true });
  const inner = new WholeSink();
  const refused = new Set([1, 2]);
  const failing: Sink = {
    write: async deliveries => {
      const [first] = deliveries;
      if (first && refused.delete(first.seq)) throw new EdgewardError('EW_SINK_WRITE', 'no answer');
      await inner.write(deliveries);
    },
    limits: { maxDeliveries: 1, maxBytes: 1e6 },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const sink = tracedSink(failing, { name: 'lake', tracer, clock, log });
  await using journal = await openJournal(await folderFor(t));
  const gateway = new TestGateway();
  await journal.append([...gateway.incoming(1), ...gateway.incoming(1, { trace: sampleTrace })]);
  const consumer = new Consumer({ name: 'lake', sink, journal, clock, log, lingerMs: 0 });
  await consumer.open();
  const stop = new AbortController();
  const running = consumer.run(stop.signal, never);
  while (inner.kept.length < 2) await new Promise(setImmediate);
  stop.abort();
  await running;
  assert.deepEqual(inner.kept, [1, 2]);
  const failed = lines.filter(({ level }) => Number(level) >= 40);
  assert.deepEqual(
    failed.map(({ trace_id, span_id }) => [trace_id, span_id]),
    [
      [undefined, undefined],
      [sampleTrace.traceId, sampleTrace.spanId],
    ],
    JSON.stringify(lines),
  );
});

const pump = (marks: string) => pattern('pump-1', marks, ruleFlag());

test('incidents hang on the block that changed them, linked to where they came from; mails hang on incidents', async t => {
  const tracer = new RecordingTracer();
  const bench = await AlertBench.open(t, { tracer });
  const tape = new Tape({ seed: 1, devices: ['pump-1'] });
  await bench.feed(traced(tape.block(pump('...'))), traced(tape.block(pump('.xx')), other));
  const [opened, ...more] = tracer.named('incident');
  assert.ok(opened);
  assert.equal(more.length, 0, 'a block that changes nothing has no span');
  assert.deepEqual(
    [opened.context.traceId, opened.parent, opened.links],
    [other.traceId, other.spanId, undefined],
  );
  assert.equal(opened.attributes?.['edgeward.change'], 'opened');
  await bench.feed(tape.block(pump('x')), traced(tape.block(pump('x'))));
  const grown = tracer.named('incident').at(-1);
  assert.deepEqual([grown?.attributes?.['edgeward.change'], grown?.links], ['grew', [opened.context]]);
  assert.equal(grown?.context.traceId, sampleTrace.traceId);
  const [mail] = tracer.named('mail');
  assert.deepEqual([mail?.context.traceId, mail?.parent], [other.traceId, opened.context.spanId]);
  assert.equal(mail?.attributes?.['edgeward.mail.state'], 'kept');
});

test('nothing is told of a change that could not be stored, and once of one that was at last', async t => {
  const tracer = new RecordingTracer();
  const store = new AlertStore({
    directory: path.join(await temporaryFolder(t), 'incidents'),
    log: silentLogger,
  });
  const bench = await AlertBench.open(t, { tracer, store });
  const commit = store.commit.bind(store);
  store.commit = async () => {
    throw new EdgewardError('EW_STORE_WRITE', 'the disk is full');
  };
  const block = traced(new Tape({ seed: 1, devices: ['pump-1'] }).block(pump('xx')));
  await assert.rejects(bench.feed(block), { code: 'EW_STORE_WRITE' });
  assert.deepEqual(tracer.spans, []);
  store.commit = commit;
  for (let i = 0; i < 2; i++) await bench.feed(block);
  assert.deepEqual(tracer.spans.map(({ name }) => name).sort(), ['incident', 'mail']);
});

test('without anything traced there is nothing to tell, and what is stored is as ever', async t => {
  const tracer = new RecordingTracer();
  const bench = await AlertBench.open(t, { tracer });
  await bench.feed(new Tape({ seed: 1, devices: ['pump-1'] }).block(pump('xx')));
  assert.equal(bench.mailIds().length, 1);
  assert.deepEqual(tracer.spans, []);
});
