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
  fromMs = 0,
): RecordBatch {
  const limits = { maxRows: 1e6, maxAgeMs: 1e6 };
  const builder = new BatchBuilder(schema, limits, { clock: new FakeClock(), rows: new RowNumbers() });
  rows.forEach(([device, ...values], i) => {
    builder.push(device, fromMs + i * 1000, values);
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
      channels: [{ field: 'temperature', value: 41, limit: 40, direction: 'high', weight: 1 }],
    },
    {
      at: 2,
      detector: 'rule',
      source: 'hot',
      score: 1,
      threshold: 1,
      channels: [{ field: 'pressure', value: 121, limit: 120, direction: 'high', weight: 1 }],
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

test('of rows that come more rarely than a rule looks back it is warned once', () => {
  const warned: unknown[] = [];
  const log = pino({}, { write: (line: string) => void warned.push(JSON.parse(line)) });
  const rule = (name: string, when: string) => ({ name, when, score: 1 });
  const rules = [
    rule('window', 'mean(temperature, 1s) > 1'),
    rule('lasts', 'temperature > 1 for 1s'),
    rule('longer', 'mean(temperature, 2s) > 1 for 3s'),
    rule('plain', 'temperature > 1'),
  ];
  const stage = new RuleStage(rules, log);
  for (let i = 0; i < 120; i++) stage.process(batchOf(room, [[0, 1]], i * 2000));
  const told = warned.map(line => line as { rule: string; device: string });
  assert.deepEqual(
    told.map(({ rule: name, device }) => [name, device]),
    [
      ['window', 'r'],
      ['lasts', 'r'],
    ],
  );
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

const flagsOf = (batch: RecordBatch) => Array.from(batch.anomaly ?? new Uint8Array(batch.time.length));

test('a rule that looks back knows a device by its name, whatever schema and batch its rows come in', () => {
  const stage = new RuleStage([{ name: 'warm', when: 'mean(temperature, 2s) > 40', score: 1 }]);
  const other: Schema = { ...room, type: 'pump', devices: ['pump-9', 'pump-2'] };
  const first = batchOf(pump, [
    [0, 99, 1],
    [1, 99, 1],
    [0, 99, 1],
  ]);
  assert.deepEqual(flagsOf(stage.process(first)), [0, 0, 1]);
  const second = batchOf(
    other,
    [
      [1, 99],
      [0, 99],
      [1, 0],
      [1, 0],
    ],
    2000,
  );
  // pump-2 was seen at 1 s; pump-9 never before.
  assert.deepEqual(flagsOf(stage.process(second)), [0, 0, 1, 0]);
});

test('evidence of a window has what the window says', () => {
  const stage = new RuleStage([{ name: 'rising', when: 'change(temperature, 2s) > 4', score: 0.9 }]);
  const after = stage.process(
    batchOf(room, [
      [0, 20],
      [0, 21],
      [0, 25],
    ]),
  );
  assert.deepEqual(after.evidence, [
    {
      at: 2,
      detector: 'rule',
      source: 'rising',
      score: 0.9,
      threshold: 0.9,
      channels: [
        {
          field: 'temperature',
          value: 5,
          of: 'change(temperature, 2s)',
          limit: 4,
          direction: 'high',
          weight: 1,
        },
      ],
    },
  ]);
});

test('a stage starts with empty windows, unless it goes on from what another remembered', () => {
  const rules = [
    { name: 'warm', when: 'mean(temperature, 2s) > 40', score: 1 },
    { name: 'hot', when: 'temperature > 50 for 2s', score: 1 },
  ];
  const before = new RuleStage(rules);
  const rows = [
    [0, 99],
    [0, 99],
  ] as const;
  assert.deepEqual(flagsOf(before.process(batchOf(room, rows))), [0, 0]);
  const again = batchOf(room, rows, 2000);
  assert.deepEqual(flagsOf(new RuleStage(rules).process(again)), [0, 0]);
  const restored = new RuleStage([...rules].reverse());
  restored.load(JSON.parse(JSON.stringify(before.save())));
  const found = restored.process(again);
  assert.deepEqual(flagsOf(found), [1, 1]);
  assert.deepEqual(
    found.evidence?.map(({ source }) => source),
    ['hot', 'warm'],
  );
  assert.throws(() => new RuleStage(rules).load({ windows: 1 }));
});
