import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram } from './histogram.js';
import { LoopDelay } from './loop-delay.js';
import { labelTextOf, Metrics } from './metrics.js';
import { addProcessMetrics } from './process-metrics.js';

test('numbers are read when they are asked for, in the text format', async () => {
  const metrics = new Metrics();
  let rows = 1;
  metrics.counter('collector_rows_total', 'Rows', () => rows);
  metrics.gauge('collector_bytes', 'Bytes', () => Number.POSITIVE_INFINITY);
  metrics.gauge('collector_nothing_bytes', 'None now', () => undefined);
  metrics.gauges('collector_state', 'State', ['sink', 'state'], () => [['a"b\\c\nd', 'ok', 1]]);
  rows = 5;
  assert.equal(
    await metrics.text(),
    [
      '# HELP collector_rows_total Rows',
      '# TYPE collector_rows_total counter',
      'collector_rows_total 5',
      '# HELP collector_bytes Bytes',
      '# TYPE collector_bytes gauge',
      'collector_bytes +Inf',
      '# HELP collector_nothing_bytes None now',
      '# TYPE collector_nothing_bytes gauge',
      '# HELP collector_state State',
      '# TYPE collector_state gauge',
      'collector_state{sink="a\\"b\\\\c\\nd",state="ok"} 1',
      '',
    ].join('\n'),
  );
});

test('a table has a metric a column, of those rows that have a value', async () => {
  const metrics = new Metrics();
  const rows = [
    { name: 'a', bytes: 1 },
    { name: 'b"', bytes: undefined, blocks: 2 },
  ];
  const { gauge, counter } = metrics.table(
    ['gateway'],
    () => rows,
    ({ name }) => labelTextOf(['gateway'], [name]),
  );
  gauge('outbox_bytes', 'Bytes', ({ bytes }) => bytes);
  counter('blocks_total', 'Blocks', ({ blocks }) => blocks);
  counter('none_total', 'None', () => undefined);
  assert.deepEqual((await metrics.text()).trimEnd().split('\n'), [
    '# HELP outbox_bytes Bytes',
    '# TYPE outbox_bytes gauge',
    'outbox_bytes{gateway="a"} 1',
    '# HELP blocks_total Blocks',
    '# TYPE blocks_total counter',
    'blocks_total{gateway="b\\""} 2',
    '# HELP none_total None',
    '# TYPE none_total counter',
  ]);
  assert.deepEqual(metrics.descriptions[0]?.labels, ['gateway']);
});

test('buckets of a histogram add up, and a value on a bound is below it', async () => {
  const metrics = new Metrics();
  const seconds = new Histogram([0.1, 1]);
  metrics.histograms('sink_seconds', 'Writes', ['sink'], () => [
    ['file', seconds],
    ['none', undefined],
  ]);
  seconds.observe(0.1);
  seconds.observe(0.5, 2);
  seconds.observe(7);
  assert.equal(seconds.count, 4);
  assert.deepEqual((await metrics.text()).trimEnd().split('\n').slice(2), [
    'sink_seconds_bucket{sink="file",le="0.1"} 1',
    'sink_seconds_bucket{sink="file",le="1"} 3',
    'sink_seconds_bucket{sink="file",le="+Inf"} 4',
    'sink_seconds_sum{sink="file"} 8.1',
    'sink_seconds_count{sink="file"} 4',
  ]);
  assert.throws(() => new Histogram([1, 1]), TypeError);
});

test('names that break the conventions are refused', () => {
  const metrics = new Metrics();
  const value = () => 1;
  assert.throws(() => metrics.counter('rows', 'Rows', value), /no name for a counter/);
  assert.throws(() => metrics.gauge('rows_total', 'Rows', value), /no name for a gauge/);
  assert.throws(() => metrics.gauge('rowCount', 'Rows', value), /no name/);
  assert.throws(() => metrics.gauge('rows', '', value), /help text/);
  metrics.gauge('rows', 'Rows', value);
  assert.throws(() => metrics.gauge('rows', 'Rows', value), /already/);
  assert.throws(() => metrics.gauges('bytes', 'Bytes', ['le'], () => []), /labels/);
});

test('a preparation that fails does not keep the others from being told', async () => {
  const metrics = new Metrics();
  let bytes: number | undefined;
  metrics.prepare(() => Promise.reject(new Error('the store is closed')));
  metrics.prepare(async () => {
    bytes = 3;
  });
  metrics.gauge('journal_bytes', 'Bytes', () => bytes);
  assert.match(await metrics.text(), /^journal_bytes 3$/m);
});

test('a loop that stands still is seen by all that was due meanwhile', async () => {
  using loop = new LoopDelay();
  await new Promise(resolve => setTimeout(resolve, 150)); // it has looked once
  const before = loop.seconds.count;
  const until = performance.now() + 650;
  while (performance.now() < until);
  await new Promise(resolve => setTimeout(resolve, 20));
  const { counts, bounds, count } = loop.seconds;
  assert.ok(count - before >= 5, `${count - before} looks`);
  assert.ok(counts[bounds.indexOf(1)]! + counts[bounds.indexOf(0.5)]! >= 2, `${counts}`);
});

test('a process tells of itself under the usual names', async () => {
  const metrics = new Metrics();
  using loop = new LoopDelay();
  addProcessMetrics(metrics, () => loop);
  const text = await metrics.text();
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  assert.ok(value('process_resident_memory_bytes') > 1e6);
  assert.ok(value('process_cpu_seconds_total') > 0);
  assert.ok(Math.abs(value('process_start_time_seconds') - Date.now() / 1000) < 600);
  if (process.platform === 'linux') assert.ok(value('process_open_fds') > 2);
});
