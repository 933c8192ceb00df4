/** The models we ship, on devices, days and faults that they were not trained on. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { DriftWatch } from '@edgeward/models/drift';
import type { Field, RecordBatch } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import type { FaultKind } from '@edgeward/simulators/faults';
import type { DeviceType } from '@edgeward/simulators/plant';
import { root } from '../support/root.js';
import { plantRows } from './plant-rows.js';
import { openShipped, shippedModels, shippedScorer } from './shipped-models.js';

const stepMs = 2000;
const devices = (['pump', 'cold-room', 'power-feed'] as const).flatMap(type =>
  ['a', 'b'].map(letter => ({ name: `${type}-${letter}`, type })),
);

for (const name of shippedModels)
  test(`${name}: both engines give the same scores`, async () => {
    const seed = testSeed('both engines');
    const [onnx, typescript] = await Promise.all([
      openShipped(name, 'onnx'),
      openShipped(name, 'typescript'),
    ]);
    const rng = seededRng(seed);
    const { rows, features } = onnx.bundle.golden;
    const ranges = onnx.detector.features.map(name => {
      const values = rows.map(row => row[features.indexOf(name)]!);
      return { low: Math.min(...values), high: Math.max(...values) };
    });
    // From well inside to far outside what is usual.
    const x = Float32Array.from({ length: 1000 * ranges.length }, (_, i) => {
      const { low, high } = ranges[i % ranges.length]!;
      return low + (high - low) * (2 * rng() - 0.5);
    });
    const [a, b] = await Promise.all([onnx, typescript].map(({ detector }) => detector.score(x, 1000)));
    for (const [r, score] of a!.entries())
      assert.ok(Math.abs(score - b![r]!) <= 1e-5, `row ${r}, SEED=${seed}`);
    assert.ok(Math.max(...a!) - Math.min(...a!) > 0.1, 'the rows differ');
  });

test('six healthy devices over six hours in winter and in summer: not one row is flagged', async () => {
  for (const [seed, start] of [
    [71, '2026-02-14T06:00:00Z'],
    [72, '2026-07-22T14:00:00Z'],
  ] as const) {
    const scorer = await shippedScorer();
    for (const { batch } of plantRows({ seed, startMs: Date.parse(start), stepMs, devices }, 6)) {
      const scored = await scorer.process(batch);
      assert.ok(scored.score, `${batch.schema.type} has a model`);
      assert.equal(scored.anomaly!.indexOf(1), -1, `${batch.schema.type}, seed ${seed}`);
    }
    await scorer[Symbol.asyncDispose]();
  }
});

test('healthy devices started at any hour: not one row is flagged in their first minutes', async () => {
  for (let hour = 0; hour < 24; hour++) {
    const scorer = await shippedScorer();
    const startMs = Date.UTC(2026, 10, 21, hour);
    for (const { batch } of plantRows({ seed: 1, startMs, stepMs, devices }, 0.2)) {
      const { anomaly } = await scorer.process(batch);
      assert.equal(anomaly!.indexOf(1), -1, `${batch.schema.type}, ${hour} o'clock`);
    }
    await scorer[Symbol.asyncDispose]();
  }
});

test('healthy devices do not drift within 26 hours, in winter or in summer', async () => {
  for (const [seed, start] of [
    [75, '2026-02-14T06:00:00Z'],
    [76, '2026-07-22T14:00:00Z'],
  ] as const) {
    const told: string[] = [];
    const scorer = await shippedScorer((batch, judgement, card) => {
      const watch = new DriftWatch(card);
      if (watch.take(batch, judgement, 0)) told.push(JSON.stringify(watch.drifts()));
    });
    for (const { batch } of plantRows({ seed, startMs: Date.parse(start), stepMs, devices }, 26))
      await scorer.process(batch);
    await scorer[Symbol.asyncDispose]();
    assert.deepEqual(told, [], `seed ${seed}`);
  }
});

/** Rows from a fault's onset to its first flag, at most; measured ones are about half. */
const withinRows: readonly [DeviceType, FaultKind, number][] = [
  ['pump', 'blocked-valve', 20],
  ['pump', 'leak', 20],
  ['pump', 'bearing-wear', 40],
  ['pump', 'spikes', 25],
  ['pump', 'drift', 90],
  ['cold-room', 'spikes', 25],
  ['cold-room', 'drift', 130],
  ['power-feed', 'power-sag', 10],
  ['power-feed', 'spikes', 25],
];

for (const [type, kind, rows] of withinRows)
  test(`${kind} of a ${type} is flagged within ${rows} rows, and nothing else is`, async () => {
    const device = `${type}-a`;
    const fault = { kind, device, atS: 1800, durationS: 600, severity: 0.7 };
    const config = { seed: 73, startMs: Date.parse('2026-04-04T10:00:00Z'), stepMs, faults: [fault] };
    const own = devices.filter(other => other.type === type);
    const [{ batch, faulty } = assert.fail('no rows')] = plantRows({ ...config, devices: own }, 0.6);
    const scorer = await shippedScorer();
    const scored = await scorer.process(batch);
    await scorer[Symbol.asyncDispose]();
    const flagged = flaggedRows(scored);
    assert.ok(
      flagged.every(
        r => faulty[r] || scored.time[r]! > config.startMs + (fault.atS + fault.durationS) * 1000,
      ),
      'no flag before',
    );
    const first = flagged[0] ?? assert.fail('never flagged');
    const delay = scored.row[first]! - scored.row[faulty.indexOf(true)]!;
    assert.ok(delay <= rows, `flagged after ${delay} rows`);
    assert.ok(
      scored.evidence?.some(({ at }) => at === first),
      'the first flagged row is explained',
    );
    if (kind !== 'power-sag')
      assert.ok(flagged.every(r => batch.schema.devices[batch.device[r]!] === device));
  });

for (const kind of ['refrigerant-leak', 'condenser-fouled', 'fan-failed'] as const)
  test(`${kind} of a cold room is flagged within 25 minutes, though it shows only while the compressor runs`, async () => {
    const own = devices.filter(({ type }) => type === 'cold-room');
    const device = own[0]!.name;
    const fault = { kind, device, atS: 3600, durationS: 3600, severity: 0.6 };
    const config = {
      seed: 77,
      startMs: Date.parse('2026-06-04T10:00:00Z'),
      stepMs,
      devices: own,
      faults: [fault],
    };
    const [{ batch, faulty } = assert.fail('no rows')] = plantRows(config, 2);
    const scorer = await shippedScorer();
    const scored = await scorer.process(batch);
    await scorer[Symbol.asyncDispose]();
    const flagged = flaggedRows(scored);
    const delay = scored.row[flagged[0]!]! - scored.row[faulty.indexOf(true)]!;
    assert.ok(delay >= 0 && delay <= 750, `flagged after ${delay} rows`);
    assert.ok(flagged.every(r => batch.schema.devices[batch.device[r]!] === device));
  });

test('the recording: silent before its first failure, and both failures are found', async () => {
  const file = path.join(root, 'simulators', 'recordings', 'ambient_temperature_system_failure.csv');
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n').slice(1);
  const scorer = await shippedScorer();
  const scored = await scorer.process(officeBatch(lines.map(line => line.split(','))));
  await scorer[Symbol.asyncDispose]();
  // Row r is line r + 2; windows as in simulators/recordings/README.md.
  const flaggedLines = flaggedRows(scored).map(r => r + 2);
  assert.ok(flaggedLines[0]! >= 3542, `line ${flaggedLines[0]}`);
  for (const [from, to] of [
    [3542, 3904],
    [6001, 6363],
  ] as const)
    assert.ok(
      flaggedLines.some(line => line >= from && line <= to),
      `nothing in ${from} to ${to}`,
    );
});

function officeBatch(cells: readonly string[][]): RecordBatch {
  const n = cells.length;
  const temperature: Field = { name: 'temperature', kind: 'float' };
  return {
    schema: { type: 'office', fields: [temperature], devices: ['office-1'] },
    time: Float64Array.from(cells, ([time]) => Date.parse(`${time!.replace(' ', 'T')}Z`)),
    device: new Uint16Array(n),
    row: Float64Array.from({ length: n }, (_, r) => r + 1),
    // From degrees Fahrenheit, as in the demo.
    values: [Float64Array.from(cells, ([, value]) => Number(value) * (5 / 9) - 160 / 9)],
    quality: new Uint16Array(n),
  };
}

function flaggedRows({ anomaly }: RecordBatch): number[] {
  return [...anomaly!.keys()].filter(r => anomaly![r] === 1);
}
