import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Field, RecordBatch } from '../contracts.js';
import fc from '../testing/properties.js';
import {
  type BlockId,
  decodeBlock,
  describe,
  encodeBlock,
  readHeader,
  wireLimits,
  withTrace,
} from './block.js';
import { anyBatch, anyId, anyTrace } from './testing/arbitrary.js';
import { bits } from './testing/bits.js';
import { evidenceAt, sample, sampleId, steadyRows } from './testing/samples.js';

/** More of them find more: the number is for a test run that many wait for. */
const runs = Number(process.env.FUZZ_RUNS ?? 1000);

const roundTrip = (id: BlockId, batch: RecordBatch) =>
  decodeBlock(encodeBlock(id, batch), () => describe(batch.schema, batch.model));

test('every batch comes back to the bit, wherever its bytes lie in memory', () => {
  fc.assert(
    fc.property(anyId, anyBatch, fc.nat(9), (id, batch, shift) => {
      const bytes = encodeBlock(id, batch);
      const moved = new Uint8Array(bytes.length + shift).subarray(shift);
      moved.set(bytes);
      const described = describe(batch.schema, batch.model);
      const { header, batch: back } = decodeBlock(moved, wanted =>
        wanted === described.id ? described : undefined,
      );
      assert.deepEqual(bits(back), bits(batch));
      const { schemaId, rows, devices, ...backId } = header;
      assert.deepEqual(backId, id);
      assert.deepEqual([schemaId, rows], [described.id, batch.time.length]);
      assert.equal(
        devices.reduce((sum, { count }) => sum + count, 0),
        rows,
      );
      assert.deepEqual(readHeader(bytes), header);
      assert.deepEqual(encodeBlock(id, back), bytes, 'the same batch makes the same bytes');
    }),
    { numRuns: runs },
  );
});

test('a block is the same whether it was made with its trace or got it later', () => {
  fc.assert(
    fc.property(anyId, anyBatch, anyTrace, ({ trace: _, ...id }, batch, trace) => {
      const traced = encodeBlock({ ...id, trace }, batch);
      const plain = encodeBlock(id, batch);
      assert.deepEqual([plain[0], traced[0]], [1, 2]);
      assert.deepEqual(withTrace(plain, trace), traced);
      assert.deepEqual(withTrace(traced, trace), traced, 'it has one already');
      assert.deepEqual(readHeader(traced), { ...readHeader(plain), trace });
    }),
    { numRuns: runs },
  );
});

test('a block that has no room for a trace goes without', () => {
  const batch = sample();
  const text = (length: number) => ({
    ...batch,
    values: [...batch.values.slice(0, 3), ['x'.repeat(length), '', '']],
  });
  const overhead = encodeBlock(sampleId, text(0)).length;
  const largest = encodeBlock(sampleId, text(wireLimits.maxBytes - overhead - 20));
  assert.ok(largest.length > wireLimits.maxBytes - 24);
  assert.equal(withTrace(largest, { traceId: '1'.repeat(32), spanId: '1'.repeat(16) }), largest);
});

test('the header counts rows by device, in the order of their first rows', () => {
  const { header } = roundTrip(sampleId, sample());
  assert.deepEqual(header.devices, [
    { index: 1, first: 11, last: 12, count: 2 },
    { index: 0, first: 5, last: 5, count: 1 },
  ]);
});

test('a thinned block says how many rows it has of which range', () => {
  const batch = { ...sample(), row: Float64Array.of(11, 5, 2 ** 53 - 1) };
  const { header, batch: back } = roundTrip(sampleId, batch);
  assert.deepEqual(header.devices[0], { index: 1, first: 11, last: 2 ** 53 - 1, count: 2 });
  assert.deepEqual(back.row, batch.row);
});

test('voids and an unsure clock come along', () => {
  const voids = [
    [1, 1],
    [4, 9],
  ] as const;
  const clock = { boot: '0123456789abcdef0123456789abcdef', monotonicMs: 12.5 };
  const { header } = roundTrip({ ...sampleId, voids, clock }, sample());
  assert.deepEqual([header.voids, header.clock], [voids, clock]);
});

test('a steady sensor costs a byte a reading or so, a block of one row less than JSON', () => {
  assert.ok(encodeBlock(sampleId, steadyRows(500)).length < 1.2 * 2000);
  assert.ok(encodeBlock(sampleId, steadyRows(1)).length < 70);
});

test('values that are missing cost next to nothing', () => {
  const { values, ...batch } = steadyRows(500);
  const lacking = (some: (i: number) => boolean) =>
    values.map(column => (column as Float64Array).map((x, i) => (some(i) ? Number.NaN : x)));
  const lengthWith = (some: (i: number) => boolean) =>
    encodeBlock(sampleId, { ...batch, values: lacking(some) }).length;
  const tenth = encodeBlock(sampleId, steadyRows(50)).length;
  assert.ok(lengthWith(i => i % 100 < 90) < 3 * tenth);
  assert.ok(lengthWith(() => true) < 90);
});

test('times are only shared where they are equal to the bit', () => {
  for (const [one, other] of [
    [1, 2],
    [0, -0],
    [1_790_000_000_000, 1_790_000_000_000.001],
  ] as const) {
    const batch = { ...steadyRows(1), time: Float64Array.of(one, other) };
    assert.deepEqual(bits(roundTrip(sampleId, batch).batch), bits(batch));
  }
});

test('shared times that are no numbers keep what they carry', () => {
  for (const rows of [steadyRows(1), steadyRows(3)]) {
    const time = new Float64Array(rows.time.length).fill(5);
    new BigUint64Array(time.buffer).fill(0xfff4_0000_dead_beefn, 0, 2);
    const batch = { ...rows, time };
    assert.deepEqual(bits(roundTrip(sampleId, batch).batch), bits(batch));
  }
});

test('the largest blocks there may be come back', () => {
  const tall = steadyRows(wireLimits.maxRows / 2);
  assert.deepEqual(bits(roundTrip(sampleId, tall).batch), bits(tall));
  const fields = Array.from(
    { length: wireLimits.maxFields },
    (_, f): Field => ({ name: `f${f}`, kind: 'float' }),
  );
  const rows = steadyRows(20);
  const wide = { ...rows, schema: { ...rows.schema, fields }, values: fields.map(() => rows.values[0]!) };
  assert.deepEqual(bits(roundTrip(sampleId, wide).batch), bits(wide));
});

test('a schema that is not known is asked for by its id', () => {
  const bytes = encodeBlock(sampleId, sample());
  const { schemaId } = readHeader(bytes);
  assert.throws(
    () => decodeBlock(bytes, () => undefined),
    (error: Error & { code?: string; retryable?: boolean }) =>
      error.code === 'EW_SCHEMA_UNKNOWN' && error.retryable === true && error.message.includes(schemaId),
  );
});

/** Every row of every device flagged, with 24 channels a row, as an alarm all over a site makes it. */
function siteAlarm(devices: number, rowsPerDevice: number): RecordBatch {
  const n = devices * rowsPerDevice;
  const fields = Array.from({ length: 24 }, (_, f): Field => ({ name: `channel-${f}`, kind: 'float' }));
  const channels = fields.map(({ name }, f) => ({
    field: name,
    value: 1 / (f + 3),
    expected: [-1 / 3, 1 / 3] as const,
    direction: 'high' as const,
    weight: 1 / 24,
  }));
  const device = Uint16Array.from({ length: n }, (_, i) => Math.floor(i / rowsPerDevice));
  return {
    schema: { type: 'probe', fields, devices: Array.from({ length: devices }, (_, d) => `probe-${d}`) },
    time: new Float64Array(n),
    device,
    row: Float64Array.from(device, (_, i) => (i % rowsPerDevice) + 1),
    values: fields.map(() => new Float64Array(n)),
    quality: new Uint16Array(n),
    anomaly: new Uint8Array(n).fill(1),
    evidence: Array.from(device, (_, at) => ({ ...evidenceAt(at), channels })),
  };
}

for (const [devices, rowsPerDevice] of [
  [500, 4],
  [20, 100],
  [2, 1],
] as const) {
  test(`evidence of ${rowsPerDevice} rows each of ${devices} devices is thinned, a device's second before any first`, () => {
    const batch = siteAlarm(devices, rowsPerDevice);
    const { batch: back } = roundTrip(sampleId, batch);
    const ats = (back.evidence ?? []).map(({ at }) => at);
    const explained = new Set(ats.map(at => batch.device[at]));
    assert.deepEqual(back.anomaly, batch.anomaly, 'no row loses its flag');
    assert.ok(Buffer.byteLength(JSON.stringify(back.evidence)) <= wireLimits.maxEvidenceBytes);
    assert.deepEqual(
      ats,
      [...ats].sort((a, b) => a - b),
    );
    assert.ok(explained.size === Math.min(ats.length, devices), 'no second one while a device has none');
    assert.ok(ats.length === 2 || ats.length > 50);
    if (devices === 2) assert.deepEqual(back.evidence, batch.evidence);
  });
}

const schema = sample().schema;
const unmakeable: readonly [string, Partial<RecordBatch>][] = [
  ['row numbers that fall', { row: Float64Array.of(11, 5, 10) }],
  ['a row number twice', { row: Float64Array.of(11, 5, 11) }],
  ['half a row number', { row: Float64Array.of(11, 5.5, 12) }],
  ['a device the schema has not', { device: Uint16Array.of(1, 0, 2) }],
  ['evidence without a score', { evidence: [{ ...evidenceAt(2), score: Number.NaN }] }],
  ['evidence of no row', { evidence: [evidenceAt(3)] }],
  ['a name that is none', { schema: { ...schema, devices: ['a', 'b/c'] } }],
  [
    'a bound that is none',
    { schema: { ...schema, fields: [{ name: 'x', kind: 'float', min: Number.NaN }] } },
  ],
  ['too much text', { values: [...sample().values.slice(0, 3), ['x'.repeat(17e6), '', '']] }],
  ['a column too few', { values: sample().values.slice(0, 3) }],
  ['a column of another kind', { values: sample().values.slice().reverse() }],
  ['a column too long', { quality: new Uint16Array(4) }],
  ['a bitmap too long', { missing: [new Uint8Array(2)] }],
];
for (const [what, change] of unmakeable) {
  test(`${what}: what no decoder would take is not made in the first place`, () => {
    assert.throws(() => encodeBlock(sampleId, { ...sample(), ...change }), TypeError);
  });
}

const unusableIds: readonly [string, Partial<BlockId>][] = [
  ['an epoch of another form', { epoch: '2-aa' }],
  ['seq 0', { seq: 0 }],
  ['a time that is none', { atMs: Number.NaN }],
  ['a trace that is none', { trace: { traceId: '0'.repeat(32), spanId: '1'.repeat(16) } }],
  ['a span that is none', { trace: { traceId: '1'.repeat(32), spanId: 'x' } }],
  ['a boot id that is none', { clock: { boot: 'x', monotonicMs: 0 } }],
  [
    'voids that touch',
    {
      voids: [
        [1, 2],
        [3, 4],
      ],
    },
  ],
  ['a void from its end to its begin', { voids: [[2, 1]] }],
];
for (const [what, change] of unusableIds) {
  test(`${what} is no id of a block`, () => {
    assert.throws(() => encodeBlock({ ...sampleId, ...change }, sample()), TypeError);
  });
}

test('after a batch that was refused, the next one is as if nothing had been', () => {
  const bytes = encodeBlock(sampleId, sample());
  assert.throws(() => encodeBlock(sampleId, { ...sample(), evidence: [evidenceAt(3)] }), TypeError);
  assert.deepEqual(encodeBlock(sampleId, sample()), bytes);
});
