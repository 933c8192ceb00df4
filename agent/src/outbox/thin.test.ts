import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellOf, setBit } from '@edgeward/shared/batch';
import type { Evidence, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { isAnomalous, thin } from './thin.js';

const schema: Schema = {
  type: 'probe',
  fields: [
    { name: 'x', kind: 'float' },
    { name: 'n', kind: 'int' },
    { name: 'on', kind: 'bool' },
    { name: 'mode', kind: 'string' },
  ],
  devices: ['a', 'b', 'c'],
};

const seed = testSeed('thin');
const rng = seededRng(seed);
const below = (n: number) => Math.floor(rng() * n);

/** A slow wave with steps, holes and a few alarms: `rows` of it, over three devices as they come. */
function randomBatch(rows: number, next: number[], wild = 0.02): RecordBatch {
  const device = Uint16Array.from({ length: rows }, () => below(3));
  const missing = new Uint8Array(Math.ceil(rows / 8));
  for (let i = 0; i < rows; i++) if (rng() < wild) setBit(missing, i);
  const anomaly = Uint8Array.from({ length: rows }, () => (rng() < wild ? 1 : 0));
  const evidence = [...anomaly.keys()].filter(i => anomaly[i]).map(evidenceAt);
  return {
    schema,
    time: Float64Array.from({ length: rows }, (_, i) => 1000 * i),
    device,
    row: Float64Array.from(device, d => next[d]!++),
    values: [
      Float64Array.from({ length: rows }, (_, i) => Math.sin(i / 9) + rng() / 10),
      BigInt64Array.from({ length: rows }, (_, i) => BigInt(i % 50)),
      Uint8Array.from({ length: rows }, (_, i) => (i % 300 < 150 ? 1 : 0)),
      Array.from({ length: rows }, (_, i) => (i % 500 < 250 ? 'auto' : 'hand')),
    ],
    missing: [missing, undefined, undefined, undefined],
    quality: Uint16Array.from({ length: rows }, (_, i) => (missing[i >> 3]! & (1 << (i & 7)) ? 1 : 0)),
    score: Float32Array.from({ length: rows }, () => rng()),
    anomaly,
    evidence,
  };
}

function evidenceAt(at: number): Evidence {
  return { at, detector: 'forest', source: 'm', score: 1, threshold: 0.6, channels: [] };
}

function randomRun(wild?: number): RecordBatch[] {
  const next = [1, 1, 1];
  return Array.from({ length: 1 + below(20) }, () =>
    randomBatch(1 + below(rng() < 0.5 ? 3 : 200), next, wild),
  );
}

/** Everything about one row but its place. */
function rowOf(batch: RecordBatch, i: number) {
  return {
    device: batch.device[i],
    row: batch.row[i],
    time: batch.time[i],
    cells: schema.fields.map((_, f) => cellOf(batch, f, i)),
    quality: batch.quality[i],
    score: batch.score?.[i],
    anomaly: batch.anomaly?.[i],
    evidence: batch.evidence?.filter(({ at }) => at === i).map(({ source }) => source),
  };
}

const rowsOf = (run: readonly (RecordBatch | undefined)[]) =>
  run.flatMap(batch => (batch ? [...batch.time.keys()].map(i => rowOf(batch, i)) : []));

/** A device's values of a numeric field, in order. */
const series = (rows: ReturnType<typeof rowsOf>, device: number, field: number) =>
  rows
    .filter(row => row.device === device)
    .flatMap(row => (row.cells[field] === undefined ? [] : [Number(row.cells[field])]));

test('what stays is unaltered and in order, extremes, ends, alarms and changes among it', () => {
  for (let round = 0; round < 60; round++) {
    const run = randomRun();
    const thinned = thin(run) ?? run;
    const [before, after] = [rowsOf(run), rowsOf(thinned)];
    const keyOf = ({ device, row }: { device?: number | undefined; row?: number | undefined }) =>
      `${device}/${row}`;
    const kept = new Set(after.map(keyOf));
    assert.deepEqual(
      after,
      before.filter(row => kept.has(keyOf(row))),
      `SEED=${seed} round ${round}`,
    );
    for (const device of [0, 1, 2]) {
      const own = before.filter(row => row.device === device);
      for (const end of [own[0], own.at(-1)]) assert.ok(!end || kept.has(keyOf(end)));
      for (const field of [0, 1]) {
        const [whole, rest] = [series(before, device, field), series(after, device, field)];
        assert.equal(Math.min(...rest), Math.min(...whole));
        assert.equal(Math.max(...rest), Math.max(...whole));
      }
      for (const [i, row] of own.entries()) {
        const last = own[i - 1];
        const changed =
          last &&
          (last.cells[2] !== row.cells[2] || last.cells[3] !== row.cells[3] || last.quality !== row.quality);
        if (row.anomaly || changed)
          assert.ok(kept.has(keyOf(row)), `SEED=${seed} round ${round} ${keyOf(row)}`);
      }
    }
  }
});

test('about half of a smooth stretch goes, whether its blocks are large or of one row a device', () => {
  for (const rows of [3, 300]) {
    const next = [1, 1, 1];
    const run = Array.from({ length: 900 / rows }, () => ({
      ...randomBatch(rows, next, 0),
      device: Uint16Array.from({ length: rows }, (_, i) => i % 3),
      values: [
        Float64Array.from({ length: rows }, (_, i) => next[0]! / 100 + i),
        new BigInt64Array(rows),
        new Uint8Array(rows),
        new Array<string>(rows).fill(''),
      ],
    }));
    const left = rowsOf(thin(run)!).length;
    assert.ok(left >= 450 && left < 480, `${rows} rows a block: ${left} of 900 left`);
  }
});

test('again and again it comes to an end, with the ends and the extremes left', () => {
  let run: readonly RecordBatch[] = [randomBatch(2000, [1, 1, 1], 0)];
  let rounds = 0;
  for (let next = thin(run); next; next = thin(run)) {
    run = next.flatMap(batch => batch ?? []);
    rounds += 1;
    assert.ok(rounds < 30);
  }
  assert.ok(rounds > 4);
  assert.ok(rowsOf(run).length < 200);
});

test('a block in alarm is known as such', () => {
  const batch = randomBatch(50, [1, 1, 1], 0);
  assert.equal(isAnomalous(batch), false);
  assert.equal(isAnomalous({ ...batch, evidence: [evidenceAt(3)] }), true);
  assert.equal(isAnomalous({ ...batch, anomaly: Uint8Array.of(0, 1) }), true);
  assert.equal(isAnomalous({}), false);
});

test('NaN payloads pass through untouched', () => {
  const bits = BigUint64Array.from({ length: 8 }, (_, i) => 0x7ff8_0000_0000_0001n + BigInt(i));
  const batch = { ...randomBatch(8, [1, 1, 1], 0), device: new Uint16Array(8) };
  const values = [new Float64Array(bits.buffer), ...batch.values.slice(1)];
  const [thinned] = thin([{ ...batch, values }])!;
  const left = new BigUint64Array((thinned!.values[0] as Float64Array).buffer);
  assert.ok(left.length < 8);
  assert.ok(left.every(one => bits.includes(one)));
});
