/** Batches of every kind for fast-check, with the values that codecs get wrong. */

import type { Column, Field, FieldKind, RecordBatch, TraceContext } from '../../contracts.js';
import fc from '../../testing/properties.js';
import { isSpanId, isTraceId } from '../../trace/context.js';
import type { BlockId } from '../block.js';

const listOf = <T>(one: fc.Arbitrary<T>, n: number) => fc.array(one, { minLength: n, maxLength: n });
export const bytesOf = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });

/** Drawn as bits, so that NaNs with payloads and denormals come up. */
function fromBits(bits: readonly bigint[]): Float64Array {
  return new Float64Array(BigUint64Array.from(bits).buffer);
}

const anyBits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const nanBits = fc.bigInt({ min: 0x7ff0000000000001n, max: 0x7fffffffffffffffn });
const bitsOf = (value: number) => new BigUint64Array(Float64Array.of(value).buffer)[0]!;
const specialBits = fc.oneof(
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324).map(bitsOf),
  nanBits,
  fc.double().map(bitsOf),
);

/** Decimals around a level; of each `odd`-th row something else. */
function sensor(n: number): fc.Arbitrary<Float64Array> {
  const draws = fc.record({
    digits: fc.integer({ min: 0, max: 15 }),
    level: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    spread: fc.constantFrom(0, 1, 100, 2 ** 31, 2 ** 32, 2 ** 45),
    step: fc.constantFrom(1, 2, 5, 1000),
    single: fc.boolean(),
    noise: listOf(fc.double({ min: -1, max: 1, noNaN: true }), n),
    odd: fc.integer({ min: 1, max: 12 }),
    special: listOf(specialBits, n),
  });
  return draws.map(({ digits, level, spread, step, single, noise, odd, special }) => {
    const column = Float64Array.from(noise, x =>
      Number(`${level + Math.round(x * spread) * step}e-${digits}`),
    );
    const values = single ? Float64Array.from(column, Math.fround) : column;
    const words = new BigUint64Array(values.buffer);
    for (let i = odd; i < n; i += odd) words[i] = special[i]!;
    return values;
  });
}

export function floats(n: number): fc.Arbitrary<Float64Array> {
  return fc.oneof(
    sensor(n),
    listOf(anyBits, n).map(fromBits),
    listOf(specialBits, n).map(fromBits),
    fc.double().map(value => new Float64Array(n).fill(value)),
  );
}

function ints(n: number): fc.Arbitrary<BigInt64Array> {
  const small = fc.bigInt({ min: -9n, max: 9n });
  const any = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const near53 = fc.bigInt({ min: -10n, max: 10n }).map(x => (x < 0n ? -(2n ** 52n) : 2n ** 52n) + x);
  return fc
    .oneof(listOf(small, n), listOf(any, n), listOf(fc.oneof(near53, small), n))
    .map(list => BigInt64Array.from(list));
}

function column(kind: FieldKind, n: number): fc.Arbitrary<Column> {
  switch (kind) {
    case 'float':
      return floats(n);
    case 'int':
      return ints(n);
    case 'bool':
      return fc.oneof(
        listOf(fc.constantFrom(0, 1), n).map(list => Uint8Array.from(list)),
        bytesOf(n),
      );
    case 'string':
      return listOf(
        fc.oneof(
          fc.string({ unit: 'grapheme', maxLength: 12 }),
          fc.constantFrom('on', 'off', '\ud800', '"\\'),
        ),
        n,
      );
  }
}

/** Mostly one number for all; runs, noise, extremes. */
function shorts(n: number): fc.Arbitrary<Uint16Array> {
  return fc.oneof(
    fc.constant(new Uint16Array(n)),
    fc.nat(0xffff).map(value => new Uint16Array(n).fill(value)),
    fc.nat(n).map(from => new Uint16Array(n).fill(1024, from)),
    fc.uint16Array({ minLength: n, maxLength: n }),
  );
}

function singles(n: number): fc.Arbitrary<Float32Array> {
  return fc.oneof(
    fc.uint32Array({ minLength: n, maxLength: n }).map(words => new Float32Array(words.slice().buffer)),
    listOf(fc.nat(10_000), n).map(list => Float32Array.from(list, x => x / 10_000)),
    listOf(fc.oneof(fc.constantFrom(Number.NaN, -0, 1), fc.float()), n).map(list => Float32Array.from(list)),
  );
}

/** Which device each row is of: in turn, one after another, or anyhow. */
function devices(n: number): fc.Arbitrary<Uint16Array> {
  const [mine, all] = [fc.nat(5), fc.integer({ min: 1, max: 6 })];
  return fc.oneof(
    mine.map(d => new Uint16Array(n).fill(d)),
    all.map(d => Uint16Array.from({ length: n }, (_, i) => i % d)),
    all.map(d => Uint16Array.from({ length: n }, (_, i) => Math.floor((i * d) / n))),
    listOf(fc.nat(5), n).map(list => Uint16Array.from(list)),
  );
}

/** Each device's numbers run on; where `gap` says so, some are left out. */
function rowsOf(device: Uint16Array, starts: readonly number[], gaps: readonly number[]): Float64Array {
  const next = [...starts];
  return Float64Array.from(device, (d, i) => {
    next[d]! += 1 + gaps[i]!;
    return next[d]!;
  });
}

/** Times as they come: regular and shared, with jitter, in µs, backwards, or any bits at all. */
function times(device: Uint16Array): fc.Arbitrary<Float64Array> {
  const n = device.length;
  const startMs = 1_790_000_000_000;
  const turn = new Map<number, number>();
  const ticks = Array.from(device, d => {
    turn.set(d, (turn.get(d) ?? -1) + 1);
    return turn.get(d)!;
  });
  return fc.oneof(
    fc.nat(60_000).map(period => Float64Array.from(ticks, tick => startMs + tick * period)),
    fc.nat(60_000).map(period => Float64Array.from(ticks, tick => startMs - tick * period)),
    listOf(fc.nat(20), n).map(list => Float64Array.from(list, (jitter, i) => startMs + i * 1000 + jitter)),
    listOf(fc.nat(9), n).map(list => Float64Array.from(list, (us, i) => startMs + i + us / 1000)),
    floats(n),
  );
}

const optional = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });

function evidenceAt(at: number, score: number) {
  return {
    at,
    detector: 'forest',
    source: 'pump-3',
    score,
    threshold: 0.5,
    channels: [
      { field: 'f0', value: null, direction: 'unusual', weight: 0.5 },
      {
        field: 'f0',
        value: 1.5,
        expected: [0, 1],
        of: 'mean(f0, 10m)',
        limit: 1,
        direction: 'high',
        weight: 0.5,
      },
    ],
  } as const;
}

function batchOf(n: number, kinds: readonly FieldKind[]): fc.Arbitrary<RecordBatch> {
  const each = <T>(one: () => fc.Arbitrary<T>) => fc.tuple(...kinds.map(one));
  const parts = fc.record({
    starts: listOf(fc.integer({ min: 0, max: 2 ** 40 }), 6),
    sameStart: fc.boolean(),
    gaps: fc.oneof(
      fc.constant(new Array<number>(n).fill(0)),
      listOf(fc.nat(3), n),
      listOf(fc.nat(2 ** 40), n),
    ),
    values: fc.tuple(...kinds.map(kind => column(kind, n))),
    missing: optional(each(() => optional(bytesOf((n + 7) >> 3)))),
    fieldQuality: optional(each(() => optional(bytesOf(n)))),
    quality: shorts(n),
    score: optional(singles(n)),
    anomaly: optional(bytesOf(n)),
    model: optional(fc.string({ maxLength: 128 })),
    evidence: optional(fc.tuple(fc.nat(n - 1), fc.double({ noNaN: true, noDefaultInfinity: true }))),
  });
  return devices(n).chain(device =>
    fc.tuple(parts, times(device)).map(([made, time]) => ({
      schema: {
        type: 'probe',
        fields: kinds.map((kind, f): Field => ({ name: `f${f}`, kind, unit: 'Cel', min: -1.5 })),
        devices: ['a', 'b', 'c', 'd', 'e', 'f'],
      },
      time,
      device,
      row: rowsOf(device, made.sameStart ? made.starts.map(() => 7) : made.starts, made.gaps),
      values: made.values,
      quality: made.quality,
      ...(made.missing?.some(Boolean) && { missing: made.missing }),
      ...(made.fieldQuality?.some(Boolean) && { fieldQuality: made.fieldQuality }),
      ...(made.score && { score: made.score }),
      ...(made.anomaly && { anomaly: made.anomaly }),
      ...(made.model !== undefined && { model: made.model }),
      // JSON has no −0.
      ...(made.evidence && { evidence: [evidenceAt(made.evidence[0], made.evidence[1] + 0)] }),
    })),
  );
}

export const anyBatch: fc.Arbitrary<RecordBatch> = fc
  .tuple(
    // Long enough for several frames, mostly short.
    fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 24 }) }, fc.integer({ min: 100, max: 400 })),
    fc.array(fc.constantFrom<FieldKind>('float', 'float', 'int', 'bool', 'string'), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .chain(([n, kinds]) => batchOf(n, kinds));

const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
    .map(list => list.join(''));
const epoch = fc.tuple(fc.stringMatching(/^\d{1,15}$/), hex(16)).map(parts => parts.join('-'));
const ms = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }));
const voids = fc.array(fc.tuple(fc.nat(9), fc.nat(2 ** 30)), { minLength: 1, maxLength: 9 }).map(list => {
  let before = -1;
  return list.map(([gap, length]): [number, number] => {
    const from = before + 2 + gap;
    before = from + length;
    return [from, before];
  });
});

export const anyTrace: fc.Arbitrary<TraceContext> = fc
  .record({ traceId: hex(32), spanId: hex(16) })
  .filter(({ traceId, spanId }) => isTraceId(traceId) && isSpanId(spanId))
  .map(trace => ({ ...trace }));

export const anyId: fc.Arbitrary<BlockId> = fc
  .record({
    epoch,
    oldest: optional(epoch),
    seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    atMs: ms,
    voids: optional(voids),
    clock: optional(fc.record({ boot: hex(32), monotonicMs: ms })),
    trace: optional(anyTrace),
  })
  .map(({ oldest, voids, clock, trace, ...id }) => ({
    ...id,
    oldestEpoch: oldest ?? id.epoch,
    ...(voids && { voids }),
    ...(clock && { clock: { ...clock } }),
    ...(trace && { trace }),
  }));
