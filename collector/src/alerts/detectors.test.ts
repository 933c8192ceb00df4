import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import { AlertBench, forestFlag, pattern, ruleFlag, temporaryFolder } from '../testing/alert-bench.js';
import { type RowSpec, Tape } from '../testing/deliveries.js';
import { AlertStore } from './alert-store.js';
import type { IncidentDetector } from './incident.js';

const onePump = () => new Tape({ seed: 1, devices: ['pump-1'] });

function detectorsOf(bench: AlertBench): readonly IncidentDetector[] {
  return bench.engine.list(1)[0]?.detectors ?? [];
}

test('each detector keeps its own score, threshold and channels, the clearest first', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump();
  await bench.feed(tape.block(pattern('pump-1', 'xx', forestFlag(0.7))));
  await bench.feed(tape.block(pattern('pump-1', 'x', forestFlag(0.9))));
  await bench.feed(tape.block(pattern('pump-1', 'xx', ruleFlag())));
  const bad = Quality.outOfRange;
  const fieldQuality = { flow: bad };
  const out: RowSpec = { device: 'pump-1', quality: bad, fieldQuality, flag: forestFlag(0.8) };
  await bench.feed(tape.block(Array<RowSpec>(6).fill(out)));
  assert.deepEqual(
    detectorsOf(bench).map(one => [one.detector, one.source, one.score, one.threshold, one.explainedRows]),
    [
      ['rule', 'overpressure', 1, 1, 2],
      ['forest', 'pump-3', 0.9, 0.62, 9],
      ['quality', 'outOfRange', 1, 1, 2],
    ],
  );
  const [rule, forest, quality] = detectorsOf(bench).map(one => one.channels);
  assert.deepEqual(
    rule?.map(({ field, weight, expected }) => [field, weight, expected]),
    [['discharge_pressure', 1, undefined]],
    'what the model knows of the channel is no word of the rule',
  );
  assert.deepEqual(
    forest?.map(({ field, weight, unit }) => [field, Number(weight.toFixed(6)), unit]),
    [
      ['discharge_pressure', 0.6, 'bar'],
      ['flow', 0.3, 'm3/h'],
    ],
    'shares are those of the rows in which the model spoke',
  );
  assert.deepEqual(
    quality?.map(({ field }) => field),
    ['flow'],
  );
});

test('another revision of the model is another detector', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump();
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  await bench.feed(tape.block(pattern('pump-1', 'xx', { ...forestFlag(), source: 'pump-4' })));
  assert.deepEqual(
    detectorsOf(bench).map(({ source, explainedRows }) => [source, explainedRows]),
    [
      ['pump-3', 3],
      ['pump-4', 2],
    ],
  );
});

test('rows without reasons raise the score of a model that speaks alone, and of nobody else', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump();
  const untold = (score: number) => pattern('pump-1', 'x', { ...forestFlag(score), channels: [] });
  await bench.feed(tape.block(pattern('pump-1', 'xxx')));
  await bench.feed(tape.block(untold(0.85)));
  const [alone] = detectorsOf(bench);
  assert.deepEqual([alone?.score, alone?.threshold, alone?.explainedRows], [0.85, 0.62, 3]);
  await bench.feed(tape.block(pattern('pump-1', 'x', { ...ruleFlag(0.95), threshold: 0.95 })));
  await bench.feed(tape.block(untold(0.95)));
  const forest = detectorsOf(bench).find(({ detector }) => detector === 'forest');
  assert.equal(forest?.score, 0.85, "the row's score may be the rule's");
  assert.equal(detectorsOf(bench).length, 2);
});

test('a check of readings counts although it may name no channel', async t => {
  const bench = await AlertBench.open(t);
  const rows = Array<RowSpec>(8).fill({ device: 'pump-1', quality: Quality.outOfRange });
  await bench.feed(onePump().block(rows));
  assert.deepEqual(detectorsOf(bench), [
    { detector: 'quality', source: 'outOfRange', score: 1, threshold: 1, explainedRows: 0, channels: [] },
  ]);
});

test('of many detectors the clearest are kept', async t => {
  const bench = await AlertBench.open(t);
  const tape = onePump();
  for (let i = 1; i <= 9; i++)
    await bench.feed(tape.block(pattern('pump-1', 'x', { ...forestFlag(0.7 + i / 100), source: `m-${i}` })));
  assert.deepEqual(
    detectorsOf(bench).map(({ source }) => source),
    ['m-9', 'm-8', 'm-7', 'm-6', 'm-5', 'm-4'],
  );
});

test('incidents that were stored before detectors were kept have the one that they name', async t => {
  const directory = await temporaryFolder(t);
  const before = await AlertBench.open(t, { directory });
  const tape = onePump();
  await before.feed(tape.block(pattern('pump-1', 'xxx')));
  const incident = before.engine.list(1)[0];
  assert.ok(incident);
  await before[Symbol.asyncDispose]();
  const store = new AlertStore({ directory: path.join(directory, 'incidents'), log: silentLogger });
  const key = `incident/${incident.id}`;
  const record = (await store.get(key)) as { incident: object };
  const { detectors: _, ...old } = incident;
  await store.commit([{ key, value: { ...record, incident: old } }]);
  await store[Symbol.asyncDispose]();

  const bench = await AlertBench.open(t, { directory });
  assert.deepEqual(bench.engine.get(incident.id), incident);
  await bench.feed(tape.block(pattern('pump-1', 'x', forestFlag(0.9))));
  assert.deepEqual(
    detectorsOf(bench).map(({ source, score, explainedRows }) => [source, score, explainedRows]),
    [['pump-3', 0.9, 4]],
    'and it goes on from there',
  );
});
