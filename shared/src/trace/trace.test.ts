import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { z } from 'zod';
import { ConfigError, configFromText, parseConfig } from '../config.js';
import { seededRng } from '../rng.js';
import { FakeClock } from '../testing/fake-clock.js';
import { testSeed } from '../testing/seed.js';
import { traceOption } from './config.js';
import { newSpanId, newTraceId, parseTrace, spanIdOf } from './context.js';
import { setTrace, traceFields } from './log-scope.js';
import { Sampler } from './sampler.js';

const seed = testSeed('traces');

test('about so many blocks are sampled as are wanted, and with 0 or 1 none or all', () => {
  const clock = new FakeClock();
  const count = (sampleRatio: number) => {
    const sampler = new Sampler({ sampleRatio, anomalies: false, rng: seededRng(seed), clock });
    return Array.from({ length: 10_000 }, () => sampler.sample(true)).filter(Boolean).length;
  };
  assert.deepEqual([count(0), count(1)], [0, 10_000]);
  const some = count(0.1);
  assert.ok(some > 800 && some < 1200, `SEED=${seed}: ${some}`);
  assert.equal(count(0.1), some, 'the same seed samples the same');
});

test('anomalous blocks are sampled besides, as many as a limit lets through', async () => {
  const clock = new FakeClock();
  const sampler = new Sampler({ sampleRatio: 0, anomalies: true, rng: seededRng(seed), clock });
  const take = (n: number) => Array.from({ length: n }, () => sampler.sample(true)).filter(Boolean).length;
  assert.equal(sampler.sample(false), undefined);
  assert.equal(take(100), 10);
  await clock.advance(3000);
  assert.equal(take(100), 3);
});

test('a hop has the same span id in every process, and every hop and trace another', () => {
  const traces = [newTraceId(seededRng(seed)), newTraceId(seededRng(seed + 1))];
  const ids = traces.flatMap(traceId =>
    (['read', 'outbox', 'publish', 'ingest'] as const).map(hop => spanIdOf(traceId, hop)),
  );
  assert.equal(new Set(ids).size, 8);
  assert.equal(
    spanIdOf('4bf92f3577b34da6a3ce929d0e0e4736', 'ingest'),
    spanIdOf('4bf92f3577b34da6a3ce929d0e0e4736', 'ingest'),
  );
  for (const spanId of ids) assert.ok(parseTrace({ traceId: traces[0], spanId }));
});

test('ids are never zero, and nothing else is taken for a context', () => {
  const zero = () => 0;
  assert.ok(parseTrace({ traceId: newTraceId(zero), spanId: newSpanId(zero) }));
  for (const none of [
    null,
    'x',
    {},
    { traceId: '0'.repeat(32), spanId: '1'.repeat(16) },
    { traceId: 'a'.repeat(32) },
  ])
    assert.equal(parseTrace(none), undefined);
});

test('lines of a logger and its children carry the trace that it is busy with, those of others do not', () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { base: {}, mixin: traceFields },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  );
  const sink = log.child({ sink: 'file' });
  setTrace(sink, { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) });
  sink.child({ part: 1 }).warn({ waitMs: 5 }, 'busy');
  log.child({ sink: 'kafka' }).warn('other');
  setTrace(sink, undefined);
  sink.warn('free');
  assert.deepEqual(
    lines.map(({ msg, trace_id, span_id, waitMs }) => [msg, trace_id, span_id, waitMs]),
    [
      ['busy', 'a'.repeat(32), 'b'.repeat(16), 5],
      ['other', undefined, undefined, undefined],
      ['free', undefined, undefined, undefined],
    ],
  );
});

const schema = z.strictObject({ trace: traceOption({}) });
const parse = (trace: string) => parseConfig(configFromText('agent.yaml', `trace:\n${trace}`), schema);
const wrong = (trace: string, what: RegExp) =>
  assert.throws(
    () => parse(trace),
    (error: Error) =>
      error instanceof ConfigError && what.test(error.message) && !/hunter2/.test(error.message),
  );

test('off unless it is there; an endpoint is enough', () => {
  assert.deepEqual(parseConfig(configFromText('agent.yaml', '{}'), schema), {});
  assert.deepEqual(parse('  endpoint: http://127.0.0.1:4318'), {
    trace: { endpoint: 'http://127.0.0.1:4318', headers: {} },
  });
});

test('secret headers go over TLS, or stay on this machine', () => {
  const headers = '  headers: { x-api-key: { env: TRACE_KEY } }';
  for (const endpoint of ['https://traces.example', 'http://localhost:4318', 'http://[::1]:4318'])
    assert.ok(parse(`  endpoint: ${endpoint}\n${headers}`));
  wrong(`  endpoint: http://10.0.0.7:4318\n${headers}`, /trace\.endpoint.*in the clear.*Remedy: use https/);
});

test('what is no address, or has a secret in it, is refused with a remedy', () => {
  wrong(
    '  endpoint: traces.example:4318',
    /trace\.endpoint.*Remedy: write it like http:\/\/127\.0\.0\.1:4318/,
  );
  wrong('  endpoint: http://me:hunter2@h:4318', /trace\.endpoint.*credentials go into trace\.headers/);
  wrong('  endpoint: http://h:99999', /trace\.endpoint.*is no address.*Remedy/);
  wrong(
    '  endpoint: https://h\n  headers: { x-api-key: hunter2 }',
    /trace\.headers.*Remedy: write { file: PATH }/,
  );
  wrong('  endpoint: https://h\n  headers: { "a b": { env: K } }', /headers/);
});
