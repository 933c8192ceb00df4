import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchBuilder, RowNumbers, type Value } from '@edgeward/shared/batch';
import type { RecordBatch, Schema } from '@edgeward/shared/contracts';
import { hasCode } from '@edgeward/shared/errors';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { pino } from 'pino';
import { RuleStage } from './rules.js';

const seedRule = { name: 'hot', when: 'temperature > 40 or pressure > 120', score: 1 };
const pump: Schema = {
  type: 'pump',
  fields: [
    { name: 'temperature', kind: 'float' },
    { name: 'pressure', kind: 'float' },
  ],
  devices: ['pump-1', 'pump-2'],
};

function batchOf(
  schema: Schema,
  rows: readonly (readonly [device: number, ...values: Value[]])[],
): RecordBatch {
  const limits = { maxRows: 1e6, maxAgeMs: 1e6 };
  const builder = new BatchBuilder(schema, limits, { clock: new FakeClock(), rows: new RowNumbers() });
  rows.forEach(([device, ...values], i) => {
    builder.push(device, i * 1000, values);
  });
  return builder.take();
}

test('the seed rule scores 1, flags the row and names the values that made it hold', () => {
  const before = batchOf(pump, [
    [0, 20, 100],
    [0, 41, 100],
    [1, 20, 121],
    [1, null, 100],
  ]);
  const after = new RuleStage([seedRule]).process(before);
  assert.deepEqual(Array.from(after.anomaly ?? []), [0, 1, 1, 0]);
  assert.deepEqual(Array.from(after.score ?? []), [Number.NaN, 1, 1, Number.NaN]);
  assert.deepEqual(after.evidence, [
    {
      at: 1,
      detector: 'rule',
      source: 'hot',
      score: 1,
      threshold: 1,
      channels: [{ field: 'temperature', value: 41, direction: 'high', weight: 1 }],
    },
    {
      at: 2,
      detector: 'rule',
      source: 'hot',
      score: 1,
      threshold: 1,
      channels: [{ field: 'pressure', value: 121, direction: 'high', weight: 1 }],
    },
  ]);
  assert.equal(before.score, undefined);
  assert.equal(after.values, before.values);
});

test('a batch that no rule holds for passes as it is', () => {
  const before = batchOf(pump, [[0, 20, 100]]);
  assert.equal(new RuleStage([seedRule]).process(before), before);
});

const room: Schema = {
  type: 'cold-room',
  fields: [{ name: 'temperature', kind: 'float' }],
  devices: ['r'],
};

test('a rule applies to types that have one of its fields, unless it names others', () => {
  const before = batchOf(room, [
    [0, 99],
    [0, 1],
  ]);
  const after = new RuleStage([seedRule]).process(before);
  assert.deepEqual(Array.from(after.anomaly ?? []), [1, 0]);
  assert.deepEqual(
    after.evidence?.[0]?.channels.map(({ field }) => field),
    ['temperature'],
  );
  const unknown = { ...seedRule, when: 'vibration > 1' };
  assert.equal(new RuleStage([unknown]).process(before), before);
  const onlyPumps = { name: 'x', when: 'temperature > 1', score: 1, deviceTypes: ['pump'] };
  assert.equal(new RuleStage([onlyPumps]).process(before), before);
  const rooms = { ...onlyPumps, deviceTypes: ['cold-room'] };
  assert.deepEqual(Array.from(new RuleStage([rooms]).process(before).anomaly ?? []), [1, 0]);
});

test('a rule that fits nothing is warned of once, when all sources had their time', () => {
  const warned: string[] = [];
  const log = pino(
    {},
    { write: (line: string) => void warned.push((JSON.parse(line) as { rule: string }).rule) },
  );
  const slip = { name: 'slip', when: 'temprature > 1', score: 1 };
  const elsewhere = { ...seedRule, name: 'elsewhere', deviceTypes: ['fan'] };
  const late = { ...seedRule, name: 'late', deviceTypes: ['pump'] };
  const stage = new RuleStage([seedRule, slip, elsewhere, late], log);
  for (let i = 0; i < 30; i++) stage.process(batchOf(room, [[0, 1]]));
  assert.deepEqual(warned, []);
  for (let i = 0; i < 200; i++) stage.process(batchOf(pump, [[0, 1, 1]]));
  assert.deepEqual(warned, ['slip', 'elsewhere']);
});

test('raises scores and keeps what others found', () => {
  const plain = batchOf(pump, [
    [0, 50, 1],
    [0, 50, 1],
    [0, 1, 1],
  ]);
  const other = {
    at: 2,
    detector: 'forest',
    source: 'r1',
    score: 0.7,
    threshold: 0.6,
    channels: [],
  } as const;
  const before: RecordBatch = {
    ...plain,
    score: Float32Array.of(0.25, 0.75, 0.7),
    anomaly: Uint8Array.of(0, 0, 1),
    evidence: [other],
  };
  const after = new RuleStage([{ ...seedRule, score: 0.5 }]).process(before);
  assert.deepEqual(Array.from(after.score ?? []), Array.from(Float32Array.of(0.5, 0.75, 0.7)));
  assert.deepEqual(Array.from(after.anomaly ?? []), [1, 1, 1]);
  assert.deepEqual(after.evidence?.[0], other);
  assert.equal(after.evidence?.[1]?.at, 0);
  assert.deepEqual(Array.from(before.anomaly ?? []), [0, 0, 1]);
});

test('two rules on one row: the higher score, both as evidence', () => {
  const rules = [
    { name: 'warm', when: 'temperature > 30', score: 0.5 },
    { name: 'hot', when: 'temperature > 40', score: 1 },
  ];
  const after = new RuleStage(rules).process(batchOf(pump, [[0, 50, 1]]));
  assert.deepEqual(Array.from(after.score ?? []), [1]);
  assert.deepEqual(
    after.evidence?.map(({ source }) => source),
    ['warm', 'hot'],
  );
});

test('a storm carries evidence for the first and every tenth flagged row of each device', () => {
  const rows = Array.from({ length: 50 }, (_, i) => [i % 2, 50, 1] as const);
  const after = new RuleStage([seedRule]).process(batchOf(pump, rows));
  assert.deepEqual(
    after.evidence?.map(({ at }) => at),
    [0, 1, 20, 21, 40, 41],
  );
});

test('a rule that cannot be parsed is refused at once', () => {
  assert.throws(
    () => new RuleStage([{ name: 'x', when: 'temperature >', score: 1 }]),
    (error: unknown) => hasCode(error, 'EW_RULE_SYNTAX'),
  );
});
