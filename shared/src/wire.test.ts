import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Column, Described, Field, FieldKind, RecordBatch } from './contracts.js';
import { crc32c } from './crc32c.js';
import { EdgewardError } from './errors.js';
import { seededRng } from './rng.js';
import { type BlockId, decodeBlock as decode, describe, encodeBlock as encode, readHeader } from './wire.js';

const id: BlockId = {
  epoch: '000000002-00000000000000aa',
  seq: 7,
  oldestEpoch: '000000001-00000000000000bb',
  atMs: 1_790_000_000_000,
};

const known = new Map<string, Described>();

/** Tells the schema as a gateway does before its block. */
function encodeBlock(id: BlockId, batch: RecordBatch): Uint8Array {
  const described = describe(batch.schema, batch.model);
  known.set(described.id, described);
  return encode(id, batch);
}

function decodeBlock(bytes: Uint8Array) {
  return decode(bytes, id => known.get(id));
}

/** Every double there is: the bits are drawn, so NaN payloads, −0, infinities and subnormals come up. */
const anyDouble = fc.oneof(
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324),
  fc.double(),
);
const anyBits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

function fromBits(bits: readonly bigint[]): Float64Array {
  return new Float64Array(BigUint64Array.from(bits).buffer);
}

function column(kind: FieldKind, n: number): fc.Arbitrary<Column> {
  const of = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: n, maxLength: n });
  switch (kind) {
    case 'float':
      return fc.oneof(of(anyBits).map(fromBits), of(anyDouble).map(Float64Array.from.bind(Float64Array)));
    case 'int':
      return of(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })).map(list => BigInt64Array.from(list));
    case 'bool':
      return of(fc.constantFrom(0, 1)).map(list => Uint8Array.from(list));
    case 'string':
      return of(fc.string({ unit: 'grapheme', maxLength: 12 }));
  }
}

const bytesOf = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });

/** Rows of up to three devices, in any interleaving, each device's row numbers running on. */
function rowsOf(device: readonly number[], starts: readonly number[]): Float64Array {
  const next = [...starts];
  return Float64Array.from(device, d => next[d]!++);
}

const anyBatch: fc.Arbitrary<RecordBatch> = fc
  .tuple(
    fc.integer({ min: 1, max: 20 }),
    fc.array(fc.constantFrom<FieldKind>('float', 'int', 'bool', 'string'), { minLength: 1, maxLength: 5 }),
  )
  .chain(([n, kinds]) =>
    fc.record({
      device: fc.array(fc.nat(2), { minLength: n, maxLength: n }),
      starts: fc.array(fc.integer({ min: 1, max: 2 ** 40 }), { minLength: 3, maxLength: 3 }),
      time: fc.array(fc.double({ noNaN: true }), { minLength: n, maxLength: n }),
      values: fc.tuple(...kinds.map(kind => column(kind, n))),
      kinds: fc.constant(kinds),
      missing: fc.option(
        fc.tuple(...kinds.map(() => fc.option(bytesOf(Math.ceil(n / 8)), { nil: undefined }))),
      ),
      fieldQuality: fc.option(fc.tuple(...kinds.map(() => fc.option(bytesOf(n), { nil: undefined })))),
      quality: fc.uint16Array({ minLength: n, maxLength: n }),
      score: fc.option(fc.float32Array({ minLength: n, maxLength: n })),
      anomaly: fc.option(bytesOf(n)),
      model: fc.option(fc.string({ maxLength: 128 })),
      at: fc.option(fc.nat(n - 1)),
    }),
  )
  .map(made => ({
    schema: {
      type: 'probe',
      fields: made.kinds.map((kind, f): Field => ({ name: `f${f}`, kind, unit: 'Cel', min: -1.5 })),
      devices: ['a', 'b', 'c'],
    },
    time: Float64Array.from(made.time),
    device: Uint16Array.from(made.device),
    row: rowsOf(made.device, made.starts),
    values: made.values,
    quality: made.quality,
    ...(made.missing?.some(Boolean) && { missing: made.missing }),
    ...(made.fieldQuality?.some(Boolean) && { fieldQuality: made.fieldQuality }),
    ...(made.score && { score: made.score }),
    ...(made.anomaly && { anomaly: made.anomaly }),
    ...(made.model !== null && { model: made.model }),
    ...(made.at !== null && { evidence: [evidenceAt(made.at)] }),
  }));

function evidenceAt(at: number) {
  return {
    at,
    detector: 'forest',
    source: 'pump-3',
    score: 0.75,
    threshold: 0.5,
    channels: [
      { field: 'f0', value: null, direction: 'unusual', weight: 0.5 },
      { field: 'f0', value: 1.5, expected: [0, 1], direction: 'high', weight: 0.5 },
    ],
  } as const;
}

/** Bit patterns instead of numbers, so that −0 and NaN payloads count. */
function bits(batch: RecordBatch): unknown {
  const raw = (view: ArrayBufferView | undefined) =>
    view && Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('hex');
  return {
    ...batch,
    time: raw(batch.time),
    row: raw(batch.row),
    device: raw(batch.device),
    quality: raw(batch.quality),
    values: batch.values.map(values => (Array.isArray(values) ? values : raw(values as Float64Array))),
    missing: batch.missing?.map(raw),
    fieldQuality: batch.fieldQuality?.map(raw),
    score: raw(batch.score),
    anomaly: raw(batch.anomaly),
  };
}

test('every batch comes back to the bit, wherever its bytes lie in memory', () => {
  fc.assert(
    fc.property(anyBatch, fc.nat(9), (batch, shift) => {
      const bytes = encodeBlock(id, batch);
      const moved = new Uint8Array(bytes.length + shift).subarray(shift);
      moved.set(bytes);
      const { header, batch: back } = decodeBlock(moved);
      assert.deepEqual(bits(back), bits(batch));
      assert.deepEqual(readHeader(bytes), header);
      assert.equal(header.rows, batch.time.length);
    }),
  );
});

test('the header counts rows by device', () => {
  const { header } = decodeBlock(encodeBlock(id, sample()));
  const { epoch, seq, oldestEpoch, atMs } = header;
  assert.deepEqual({ epoch, seq, oldestEpoch, atMs }, id);
  assert.deepEqual(header.devices, [
    { index: 1, first: 11, last: 12, count: 2 },
    { index: 0, first: 5, last: 5, count: 1 },
  ]);
});

/** One of each column. */
function sample(): RecordBatch {
  return {
    schema: {
      type: 'probe',
      fields: [
        { name: 'x', kind: 'float' },
        { name: 'n', kind: 'int' },
        { name: 'on', kind: 'bool' },
        { name: 'mode', kind: 'string' },
      ],
      devices: ['a', 'b'],
    },
    time: Float64Array.of(1, 2, 3),
    device: Uint16Array.of(1, 0, 1),
    row: Float64Array.of(11, 5, 12),
    values: [
      Float64Array.of(1.5, -0, Number.NaN),
      BigInt64Array.of(1n, -1n, 0n),
      Uint8Array.of(1, 0, 1),
      ['auto', '', 'händ'],
    ],
    missing: [undefined, Uint8Array.of(4), undefined, undefined],
    quality: Uint16Array.of(0, 1, 2),
    fieldQuality: [Uint8Array.of(0, 0, 2), undefined, undefined, undefined],
    model: 'pump-3',
    score: Float32Array.of(0.5, Number.NaN, 0.75),
    anomaly: Uint8Array.of(0, 0, 1),
    evidence: [evidenceAt(2)],
  };
}

/** True if it was refused as it should be; anything but our two errors is a failure. */
function refused(bytes: Uint8Array, what: string): boolean {
  try {
    decodeBlock(bytes);
    return false;
  } catch (error) {
    assert.ok(error instanceof EdgewardError, `${what}: ${error}`);
    assert.ok(
      error.code === 'EW_BLOCK_CORRUPT' ||
        error.code === 'EW_BLOCK_VERSION' ||
        error.code === 'EW_SCHEMA_UNKNOWN',
      `${what}: ${error}`,
    );
    return true;
  }
}

/** With its checksum made right again: what a faulty or hostile sender can make. */
function resealed(bytes: Uint8Array): Uint8Array {
  const sealed = Buffer.from(bytes);
  sealed.writeUInt32LE(crc32c(sealed.subarray(8)), 4);
  return sealed;
}

test('a block cut anywhere, or with anything behind it, is refused', () => {
  const bytes = encodeBlock(id, sample());
  for (let length = 0; length < bytes.length; length++)
    assert.ok(refused(bytes.subarray(0, length), `cut at ${length}`), `cut at ${length}`);
  assert.ok(refused(Buffer.concat([bytes, Buffer.alloc(8)]), 'longer'));
});

test('cut anywhere with length and checksum made right, it is refused all the same', () => {
  const bytes = encodeBlock(id, sample());
  for (let length = 16; length < bytes.length; length++) {
    const cut = Buffer.from(bytes.subarray(0, length));
    cut.writeUInt32LE(length, 8);
    assert.ok(refused(resealed(cut), `cut at ${length}`), `cut at ${length}`);
  }
});

test('one flipped bit anywhere is noticed', () => {
  const bytes = encodeBlock(id, sample());
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    if (bit >> 3 === 3) continue; // the byte that means nothing
    assert.ok(refused(flipped, `bit ${bit}`), `bit ${bit}`);
  }
});

test('lying bytes behind a right checksum never cause another error', () => {
  const bytes = encodeBlock(id, sample());
  const seed = Number(process.env.SEED ?? Date.now() % 1e9);
  const rng = seededRng(seed);
  for (let i = 0; i < 20_000; i++) {
    const lying = Uint8Array.from(bytes);
    for (let flips = 1 + Math.floor(rng() * 3); flips > 0; flips--)
      lying[Math.floor(rng() * lying.length)] = Math.floor(rng() * 256);
    refused(resealed(lying), `SEED=${seed}, round ${i}`);
  }
});

test('random bytes, with and without our mark in front, are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (random, marked) => {
      const bytes = Buffer.from(random);
      if (marked && bytes.length >= 16) {
        bytes.write('EW\0\0', 0, 'latin1');
        bytes.writeUInt32LE(bytes.length, 8);
        bytes.writeUInt32LE(8, 12);
        bytes.writeUInt32LE(crc32c(bytes.subarray(8)), 4);
      }
      assert.ok(refused(bytes, 'random'));
    }),
  );
});

/** The block with its header changed, sealed again. */
function withHeader(change: (header: Record<string, unknown>) => void): Uint8Array {
  const bytes = Buffer.from(encodeBlock(id, sample()));
  const headerBytes = bytes.readUInt32LE(12);
  const header = JSON.parse(bytes.toString('utf8', 16, 16 + headerBytes)) as Record<string, unknown>;
  change(header);
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc((json.length + 7) & ~7, 0x20);
  json.copy(padded);
  const made = Buffer.concat([bytes.subarray(0, 16), padded, bytes.subarray(16 + headerBytes)]);
  made.writeUInt32LE(made.length, 8);
  made.writeUInt32LE(padded.length, 12);
  return resealed(made);
}

test('the header changed and sealed again is as good as the first, so that the next test means something', () => {
  assert.deepEqual(bits(decodeBlock(withHeader(() => undefined)).batch), bits(sample()));
});

test('a header that lies about its rows is refused, without reserving memory for what it claims', () => {
  const claims: [string, (header: Record<string, unknown>) => void][] = [
    ['rows', header => Object.assign(header, { rows: 65_536 })],
    ['more rows than any block', header => Object.assign(header, { rows: 1e9 })],
    ['no rows', header => Object.assign(header, { rows: 0 })],
    ['negative rows', header => Object.assign(header, { rows: -1 })],
    [
      'rows of a device',
      header => Object.assign(header, { devices: [{ device: 'b', first: 1, last: 9, count: 9 }] }),
    ],
    [
      'a device',
      header => Object.assign(header, { schema: { ...(header.schema as object), devices: ['b'] } }),
    ],
    ['a bitmap too many', header => Object.assign(header, { missing: [0, 1] })],
    ['a bitmap of no field', header => Object.assign(header, { missing: [9] })],
    ['quality of no field', header => Object.assign(header, { fieldQuality: [4] })],
    ['no score', header => Object.assign(header, { score: false })],
    ['evidence of no row', header => Object.assign(header, { evidence: [{ ...evidenceAt(2), at: 3 }] })],
    ['a foreign name', header => Object.assign(header, { gateway: '../x' })],
    ['a key of the prototype', header => Object.assign(header, { constructor: 1 })],
  ];
  for (const [name, change] of claims) assert.ok(refused(withHeader(change), name), name);
});

test('a version of later is told apart from damage', () => {
  const bytes = Buffer.from(encodeBlock(id, sample()));
  bytes[2] = 1;
  assert.throws(() => decodeBlock(resealed(bytes)), { code: 'EW_BLOCK_VERSION' });
  assert.throws(() => readHeader(resealed(bytes)), { code: 'EW_BLOCK_VERSION' });
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
  const device = Array.from({ length: n }, (_, i) => i % devices);
  return {
    schema: { type: 'probe', fields, devices: Array.from({ length: devices }, (_, d) => `probe-${d}`) },
    time: new Float64Array(n),
    device: Uint16Array.from(device),
    row: rowsOf(device, new Array<number>(devices).fill(1)),
    values: fields.map(() => new Float64Array(n)),
    quality: new Uint16Array(n),
    anomaly: new Uint8Array(n).fill(1),
    evidence: device.map((_, at) => ({ ...evidenceAt(at), channels })),
  };
}

test('evidence of a site-wide alarm is thinned, first of all a device its second', () => {
  for (const [devices, rowsPerDevice] of [
    [500, 4],
    [20, 100],
    [2, 1],
  ] as const) {
    const batch = siteAlarm(devices, rowsPerDevice);
    const { header, batch: back } = decodeBlock(encodeBlock(id, batch));
    const ats = (back.evidence ?? []).map(({ at }) => at);
    const explained = new Set(ats.map(at => batch.device[at]));
    assert.deepEqual(back.anomaly, batch.anomaly, 'no row loses its flag');
    assert.ok(Buffer.byteLength(JSON.stringify(header.evidence)) < 256 * 1024);
    assert.deepEqual(
      ats,
      [...ats].sort((a, b) => a - b),
    );
    if (devices === 500) assert.equal(explained.size, ats.length, 'no second one while a device has none');
    if (devices === 500) assert.ok(ats.length > 50);
    if (devices === 20) assert.equal(explained.size, 20);
    if (devices === 20) assert.ok(ats.length > 50);
    if (devices === 2) assert.deepEqual(back.evidence, batch.evidence);
  }
});

test('what no decoder would take is not made in the first place', () => {
  const made = (change: Partial<RecordBatch>) => () => encodeBlock(id, { ...sample(), ...change });
  const schema = sample().schema;
  assert.throws(made({ row: Float64Array.of(11, 5, 11) }), TypeError, 'row numbers rise');
  assert.throws(made({ device: Uint16Array.of(1, 0, 2) }), TypeError);
  assert.throws(made({ evidence: [{ ...evidenceAt(2), score: Number.NaN }] }), TypeError);
  assert.throws(made({ evidence: [{ ...evidenceAt(3) }] }), TypeError);
  assert.throws(made({ schema: { ...schema, devices: ['a', 'b/c'] } }), TypeError);
  assert.throws(made({ values: [...sample().values.slice(0, 3), ['x'.repeat(17e6), '', '']] }), TypeError);
});
