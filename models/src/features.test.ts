import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import fc from '@edgeward/shared/testing/properties';
import type { FeatureSpec } from './feature-spec.js';
import { FeatureExtractor } from './features.js';
import { sliceBatch } from './slice-batch.js';
import { machineBatch, trainedMachine } from './testing/machine.js';

const { spec } = { spec: trainedMachine().bundle.card.features };

function extract(spec: FeatureSpec, batches: readonly RecordBatch[]) {
  const extractor = new FeatureExtractor(spec);
  const matrices: number[] = [];
  const warmUps: number[] = [];
  for (const batch of batches) {
    const matrix = new Float32Array(batch.time.length * extractor.names.length);
    const warmUp = new Uint8Array(batch.time.length);
    extractor.extract(batch, matrix, warmUp);
    matrices.push(...matrix);
    warmUps.push(...warmUp);
  }
  return { matrix: Float32Array.from(matrices), warmUp: Uint8Array.from(warmUps), names: extractor.names };
}

function column(result: ReturnType<typeof extract>, name: string): number[] {
  const f = result.names.indexOf(name);
  assert.ok(f >= 0, `no feature ${name}`);
  return [...result.matrix.filter((_, i) => i % result.names.length === f)];
}

/** One device, one channel. */
function single(values: readonly number[], features: FeatureSpec['channels'][number]['features']) {
  const batch: RecordBatch = {
    schema: { type: 't', fields: [{ name: 'x', kind: 'float' }], devices: ['d'] },
    time: Float64Array.from(values, (_, i) => 1000 * i),
    device: new Uint16Array(values.length),
    row: Float64Array.from(values, (_, i) => i + 1),
    values: [Float64Array.from(values)],
    quality: new Uint16Array(values.length),
  };
  const channel = { field: 'x', start: 5, low: -100, high: 100, center: 0, scale: 1, features };
  const own: FeatureSpec = {
    channels: [{ ...channel, usual: [-3, 3] }],
    shortWeight: 0.5,
    longWeight: 0.1,
    warmUpRows: 3,
    maxGapMs: 10_000,
  };
  return { batch, own };
}

test('any cut into batches gives the same features, bit for bit', () => {
  const batch = machineBatch({ rows: 120, devices: 3, seed: 4 });
  const whole = extract(spec, [batch]);
  const n = batch.time.length;
  fc.assert(
    fc.property(fc.array(fc.nat(n), { maxLength: 12 }), cuts => {
      const edges = [0, ...cuts.sort((a, b) => a - b), n];
      const parts = edges.slice(1).map((to, i) => sliceBatch(batch, edges[i]!, to));
      assert.deepEqual(extract(spec, parts), whole);
    }),
    { numRuns: 40 },
  );
});

test('the rows of other devices do not matter', () => {
  const both = machineBatch({ rows: 100, devices: 2, seed: 8 });
  const first = [...both.device.keys()].filter(r => both.device[r] === 0);
  const alone: RecordBatch = {
    ...both,
    time: both.time.filter((_, r) => r % 2 === 0),
    device: both.device.filter((_, r) => r % 2 === 0),
    row: both.row.filter((_, r) => r % 2 === 0),
    values: both.values.map(values => (values as Float64Array).filter((_, r) => r % 2 === 0)),
    quality: both.quality.filter((_, r) => r % 2 === 0),
  };
  const together = extract(spec, [both]);
  const columns = together.names.length;
  const own = first.flatMap(r => [...together.matrix.subarray(r * columns, (r + 1) * columns)]);
  assert.deepEqual([...extract(spec, [alone]).matrix], own);
});

test('means, changes and spreads follow their definitions', () => {
  const values = [4, 8, 6, 6, 10, 2];
  const { batch, own } = single(values, ['value', 'mean', 'change', 'spread']);
  const result = extract(own, [batch]);
  let [short, long, variance] = [0, 0, 0];
  const expected = values.flatMap((value, i) => {
    const [a, b] = [Math.max(0.5, 1 / (i + 1)), Math.max(0.1, 1 / (i + 1))];
    const off = value - short;
    short += a * off;
    long += b * (value - long);
    variance = i === 0 ? 0 : (1 - a) * (variance + a * off * off);
    return [value, long, short - long, Math.sqrt(variance)].map(Math.fround);
  });
  assert.deepEqual([...result.matrix], expected);
  assert.deepEqual([...result.warmUp], [1, 1, 1, 0, 0, 0]);
});

test('a missing, invalid or impossible value leaves the last features; a stuck or jumping one counts', () => {
  const values = [4, 8, 6, 50, 5];
  for (const bit of [Quality.missing, Quality.invalid, Quality.outOfRange]) {
    const { batch, own } = single(values, ['value', 'spread']);
    const result = extract(own, [{ ...batch, fieldQuality: [Uint8Array.of(0, 0, 0, bit, 0)] }]);
    assert.deepEqual(column(result, 'x.value'), [4, 8, 6, 6, 5]);
    assert.equal(column(result, 'x.spread')[3], column(result, 'x.spread')[2]);
  }
  for (const bit of [Quality.stuck, Quality.rateOfChange]) {
    const { batch, own } = single(values, ['value']);
    const result = extract(own, [{ ...batch, fieldQuality: [Uint8Array.of(0, 0, 0, bit, 0)] }]);
    assert.deepEqual(column(result, 'x.value'), values);
  }
  const { batch, own } = single([Number.NaN, Number.POSITIVE_INFINITY, 7], ['value', 'mean', 'change']);
  assert.deepEqual([...extract(own, [batch]).matrix], [5, 5, 0, 5, 5, 0, 7, 7, 0]);
});

test('an absurd value is clamped and soon forgotten', () => {
  const { batch, own } = single([1, 1, 1, 1e300, ...new Array<number>(30).fill(1)], ['value', 'spread']);
  const result = extract(own, [batch]);
  assert.equal(column(result, 'x.value')[3], 100);
  assert.ok(column(result, 'x.spread').every(Number.isFinite));
  assert.ok(column(result, 'x.spread').at(-1)! < 0.01);
});

test('a device silent for long starts anew', () => {
  const { batch, own } = single([1, 2, 3, 4, 5, 6], ['change']);
  const time = Float64Array.of(0, 1000, 2000, 3000, 90_000, 91_000);
  const result = extract(own, [{ ...batch, time }]);
  assert.deepEqual([...result.warmUp], [1, 1, 1, 0, 1, 1]);
  assert.equal(column(result, 'x.change')[4], 0);
});

test('a residual shows which channel left the others, and hardly moves theirs', () => {
  const options = { rows: 400, devices: 1, seed: 77 };
  const fault = { field: 'flow', from: 300, offset: 8 } as const;
  const result = extract(spec, [machineBatch({ ...options, fault })]);
  const last = (name: string) => Math.abs(column(result, name).at(-1)!);
  assert.ok(last('flow.residual') > 1, `flow ${last('flow.residual')}`);
  assert.ok(last('flow.residual') > 2 * last('pressure.residual'));
  const healthy = extract(spec, [machineBatch(options)]);
  assert.ok(
    column(healthy, 'flow.residual')
      .slice(30)
      .every(residual => Math.abs(residual) < 0.3),
  );
});

test('integer and boolean columns are numbers; text and absent fields are lacking', () => {
  const { batch, own } = single([1, 0, 1], ['value']);
  const ints = { ...batch, values: [BigInt64Array.of(3n, 4n, 5n)] };
  assert.deepEqual([...extract(own, [ints]).matrix], [3, 4, 5]);
  const bools = { ...batch, values: [Uint8Array.of(1, 0, 1)] };
  assert.deepEqual([...extract(own, [bools]).matrix], [1, 0, 1]);
  const extractor = new FeatureExtractor(own);
  assert.deepEqual(extractor.lacking(batch.schema), []);
  assert.deepEqual(extractor.lacking({ ...batch.schema, fields: [{ name: 'x', kind: 'string' }] }), ['x']);
});
