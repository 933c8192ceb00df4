import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Detector, RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import { type LoadedModel, loadDetector } from './engines.js';
import { scorePlain } from './plain.js';
import { Scorer } from './scorer.js';
import { sliceBatch } from './slice-batch.js';
import {
  type MachineField,
  machineBatch,
  machineFields,
  machineTraining,
  trainedMachine,
} from './testing/machine.js';
import { train } from './training.js';

const { bundle } = trainedMachine();
const { threshold, smoothingRows, features } = bundle.card;

async function model(): Promise<LoadedModel> {
  return { bundle, detector: await loadDetector(bundle, { engine: 'typescript', log: silentLogger }) };
}

async function scorer(): Promise<Scorer> {
  return new Scorer({ models: [await model()], log: silentLogger });
}

const offsets = { pressure: 2, flow: -8, current: 4 };
const directions = { pressure: 'high', flow: 'low', current: 'high' };

function faulty(field: MachineField, seed = 50): RecordBatch {
  return machineBatch({ rows: 300, seed, fault: { field, from: 200, offset: offsets[field] } });
}

test('healthy rows of new devices raise no alarm; the first ones are marked as warm-up', async () => {
  const batch = machineBatch({ rows: 2000, devices: 3, seed: 33 });
  const scored = await (await scorer()).process(batch);
  assert.equal(scored.anomaly!.indexOf(1), -1);
  assert.equal(scored.evidence, undefined);
  assert.equal(scored.model, bundle.card.revision);
  scored.quality.forEach((quality, r) => {
    const warming = batch.row[r]! <= features.warmUpRows;
    assert.equal(quality, warming ? Quality.warmUp : 0, `row ${r}`);
    assert.equal(Number.isNaN(scored.score![r]!), warming);
  });
  assert.equal(batch.quality.indexOf(Quality.warmUp), -1, 'the batch itself is left alone');
});

test('a fault is flagged within 15 rows, and its channel comes first with its direction', async () => {
  for (const field of machineFields) {
    const scored = await (await scorer()).process(faulty(field));
    const first = scored.anomaly!.indexOf(1);
    assert.ok(first >= 400 && first < 400 + 2 * 15, `${field}: first flagged row ${first}`);
    const top = scored.evidence!.map(evidence => evidence.channels[0]!);
    const right = top.filter(channel => channel.field === field && channel.direction === directions[field]);
    assert.ok(right.includes(top[0]!), `${field}: ${JSON.stringify(top[0])}`);
    assert.ok(right.length >= 0.8 * top.length, `${field}: ${right.length} of ${top.length}`);
    const [evidence] = scored.evidence!;
    assert.equal(evidence!.at, first);
    assert.equal(evidence!.threshold, threshold);
    assert.equal(Math.fround(evidence!.score), scored.score![first]);
    assert.match(String(evidence!.score), /^0\.\d{1,4}$/);
    assert.ok(Math.abs(evidence!.channels.reduce((sum, channel) => sum + channel.weight, 0) - 1) < 0.1);
    assert.equal(top[0]!.value, scored.values[machineFields.indexOf(field)]![first]);
  }
});

test('scores and flags do not depend on how rows are cut into batches', async () => {
  const batch = faulty('flow');
  const whole = await (await scorer()).process(batch);
  const cut = await scorer();
  const [scores, flags, rows]: [number[], number[], number[]] = [[], [], []];
  for (let from = 0; from < batch.time.length; from += 37) {
    const part = await cut.process(sliceBatch(batch, from, Math.min(from + 37, batch.time.length)));
    scores.push(...part.score!);
    flags.push(...part.anomaly!);
    rows.push(...(part.evidence ?? []).map(evidence => evidence.at + from));
  }
  assert.deepEqual(scores, [...whole.score!]);
  assert.deepEqual(flags, [...whole.anomaly!]);
  // Long batches explain less of a long alarm.
  const explained = whole.evidence!.map(evidence => evidence.at);
  assert.deepEqual(rows.slice(0, explained.length), explained);
});

test('a model that would leave unscored what is scored now, or score nothing, does not fit', async () => {
  const batch = machineBatch({ rows: 40 });
  const without = (name: string) => ({
    ...batch,
    schema: {
      ...batch.schema,
      fields: batch.schema.fields.map(f => (f.name === name ? { ...f, name: 'x' } : f)),
    },
  });
  const empty = new Scorer({ models: [], log: silentLogger });
  assert.deepEqual(empty.misfit(await model()), [], 'nothing is known of the devices');
  await empty.process(without('flow'));
  assert.deepEqual(empty.misfit(await model()), ['flow']);
  await empty.process(batch);
  assert.deepEqual(empty.misfit(await model()), [], 'some devices can be scored, and none was before');

  const wide = await model();
  const card = { ...bundle.card, fields: ['pressure', 'flow', 'torque'] };
  const busy = await scorer();
  await busy.process(batch);
  assert.deepEqual(busy.misfit({ ...wide, bundle: { ...bundle, card } }), ['torque']);
  await busy.drop('machine');
  const dropped = await busy.process(batch);
  assert.equal(dropped.model, undefined);
  assert.deepEqual(busy.revisions, {});
});

test('an alarm storm costs few extra rows', async () => {
  let scored = 0;
  const { detector } = await model();
  const counting: Detector = {
    features: detector.features,
    revision: detector.revision,
    score: (x, n) => {
      scored += n;
      return detector.score(x, n);
    },
    [Symbol.asyncDispose]: () => detector[Symbol.asyncDispose](),
  };
  const batch = machineBatch({ rows: 1000, devices: 1, fault: { field: 'flow', from: 100, offset: -8 } });
  const result = await new Scorer({ models: [{ bundle, detector: counting }], log: silentLogger }).process(
    batch,
  );
  const flagged = result.anomaly!.filter(Boolean).length;
  assert.ok(flagged > 800, `${flagged} flagged`);
  assert.ok(result.evidence!.length <= 16);
  assert.ok(scored < 1.2 * batch.time.length, `${scored} rows scored`);
});

test('the score of a batch joins what rules have said', async () => {
  const batch = machineBatch({ rows: 60, devices: 1 });
  const n = batch.time.length;
  const rule = { at: 50, detector: 'rule', source: 'hot', score: 1, threshold: 1, channels: [] } as const;
  const score = new Float32Array(n).fill(Number.NaN);
  const anomaly = new Uint8Array(n);
  [score[50], anomaly[50], score[3], score[55]] = [1, 1, 0.25, 0.001];
  const joined = await (await scorer()).process({ ...batch, score, anomaly, evidence: [rule] });
  assert.equal(joined.score![50], 1);
  assert.equal(joined.score![3], 0.25, 'kept while the model warms up');
  assert.ok(joined.score![55]! > 0.1);
  assert.deepEqual([...joined.anomaly!], [...anomaly]);
  assert.deepEqual(joined.evidence, [rule]);
});

test('batches of other types, or without a needed field, pass untouched', async () => {
  const batch = machineBatch({ rows: 5 });
  const other = { ...batch, schema: { ...batch.schema, type: 'other' } };
  const poor = { ...batch, schema: { ...batch.schema, fields: batch.schema.fields.slice(1) } };
  const own = await scorer();
  assert.equal(await own.process(other), other);
  assert.equal(await own.process(poor), poor);
});

test('bad values do not alarm, and the evidence shows a missing value as null', async () => {
  const batch = machineBatch({ rows: 300, devices: 1, seed: 12 });
  const flow = Float64Array.from(batch.values[1] as Float64Array).fill(1e6, 250, 253);
  const fieldQuality = new Uint8Array(300).fill(Quality.outOfRange, 250, 253);
  const bad = {
    ...batch,
    values: [batch.values[0]!, flow, batch.values[2]!],
    fieldQuality: [undefined, fieldQuality, undefined],
  };
  assert.equal((await (await scorer()).process(bad)).anomaly!.indexOf(1), -1);
  const unmarked = { ...bad, fieldQuality: [undefined, undefined, undefined] };
  assert.notEqual((await (await scorer()).process(unmarked)).anomaly!.indexOf(1), -1);
});

test('a swap falls between batches, also between those handed over at once', async () => {
  const next = train(
    { batch: machineBatch({ rows: 1500, seed: 5 }), skippedRows: 0 },
    { ...machineTraining, seed: 2 },
  ).bundle;
  const detector = await loadDetector(next, { engine: 'typescript', log: silentLogger });
  const own = await scorer();
  const batch = machineBatch({ rows: 100 });
  const [before, , after] = await Promise.all([
    own.process(batch),
    own.swap({ bundle: next, detector }),
    own.process(batch),
  ]);
  assert.equal(before.model, bundle.card.revision);
  assert.equal(after.model, next.card.revision);
  assert.deepEqual(own.revisions, { machine: next.card.revision });
  assert.notEqual(next.card.revision, bundle.card.revision);
});

test('a failing detector fails its batch only', async () => {
  const { detector } = await model();
  let fails = true;
  const flaky: Detector = {
    features: detector.features,
    revision: detector.revision,
    score: (x, n) => (fails ? Promise.reject(new Error('broken')) : detector.score(x, n)),
    [Symbol.asyncDispose]: () => detector[Symbol.asyncDispose](),
  };
  const own = new Scorer({ models: [{ bundle, detector: flaky }], log: silentLogger });
  const batch = machineBatch({ rows: 10 });
  assert.equal((await own.process(batch)).score, undefined, 'readings matter more');
  fails = false;
  assert.equal((await own.process(batch)).model, bundle.card.revision);
  await own[Symbol.asyncDispose]();
  await own[Symbol.asyncDispose]();
});

test('single rows: usual ones pass, impossible combinations are flagged with their channel', async () => {
  const { detector, bundle } = await model();
  const usual = { values: { pressure: 3.5, flow: 14, current: 5.6 } };
  const leaking = { values: { pressure: 3.5, flow: 14, current: 9.5 } };
  const [a, b, c] = await scorePlain(detector, bundle.card, [usual, leaking, { values: { other: 1 } }]);
  assert.equal(a!.anomaly, false);
  assert.deepEqual(a!.channels, []);
  assert.equal(b!.anomaly, true);
  assert.equal(b!.channels[0]!.field, 'current');
  assert.equal(b!.channels[0]!.direction, 'high');
  assert.ok(b!.score > a!.score);
  assert.equal(c!.anomaly, false);
  assert.deepEqual(await scorePlain(detector, bundle.card, []), []);
});

test("the score is the mean over the card's number of rows", async () => {
  const { detector } = await model();
  const raw: number[] = [];
  const spying: Detector = {
    ...detector,
    features: detector.features,
    revision: detector.revision,
    score: async (x, n) => {
      const scores = await detector.score(x, n);
      if (raw.length === 0) raw.push(...scores);
      return scores;
    },
    [Symbol.asyncDispose]: () => detector[Symbol.asyncDispose](),
  };
  const batch = machineBatch({ rows: 100, devices: 1 });
  const scored = await new Scorer({ models: [{ bundle, detector: spying }], log: silentLogger }).process(
    batch,
  );
  const last = raw.slice(-smoothingRows);
  const mean = last.reduce((sum, score) => sum + score, 0) / last.length;
  assert.ok(Math.abs(scored.score!.at(-1)! - mean) < 1e-6);
});
